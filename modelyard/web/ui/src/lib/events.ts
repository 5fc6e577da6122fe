import { paths } from "./paths";

export interface Change {
  field: string;
  from: string | null;
  to: string;
}

const NONE = "none";

function words(value: unknown): string {
  if (value === null || value === undefined || value === "") return NONE;
  if (typeof value === "string") return value;
  if (Array.isArray(value)) return value.length === 0 ? NONE : value.map(words).join(", ");
  if (typeof value === "object" && Object.keys(value).length === 0) return NONE;
  return JSON.stringify(value);
}

/**
 * What an event's `before` and `after` tell, field by field. A field that stayed the same tells nothing; nor does one
 * that begins with nothing, or with the name that stands before it anyway.
 */
export function changes(
  before: Readonly<Record<string, unknown>> | null,
  after: Readonly<Record<string, unknown>> | null,
  name = "",
): Change[] {
  const was = before ?? {};
  const is = after ?? {};
  return [...new Set([...Object.keys(was), ...Object.keys(is)])]
    .filter((field) => JSON.stringify(was[field]) !== JSON.stringify(is[field]))
    .map((field) => ({ field, from: field in was ? words(was[field]) : null, to: words(is[field]) }))
    .filter(({ from, to }) => from !== null || (to !== NONE && to !== name));
}

interface Thing {
  kind: string;
  id: string;
  name: string;
}

/** How people call what an event is about, and its page, if it has one. */
export function thing(
  object: Thing,
  organization: string,
  project: string,
): { name: string; to: string | null } {
  const { kind, id, name } = object;
  if (kind === "run") return { name, to: paths.run(organization, project, id) };
  if (kind === "model") return { name, to: paths.model(organization, project, name) };
  if (kind === "model_version") {
    const slash = name.lastIndexOf("/");
    const model = name.slice(0, slash);
    return { name: `${model} v${name.slice(slash + 1)}`, to: paths.model(organization, project, model) };
  }
  if (kind === "deployment") return { name, to: paths.deployments(organization, project) };
  return { name, to: null };
}
