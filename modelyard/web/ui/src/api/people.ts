import {
  all,
  call,
  type Full,
  type Page,
  partsOf,
  type Place,
  type Project,
  type Scope,
  type Session,
  signIn,
} from "./api";
import type { components } from "./schema";

/** People: how they come in, what they may, and who they are. */
type Schemas = components["schemas"];

export type SignInOptions = Full<Schemas["SignInOptions"]>;
export const getSignInOptions = (signal?: AbortSignal) =>
  call<SignInOptions>("GET", ["sign-in-options"], { signal });

export type NewPerson = Required<Pick<Schemas["Setup"], "username" | "display_name" | "password">>;
export async function setUp(token: string, body: NewPerson): Promise<Session> {
  await call<unknown>("POST", ["setup", token], { body });
  return signIn({ username: body.username, password: body.password });
}
export const resetPassword = (token: string, password: string) =>
  call<unknown>("POST", ["password-resets", token], { body: { password } });

// Invitations
export type NewInvitation = Schemas["NewInvitation"];
export type OrganizationRole = NewInvitation["role"];
export type ProjectRole = NonNullable<NewInvitation["project_role"]>;
/** What whoever has the link may see of it. */
export type OpenInvitation = Full<Schemas["Offer"]>;
export type Invitation = Full<Schemas["Invitation"]>;
/** A new invitation with its link, which no other answer ever has. */
export type CreatedInvitation = Full<Schemas["CreatedInvitation"]>;

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
export type Person = Full<Schemas["Account"]>;
export type BrowserSession = Full<Schemas["SignedInSession"]>;
export const getUser = (username: string, signal?: AbortSignal) =>
  call<Person>("GET", ["users", username], { signal });
export const editUser = (username: string, body: Schemas["UserChanges"]) =>
  call<Person>("PATCH", ["users", username], { body });
export const changePassword = (body: Schemas["PasswordChange"]) =>
  call<undefined>("PUT", ["account", "password"], { body });
export const listSessions = (cursor?: string, signal?: AbortSignal) =>
  call<Page<BrowserSession>>("GET", ["account", "sessions"], { query: { limit: 50, cursor }, signal });
export const endSession = (id: string) => call<undefined>("DELETE", ["account", "sessions", id]);

// Members
export type Member = Full<Schemas["Member"]>;
export const listMembers = (of: Place, cursor?: string, signal?: AbortSignal) =>
  call<Page<Member>>("GET", [...partsOf(of), "members"], { query: { limit: 50, cursor }, signal });
/** All of them, for choosing one. */
export const allMembers = (of: Place, signal?: AbortSignal) =>
  all((cursor) =>
    call<Page<Member>>("GET", [...partsOf(of), "members"], { query: { limit: 200, cursor }, signal }),
  );
export const setMember = (of: Place, username: string, role: string) =>
  call<Member>("PUT", [...partsOf(of), "members", username], { body: { role } });
export const removeMember = (of: Place, username: string) =>
  call<undefined>("DELETE", [...partsOf(of), "members", username]);
export const leave = (of: Place) => call<undefined>("POST", [...partsOf(of), "leave"]);

// Projects
export type ProjectChanges = Schemas["ProjectChanges"];
export const editProject = (scope: Scope, body: ProjectChanges) =>
  call<Project>("PATCH", partsOf(scope), { body });
/** `confirm` is the slug, as the server asks for it. */
export const deleteProject = (scope: Scope) =>
  call<undefined>("DELETE", partsOf(scope), { query: { confirm: scope.project } });
