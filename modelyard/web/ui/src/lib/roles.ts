/**
 * What to offer; the server decides. Viewers read. An unknown role is offered everything, and the server's refusal
 * says what is missing.
 */
export function mayEdit(role: string | null | undefined): boolean {
  return role !== "viewer" && role !== undefined;
}

/** Whoever may change members and settings: admins, and in an organization its owners, too. */
export function isAdmin(role: string | null | undefined): boolean {
  return role === "admin" || role === "owner";
}

export const ORGANIZATION_ROLES = ["member", "admin", "owner"] as const;
export const PROJECT_ROLES = ["viewer", "editor", "admin"] as const;
