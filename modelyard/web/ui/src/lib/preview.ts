export const TEXT_LIMIT = 256 * 1024;
export const IMAGE_LIMIT = 8 * 1024 * 1024;

export type PreviewKind = "image" | "json" | "text" | "none";

const IMAGES: Record<string, string> = {
  png: "image/png",
  jpg: "image/jpeg",
  jpeg: "image/jpeg",
  gif: "image/gif",
  webp: "image/webp",
  svg: "image/svg+xml",
};

const TEXTS = new Set(
  (
    "txt md log csv tsv yaml yml toml ini cfg py js ts r sql sh html xml conf env rst ipynb jsonl " +
    "mlmodel"
  ).split(" "),
);
const TEXT_NAMES = new Set(["MLmodel", "Dockerfile", "Makefile", "LICENSE", "README", "requirements"]);

export function fileName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

function extension(path: string): string {
  const name = fileName(path);
  const dot = name.lastIndexOf(".");
  return dot < 0 ? "" : name.slice(dot + 1).toLowerCase();
}

export function imageType(path: string): string | null {
  return IMAGES[extension(path)] ?? null;
}

/** What to show of a file, by its name and size; the server's content type is not asked. */
export function previewKind(path: string, size: number | null): PreviewKind {
  const ending = extension(path);
  if (imageType(path) !== null) return size !== null && size > IMAGE_LIMIT ? "none" : "image";
  const isText = ending === "json" || TEXTS.has(ending) || TEXT_NAMES.has(fileName(path));
  if (!isText || (size !== null && size > TEXT_LIMIT)) return "none";
  return ending === "json" ? "json" : "text";
}

/** JSON with indents; text that is no JSON after all stays as it is. */
export function prettyJson(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

export interface Table {
  columns: string[];
  rows: unknown[][];
}

/** What `mlflow.log_table` writes: `{"columns": [...], "data": [[...]]}`. Null for any other JSON. */
export function tableOf(text: string): Table | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (value === null || typeof value !== "object" || !("columns" in value) || !("data" in value)) return null;
  const { columns, data } = value;
  if (!Array.isArray(columns) || columns.length === 0 || !Array.isArray(data)) return null;
  if (!data.every((row): row is unknown[] => Array.isArray(row) && row.length === columns.length))
    return null;
  return { columns: columns.map(String), rows: data };
}

export function cellText(value: unknown): string {
  return typeof value === "string" ? value : value === null ? "" : JSON.stringify(value);
}

/** "a/b/c" → the folders above it with their names, outermost first. */
export function crumbs(path: string): { name: string; path: string }[] {
  const parts = path.split("/").filter((part) => part !== "");
  return parts.map((name, index) => ({ name, path: parts.slice(0, index + 1).join("/") }));
}
