import createClient from "openapi-fetch";
import { fileName } from "../lib/preview";
import { errorFrom, unreachable } from "./errors";
import type { components, paths } from "./schema";

/**
 * The single door to the server. Types come from its OpenAPI document (`npm run types`); what the document leaves
 * optional the server always sends, so `Full` takes the question marks away in this one place.
 */
export type Full<T> = T extends (infer Item)[]
  ? Full<Item>[]
  : T extends object
    ? { [Key in keyof T]-?: Full<Exclude<T[Key], undefined>> }
    : T;
type Schemas = components["schemas"];

export type Session = Full<Schemas["Session"]>;
export type Organization = Full<Schemas["Organization"]>;
export type Project = Full<Schemas["Project"]>;
export type Experiment = Full<Schemas["Experiment"]>;
export type Run = Full<Schemas["Run"]>;
export type MetricPoint = Full<Schemas["Point"]>;
export interface Artifact {
  /** From the run's artifacts down, whatever folder it was listed in. */
  path: string;
  is_dir: boolean;
  size_bytes: number | null;
}
export type Model = Full<Schemas["Model"]>;
export type Version = Full<Schemas["Version"]>;
export type StageChange = Full<Schemas["StageChange"]>;
export type Deployment = Full<Schemas["Deployment"]>;
export type ReplicaLog = Full<Schemas["Log"]>;
export type PlatformEvent = Full<Schemas["Event"]>;
export type Plugin = Full<Schemas["Plugin"]>;
export type PluginDetail = Full<Schemas["PluginDetail"]>;
export type Token = Full<Schemas["Token"]>;
/** A new token with the whole secret, which no other answer ever has. */
export type CreatedToken = Token & { secret: string };
export type Promotion = Schemas["Promotion"];
export type NewToken = Schemas["NewToken"];
export type NewOrganization = Schemas["NewOrganization"];
export type NewProject = Schemas["NewProject"];
export type NewDeployment = Schemas["NewDeployment"];

export interface Page<T> {
  items: T[];
  next_cursor: string | null;
}

/** A project's address: what every call below it begins with. */
export interface Scope {
  organization: string;
  project: string;
}

/** Where something can be: in an organization, or in a project of it. */
export interface Place {
  organization: string;
  project?: string;
}

/** A place's address in the API, for `call`. */
export const partsOf = ({ organization, project }: Place) =>
  project === undefined
    ? ["organizations", organization]
    : ["organizations", organization, "projects", project];

const SAFE = new Set(["GET", "HEAD", "OPTIONS"]);

/** Every request of the page: marked as ours (the server's CSRF check), and an ApiError for whatever fails. */
async function send(request: Request): Promise<Response> {
  if (!SAFE.has(request.method)) request.headers.set("X-Requested-With", "modelyard");
  let response: Response;
  try {
    response = await globalThis.fetch(request);
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw unreachable();
  }
  if (!response.ok) throw await errorFrom(response);
  return response;
}

const origin = typeof window === "undefined" ? "" : window.location.origin;
const client = createClient<paths>({ baseUrl: origin, fetch: send, credentials: "same-origin" });

/** Errors are thrown by `send`, so an answer is an answer. */
async function read<T>(call: Promise<{ data?: unknown }>): Promise<T> {
  return (await call).data as T;
}

interface CallOptions {
  query?: Record<string, string | number | undefined>;
  body?: unknown;
  signal?: AbortSignal;
}

/** The same door for addresses made of parts, such as those that a project and an organization have alike. */
export async function call<T>(
  method: string,
  parts: readonly string[],
  { query = {}, body, signal }: CallOptions = {},
): Promise<T> {
  const url = new URL(`${origin}/api/v1/${parts.map(encodeURIComponent).join("/")}`);
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== "") url.searchParams.set(name, String(value));
  }
  const response = await send(
    new Request(url, {
      method,
      signal,
      credentials: "same-origin",
      ...(body !== undefined && {
        body: JSON.stringify(body),
        headers: { "Content-Type": "application/json" },
      }),
    }),
  );
  return (response.status === 204 ? undefined : await response.json()) as T;
}

const P = "/api/v1/organizations/{organization}/projects/{project}";
const PAGE = 50;

// Who
export const getSession = (signal?: AbortSignal) => read<Session>(client.GET("/api/v1/session", { signal }));
export const signIn = (body: { username: string; password: string }) =>
  read<Session>(client.POST("/api/v1/session", { body }));
export const signOut = () => read<undefined>(client.DELETE("/api/v1/session"));

export const listTokens = (cursor?: string, signal?: AbortSignal) =>
  read<Page<Token>>(client.GET("/api/v1/tokens", { params: { query: { limit: PAGE, cursor } }, signal }));
export async function createToken(body: NewToken): Promise<CreatedToken> {
  const { token, ...made } = await read<Full<Schemas["CreatedToken"]>>(
    client.POST("/api/v1/tokens", { body }),
  );
  return { ...made, secret: token };
}
export const revokeToken = (token_id: string) =>
  read<undefined>(client.DELETE("/api/v1/tokens/{token_id}", { params: { path: { token_id } } }));

