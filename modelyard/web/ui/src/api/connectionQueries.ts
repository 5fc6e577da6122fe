import { queryOptions } from "@tanstack/react-query";
import type { Place } from "./api";
import * as connections from "./connections";
import { polledSlowly, scopeKey } from "./queries";

/** Below a project's own key, so that whatever ends the project ends these, too. */
export const connectionsKey = ({ organization, project }: Place) =>
  project === undefined
    ? (["connections", organization] as const)
    : ([...scopeKey({ organization, project }), "connections"] as const);

export const connectionsQuery = (place: Place) =>
  queryOptions({
    queryKey: [...connectionsKey(place), "all"],
    queryFn: ({ signal }) => connections.listConnections(place, signal),
    ...polledSlowly,
  });
export const connectionQuery = (place: Place, id: string) =>
  queryOptions({
    queryKey: [...connectionsKey(place), "one", id],
    queryFn: ({ signal }) => connections.getConnection(place, id, signal),
    ...polledSlowly,
  });
/** Providers change when the server starts anew. */
export const providersQuery = queryOptions({
  queryKey: ["providers"],
  queryFn: ({ signal }) => connections.listProviders(signal),
  staleTime: 60_000,
});
