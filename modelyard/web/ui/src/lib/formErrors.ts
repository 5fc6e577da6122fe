import { ApiError } from "../api/errors";

/**
 * What a refused form shows on its fields. A conflict that names no field is about the name: that is the only thing
 * which can be taken already.
 */
export function formErrors(
  error: unknown,
  fields: readonly string[],
  taken?: string,
): Record<string, string> {
  if (!(error instanceof ApiError)) return {};
  const { problem } = error;
  const known: Record<string, string> = {};
  for (const [field, message] of Object.entries(problem.fields)) {
    const name = fields.find((candidate) => field === candidate || field.startsWith(`${candidate}.`));
    if (name !== undefined) known[name] ??= message;
  }
  if (problem.status === 409 && taken !== undefined && Object.keys(known).length === 0) {
    known[taken] = problem.detail;
  }
  return known;
}

/** The error to show above the form: none, when the fields carry all of it. */
export function formLevelError(error: unknown, fields: readonly string[], taken?: string): unknown {
  return Object.keys(formErrors(error, fields, taken)).length > 0 ? null : error;
}