// Organizations and projects
/** The start page shows them all: follows the cursors, up to 1,000. */
export async function all<T>(page: (cursor: string | undefined) => Promise<Page<T>>): Promise<T[]> {
  const items: T[] = [];
  let cursor: string | undefined;
  for (let pages = 0; pages < 5; pages += 1) {
    const answer = await page(cursor);
    items.push(...answer.items);
    if (!answer.next_cursor) break;
    cursor = answer.next_cursor;
  }
  return items;
}

export const listOrganizations = (signal?: AbortSignal) =>
  all((cursor) =>
    read<Page<Organization>>(
      client.GET("/api/v1/organizations", { params: { query: { limit: 200, cursor } }, signal }),
    ),
  );
export const getOrganization = (organization: string, signal?: AbortSignal) =>
  read<Organization>(
    client.GET("/api/v1/organizations/{organization}", { params: { path: { organization } }, signal }),
  );
export const createOrganization = (body: NewOrganization) =>
  read<Organization>(client.POST("/api/v1/organizations", { body }));

export const listProjects = (organization: string, signal?: AbortSignal) =>
  all((cursor) =>
    read<Page<Project>>(
      client.GET("/api/v1/organizations/{organization}/projects", {
        params: { path: { organization }, query: { limit: 200, cursor } },
        signal,
      }),
    ),
  );
export const getProject = (path: Scope, signal?: AbortSignal) =>
  read<Project>(client.GET(P, { params: { path }, signal }));
export const createProject = (organization: string, body: NewProject) =>
  read<Project>(
    client.POST("/api/v1/organizations/{organization}/projects", {
      params: { path: { organization } },
      body,
    }),
  );
export const allowLocalDeployments = (path: Scope) =>
  read<Project>(client.PATCH(P, { params: { path }, body: { allow_local_deployments: true } }));

// Runs
export interface RunsQuery {
  experiment?: string;
  status?: string;
  filter?: string;
  order_by?: string;
}

export const listExperiments = (path: Scope, signal?: AbortSignal) =>
  all((cursor) =>
    read<Page<Experiment>>(
      client.GET(`${P}/experiments`, { params: { path, query: { limit: 200, cursor } }, signal }),
    ),
  );
/** A status is one more condition of the filter: MLflow's language joins them by `and` alone. */
export function listRuns(path: Scope, wanted: RunsQuery, cursor?: string, signal?: AbortSignal) {
  const { status, filter, ...query } = wanted;
  const conditions = [filter, status && `attributes.status = '${status}'`].filter(Boolean).join(" and ");
  return read<Page<Run>>(
    client.GET(`${P}/runs`, {
      params: { path, query: { ...query, filter: conditions || undefined, limit: PAGE, cursor } },
      signal,
    }),
  );
}
export const getRun = (scope: Scope, run_id: string, signal?: AbortSignal) =>
  read<Run>(client.GET(`${P}/runs/{run_id}`, { params: { path: { ...scope, run_id } }, signal }));

export interface MetricHistory {
  points: MetricPoint[];
  /** False when the history is longer than what was read. */
  complete: boolean;
}

export async function getMetricHistory(
  scope: Scope,
  run_id: string,
  key: string,
  signal?: AbortSignal,
): Promise<MetricHistory> {
  const points: MetricPoint[] = [];
  let cursor: string | undefined;
  for (let pages = 0; pages < 10; pages += 1) {
    const answer = await read<Partial<Page<MetricPoint>>>(
      client.GET(`${P}/runs/{run_id}/metrics/{key}`, {
        params: { path: { ...scope, run_id, key }, query: { limit: 5_000, cursor } },
        signal,
      }),
    );
    points.push(...(answer.items ?? []));
    if (!answer.next_cursor) return { points, complete: true };
    cursor = answer.next_cursor;
  }
  return { points, complete: false };
}

/** A folder comes whole. An entry of it is named by its last part alone: the folder is what was asked for. */
export async function listArtifacts(
  scope: Scope,
  run_id: string,
  folder: string,
  signal?: AbortSignal,
): Promise<Artifact[]> {
  const { items } = await read<{ items: Full<Schemas["Artifact"]>[] }>(
    client.GET(`${P}/runs/{run_id}/artifacts`, {
      params: { path: { ...scope, run_id }, query: { path: folder || undefined } },
      signal,
    }),
  );
  return items.map((item) => ({
    path: folder === "" ? fileName(item.path) : `${folder}/${fileName(item.path)}`,
    is_dir: item.is_directory,
    size_bytes: item.size_bytes,
  }));
}

