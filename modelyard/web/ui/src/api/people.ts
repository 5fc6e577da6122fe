import { all, call, type Full, type Page, type Scope, type Session, signIn } from "./api";
import type { components } from "./schema";

/** People: how they come in, what they may, and who they are. Types by hand until the document has them all. */

export interface SignInOptions {
  password: boolean;
  oidc: { name: string; start: string } | null;
}
export const getSignInOptions = (signal?: AbortSignal) =>
  call<SignInOptions>("GET", ["sign-in-options"], { signal });

export interface NewPerson {
  username: string;
  display_name: string;
  password: string;
}
export async function setUp(token: string, body: NewPerson): Promise<Session> {
  await call<unknown>("POST", ["setup", token], { body });
  return signIn({ username: body.username, password: body.password });
}
export const resetPassword = (token: string, password: string) =>
  call<unknown>("POST", ["password-resets", token], { body: { password } });

// Invitations
export type OrganizationRole = "member" | "admin" | "owner";
export type ProjectRole = "viewer" | "editor" | "admin";

/** What whoever has the link may see of it. */
export interface OpenInvitation {
  organization: string;
  organization_name: string;
  role: OrganizationRole;
  project: string | null;
  project_role: ProjectRole | null;
  invited_by: string;
  expires_at: string;
}
export interface Invitation {
  id: string;
  role: OrganizationRole;
  project: string | null;
  project_role: ProjectRole | null;
  /** A note of whoever made it; empty for none. */
  email: string;
  state: "open" | "accepted" | "expired" | "revoked";
  invited_by: string;
  accepted_by: string | null;
  created_at: string;
  expires_at: string;
}
/** A new invitation with its link, which no other answer ever has. */
export type CreatedInvitation = Invitation & { link: string };
export interface NewInvitation {
  role: OrganizationRole;
  project?: string;
  project_role?: ProjectRole;
  email?: string;
  expires_in_days: number;
}

export const getInvitation = (token: string, signal?: AbortSignal) =>
  call<OpenInvitation>("GET", ["invitations", token], { signal });
/** Whoever is signed in joins. */
export const acceptInvitation = (token: string) =>
  call<OpenInvitation>("POST", ["invitations", token, "accept"], { body: {} });
/** With nobody signed in an account is made, and signed in to. */
export const joinAsNewPerson = (token: string, body: NewPerson) =>
  call<Session>("POST", ["invitations", token, "accept"], { body });
export const listInvitations = (organization: string, cursor?: string, signal?: AbortSignal) =>
  call<Page<Invitation>>("GET", ["organizations", organization, "invitations"], {
    query: { limit: 50, cursor },
    signal,
  });
export const createInvitation = (organization: string, body: NewInvitation) =>
  call<CreatedInvitation>("POST", ["organizations", organization, "invitations"], { body });
export const revokeInvitation = (organization: string, id: string) =>
  call<undefined>("DELETE", ["organizations", organization, "invitations", id]);

// One's own account
export type Person = Session["user"] & { email: string };
export interface BrowserSession {
  id: string;
  address: string;
  user_agent: string;
  created_at: string;
  last_seen_at: string;
  is_current: boolean;
}
export const getUser = (username: string, signal?: AbortSignal) =>
  call<Person>("GET", ["users", username], { signal });
export const editUser = (username: string, body: { display_name: string; email: string }) =>
  call<Person>("PATCH", ["users", username], { body });
export const changePassword = (body: { current_password: string; password: string }) =>
  call<undefined>("PUT", ["account", "password"], { body });
export const listSessions = (cursor?: string, signal?: AbortSignal) =>
  call<Page<BrowserSession>>("GET", ["account", "sessions"], { query: { limit: 50, cursor }, signal });
export const endSession = (id: string) => call<undefined>("DELETE", ["account", "sessions", id]);

// Members
export type Member = Full<components["schemas"]["Member"]>;
/** Where somebody is a member: an organization, or a project of it. */
export interface MembersOf {
  organization: string;
  project?: string;
}

const place = ({ organization, project }: MembersOf) =>
  project === undefined
    ? ["organizations", organization]
    : ["organizations", organization, "projects", project];

export const listMembers = (of: MembersOf, cursor?: string, signal?: AbortSignal) =>
  call<Page<Member>>("GET", [...place(of), "members"], { query: { limit: 50, cursor }, signal });
/** All of them, for choosing one. */
export const allMembers = (of: MembersOf, signal?: AbortSignal) =>
  all((cursor) =>
    call<Page<Member>>("GET", [...place(of), "members"], { query: { limit: 200, cursor }, signal }),
  );
export const setMember = (of: MembersOf, username: string, role: string) =>
  call<Member>("PUT", [...place(of), "members", username], { body: { role } });
export const removeMember = (of: MembersOf, username: string) =>
  call<undefined>("DELETE", [...place(of), "members", username]);
export const leave = (of: MembersOf) => call<undefined>("POST", [...place(of), "leave"]);

// Projects
export interface ProjectChanges {
  name?: string;
  slug?: string;
  description?: string;
  archived?: boolean;
}
export const editProject = (scope: Scope, body: ProjectChanges) =>
  call<{ slug: string; name: string }>("PATCH", place(scope), { body });
/** `confirm` is the slug, as the server asks for it. */
export const deleteProject = (scope: Scope) =>
  call<undefined>("DELETE", place(scope), { query: { confirm: scope.project } });
