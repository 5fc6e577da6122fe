import type { Place } from "../api/api";

/** Addresses of our own pages. Every part is encoded: names of models may hold any letter. */
const part = encodeURIComponent;

/** What a project and an organization have alike: `-` is no project's address. */
const below = ({ organization, project }: Place, rest: string) =>
  `/${part(organization)}/${project === undefined ? "-" : part(project)}/${rest}`;

export const paths = {
  home: () => "/",
  signIn: () => "/sign-in",
  plugins: () => "/plugins",
  tokens: () => "/tokens",
  account: () => "/account",
  setup: (token: string) => `/setup/${part(token)}`,
  resetPassword: (token: string) => `/reset-password/${part(token)}`,
  invitation: (token: string) => `/invitations/${part(token)}`,
  organization: (organization: string) => `/${part(organization)}`,
  members: (organization: string) => `/${part(organization)}/-/members`,
  connections: (place: Place) => below(place, "connections"),
  connection: (place: Place, id: string) => below(place, `connections/${part(id)}`),
  /** Without a provider, where one is chosen. */
  newConnection: (place: Place, wanted: { kind?: string; provider?: string } = {}) => {
    const query = new URLSearchParams(wanted).toString();
    return below(place, `connections/new${query && `?${query}`}`);
  },
  project: (organization: string, project: string) => `/${part(organization)}/${part(project)}`,
  runs: (organization: string, project: string) => `/${part(organization)}/${part(project)}/runs`,
  run: (organization: string, project: string, run: string) =>
    `/${part(organization)}/${part(project)}/runs/${part(run)}`,
  models: (organization: string, project: string) => `/${part(organization)}/${part(project)}/models`,
  model: (organization: string, project: string, model: string) =>
    `/${part(organization)}/${part(project)}/models/${part(model)}`,
  deployments: (organization: string, project: string) =>
    `/${part(organization)}/${part(project)}/deployments`,
  activity: (organization: string, project: string) => `/${part(organization)}/${part(project)}/activity`,
  projectMembers: (organization: string, project: string) =>
    `/${part(organization)}/${part(project)}/members`,
  projectSettings: (organization: string, project: string) =>
    `/${part(organization)}/${part(project)}/settings`,
};

/**
 * Where to go after signing in: the page asked for, if it is one of ours. `//host`, `/\host`, `javascript:` and
 * whatever else could lead away ends at the start page.
 */
export function safeNext(next: string | null): string {
  if (next === null || !next.startsWith("/")) return "/";
  let url: URL;
  try {
    url = new URL(next, "http://same.invalid");
  } catch {
    return "/";
  }
  if (url.origin !== "http://same.invalid" || url.pathname.startsWith("//")) return "/";
  if (url.pathname === "/sign-in") return "/";
  return url.pathname + url.search + url.hash;
}

export function signInPath(wanted: string): string {
  return wanted === "/" ? paths.signIn() : `${paths.signIn()}?next=${encodeURIComponent(wanted)}`;
}

/** The server may give an address of its own without the host; what people copy must have one. */
export function absolute(address: string, origin: string = window.location.origin): string {
  return address.startsWith("/") ? origin + address : address;
}