/** The address of a file's bytes: for a download link, and for `getArtifact`. */
export function artifactUrl({ organization, project }: Scope, run_id: string, path: string): string {
  const [o, p, r] = [organization, project, run_id].map(encodeURIComponent);
  return `/api/v1/organizations/${o}/projects/${p}/runs/${r}/artifacts/content?path=${encodeURIComponent(path)}`;
}
export async function getArtifact(
  scope: Scope,
  run_id: string,
  path: string,
  signal?: AbortSignal,
): Promise<Blob> {
  const response = await send(new Request(origin + artifactUrl(scope, run_id, path), { signal }));
  return response.blob();
}

// Models
export const listModels = (path: Scope, cursor?: string, signal?: AbortSignal) =>
  read<Page<Model>>(client.GET(`${P}/models`, { params: { path, query: { limit: PAGE, cursor } }, signal }));
export const getModel = (scope: Scope, model: string, signal?: AbortSignal) =>
  read<Model>(client.GET(`${P}/models/{model}`, { params: { path: { ...scope, model } }, signal }));
export const listVersions = (scope: Scope, model: string, cursor?: string, signal?: AbortSignal) =>
  read<Page<Version>>(
    client.GET(`${P}/models/{model}/versions`, {
      params: { path: { ...scope, model }, query: { limit: PAGE, cursor } },
      signal,
    }),
  );
export const listStageChanges = (scope: Scope, model: string, cursor?: string, signal?: AbortSignal) =>
  read<Page<StageChange>>(
    client.GET(`${P}/models/{model}/stage-changes`, {
      params: { path: { ...scope, model }, query: { limit: PAGE, cursor } },
      signal,
    }),
  );
export const promote = (scope: Scope, model: string, version: number, body: Promotion) =>
  read<Version>(
    client.POST(`${P}/models/{model}/versions/{version}/promote`, {
      params: { path: { ...scope, model, version } },
      body,
    }),
  );

// Deployments
export const listDeployments = (path: Scope, cursor?: string, signal?: AbortSignal) =>
  read<Page<Deployment>>(
    client.GET(`${P}/deployments`, { params: { path, query: { limit: PAGE, cursor } }, signal }),
  );
export const createDeployment = (path: Scope, body: NewDeployment) =>
  read<Deployment>(client.POST(`${P}/deployments`, { params: { path }, body }));
export const stopDeployment = (scope: Scope, deployment: string) =>
  read<unknown>(
    client.POST(`${P}/deployments/{deployment}/stop`, { params: { path: { ...scope, deployment } } }),
  );
export const startDeployment = (scope: Scope, deployment: string) =>
  read<unknown>(
    client.POST(`${P}/deployments/{deployment}/start`, { params: { path: { ...scope, deployment } } }),
  );
export const deleteDeployment = (scope: Scope, deployment: string) =>
  read<unknown>(
    client.DELETE(`${P}/deployments/{deployment}`, { params: { path: { ...scope, deployment } } }),
  );
export const getLogs = (scope: Scope, deployment: string, signal?: AbortSignal) =>
  read<{ items: ReplicaLog[] }>(
    client.GET(`${P}/deployments/{deployment}/logs`, { params: { path: { ...scope, deployment } }, signal }),
  );

export interface Prediction {
  status: number;
  milliseconds: number;
  text: string;
}

/** Asks the deployment through its stable address, and takes the time from here to the whole answer. */
export async function predict(scope: Scope, deployment: string, body: string): Promise<Prediction> {
  const [o, p, d] = [scope.organization, scope.project, deployment].map(encodeURIComponent);
  const began = performance.now();
  const response = await send(
    new Request(`${origin}/serve/${o}/${p}/${d}/invocations`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body,
    }),
  );
  const text = await response.text();
  return { status: response.status, milliseconds: performance.now() - began, text };
}

// What happened, and what is installed
/** What of the events is wanted; times are RFC 3339. */
export interface EventsQuery {
  actor?: string;
  action?: string;
  object_kind?: string;
  object_id?: string;
  from?: string;
  to?: string;
}

export const listEvents = (
  { organization, project }: Scope,
  wanted: EventsQuery,
  cursor?: string,
  signal?: AbortSignal,
) =>
  call<Page<PlatformEvent>>("GET", ["organizations", organization, "projects", project, "events"], {
    query: { ...wanted, limit: PAGE, cursor },
    signal,
  });
export const listPlugins = (signal?: AbortSignal) =>
  read<{ items: Plugin[] }>(client.GET("/api/v1/plugins", { signal }));
export const getPlugin = (plugin: string, signal?: AbortSignal) =>
  read<PluginDetail>(client.GET("/api/v1/plugins/{plugin}", { params: { path: { plugin } }, signal }));
/** `force`: also where the settings select it for all projects. */
export const blockPlugin = (plugin: string, body: { reason: string; force?: boolean }) =>
  read<Plugin>(client.POST("/api/v1/plugins/{plugin}/block", { params: { path: { plugin } }, body }));
/** Ends a quarantine, too. */
export const unblockPlugin = (plugin: string) =>
  read<undefined>(client.DELETE("/api/v1/plugins/{plugin}/block", { params: { path: { plugin } } }));
