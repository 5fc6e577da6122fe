export type FieldErrors = Record<string, string>;

const WHERES = new Set(["json", "query", "path", "headers", "body"]);

function messageOf(value: unknown): string | null {
  if (typeof value === "string") return value;
  if (Array.isArray(value)) {
    const parts = value.map(messageOf).filter((part) => part !== null);
    return parts.length > 0 ? parts.join(" ") : null;
  }
  return null;
}

/**
 * The `errors` member of a problem, as one message a field. Takes a list of `{field, message}` and marshmallow's
 * nested form `{"json": {"slug": ["..."]}}`; a field inside a field is named with dots.
 */
export function readFieldErrors(errors: unknown): FieldErrors {
  const found: FieldErrors = {};
  if (Array.isArray(errors)) {
    for (const entry of errors) {
      if (entry === null || typeof entry !== "object") continue;
      const { field, name, loc, message, detail } = entry as Record<string, unknown>;
      const key = [field, name, loc].find((part) => typeof part === "string");
      const said = messageOf(message) ?? messageOf(detail);
      if (typeof key === "string" && said !== null) found[stripWhere(key)] = said;
    }
    return found;
  }
  walk(errors, [], found);
  return found;
}

function stripWhere(key: string): string {
  const parts = key.replace(/^\//, "").split(/[./]/);
  return parts.length > 1 && WHERES.has(parts[0] ?? "") ? parts.slice(1).join(".") : parts.join(".");
}

function walk(value: unknown, path: string[], found: FieldErrors): void {
  const said = messageOf(value);
  if (said !== null) {
    if (path.length > 0) found[path.join(".")] = said;
    return;
  }
  if (value === null || typeof value !== "object") return;
  for (const [key, inner] of Object.entries(value)) {
    walk(inner, path.length === 0 && WHERES.has(key) ? path : [...path, key], found);
  }
}
