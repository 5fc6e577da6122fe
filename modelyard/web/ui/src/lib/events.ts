export interface Change {
  field: string;
  from: string | null;
  to: string;
}

function words(value: unknown): string {
  if (value === null || value === undefined || value === "") return "none";
  if (typeof value === "string") return value;
  if (Array.isArray(value)) return value.map(words).join(", ");
  return JSON.stringify(value);
}

/** What an event's `before` and `after` tell, field by field; a field that stayed the same tells nothing. */
export function changes(
  before: Readonly<Record<string, unknown>> | null,
  after: Readonly<Record<string, unknown>> | null,
): Change[] {
  const was = before ?? {};
  const is = after ?? {};
  return [...new Set([...Object.keys(was), ...Object.keys(is)])]
    .filter((field) => JSON.stringify(was[field]) !== JSON.stringify(is[field]))
    .map((field) => ({ field, from: field in was ? words(was[field]) : null, to: words(is[field]) }));
}
