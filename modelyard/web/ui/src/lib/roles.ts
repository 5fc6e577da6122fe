/**
 * What to offer; the server decides. Viewers read. An unknown role is offered everything, and the server's refusal
 * says what is missing.
 */
export function mayEdit(role: string | null | undefined): boolean {
  return role !== "viewer" && role !== undefined;
}
