import { all, call, type Full, type Page, partsOf, type Place } from "./api";
import type { components } from "./schema";

/** Connections, of a project and of an organization: providers with settings. */
type Schemas = components["schemas"];

export type Connection = Full<Schemas["Connection"]> & {
  /** The names of those that are set, for the admins of its place. */
  secrets: string[];
};
export type Provider = Full<Schemas["DescribedProvider"]>;
export type ConnectionKind = Schemas["NewConnection"]["kind"];
export type NewConnection = Schemas["NewConnection"];
export type ConnectionChanges = Schemas["ConnectionChanges"];
export type Settings = Record<string, unknown>;
/** What a provider said of itself. */
export type Health = Schemas["Health"];

const at = (place: Place, ...parts: string[]) => [...partsOf(place), "connections", ...parts];

export const listProviders = (signal?: AbortSignal) =>
  call<{ items: Provider[] }>("GET", ["providers"], { signal });
/** A project's are its own, and those of its organization. */
export const listConnections = (place: Place, signal?: AbortSignal) =>
  all((cursor) =>
    call<Page<Connection>>("GET", at(place), { query: { limit: 200, order_by: "name", cursor }, signal }),
  );
export const getConnection = (place: Place, id: string, signal?: AbortSignal) =>
  call<Connection>("GET", at(place, id), { signal });
export const createConnection = (place: Place, body: NewConnection) =>
  call<Connection>("POST", at(place), { body });
export const editConnection = (place: Place, id: string, body: ConnectionChanges) =>
  call<Connection>("PATCH", at(place, id), { body });
export const deleteConnection = (place: Place, id: string) => call<undefined>("DELETE", at(place, id));
/** Asks what stands behind a saved one whether it answers; what it said is kept. */
export const checkConnection = (place: Place, id: string) => call<Connection>("GET", at(place, id, "health"));
/** Asks a provider with settings that are not saved. */
export const testSettings = (place: Place, body: Schemas["ConnectionTest"]) =>
  call<Health>("POST", at(place, "test"), { body });
/** Asks as an edit with these settings would leave it; stored secrets are used, and nothing is saved. */
export const testChanges = (place: Place, id: string, settings: Settings) =>
  call<Health>("POST", at(place, id, "test"), { body: { settings } });
