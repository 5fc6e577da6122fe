import {
  infiniteQueryOptions,
  type InfiniteData,
  type Query,
  queryOptions,
  useInfiniteQuery,
} from "@tanstack/react-query";
import * as api from "./api";
import { ApiError } from "./errors";

const FAST = 2_000;
const SLOW = 10_000;

type AnyQuery = Pick<Query, "state">;

/**
 * How soon to ask again: 2 s while the page is seen, 10 s while it is hidden; `relaxed` lists that change by hand
 * only take 10 s. After a refusal (401, 403, 404) asking at that pace would be noise, and long lists cost a request
 * a page.
 */
export function interval(query: AnyQuery, relaxed = false): number | false {
  const error = query.state.error;
  if (error instanceof ApiError && error.status === 401) return false;
  if (error !== null || relaxed || document.visibilityState === "hidden") return SLOW;
  const data = query.state.data as Partial<InfiniteData<unknown> & api.MetricHistory> | undefined;
  return FAST * Math.max(1, data?.pages?.length ?? 1, Math.ceil((data?.points?.length ?? 0) / 1_000));
}

const polled = { refetchInterval: (query: AnyQuery) => interval(query), refetchIntervalInBackground: true };
export const polledSlowly = {
  refetchInterval: (query: AnyQuery) => interval(query, true),
  refetchIntervalInBackground: true,
};

/** Keeps what is on the screen while another sort or filter loads, but never what belongs to another thing. */
function keepWithin<T>(keyStart: readonly unknown[]) {
  return (previous: T | undefined, query: { queryKey: readonly unknown[] } | undefined): T | undefined =>
    keyStart.every((part, index) => JSON.stringify(query?.queryKey[index]) === JSON.stringify(part))
      ? previous
      : undefined;
}

export function paged<T>(
  queryKey: readonly unknown[],
  fetchPage: (cursor: string | undefined, signal: AbortSignal) => Promise<api.Page<T>>,
  keep: readonly unknown[] = queryKey,
  polling: typeof polled = polled,
) {
  return infiniteQueryOptions({
    queryKey,
    queryFn: ({ pageParam, signal }) => fetchPage(pageParam, signal),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.next_cursor ?? undefined,
    placeholderData: keepWithin<InfiniteData<api.Page<T>, string | undefined>>(keep),
    ...polling,
  });
}

export const sessionQuery = queryOptions({
  queryKey: ["session"],
  queryFn: async ({ signal }): Promise<api.Session | null> => {
    try {
      return await api.getSession(signal);
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) return null;
      throw error;
    }
  },
  staleTime: 60_000,
});

export const organizationsQuery = queryOptions({
  queryKey: ["organizations"],
  queryFn: ({ signal }) => api.listOrganizations(signal),
  ...polledSlowly,
});
export const organizationQuery = (organization: string) =>
  queryOptions({
    queryKey: ["organization", organization],
    queryFn: ({ signal }) => api.getOrganization(organization, signal),
    ...polledSlowly,
  });
export const projectsQuery = (organization: string) =>
  queryOptions({
    queryKey: ["projects", organization],
    queryFn: ({ signal }) => api.listProjects(organization, signal),
    ...polledSlowly,
  });

/** Every key below a project begins with the same two parts, so one call refreshes all of it. */
export const scopeKey = (scope: api.Scope) => ["project", `${scope.organization}/${scope.project}`] as const;

export const projectQuery = (scope: api.Scope) =>
  queryOptions({
    queryKey: [...scopeKey(scope), "self"],
    queryFn: ({ signal }) => api.getProject(scope, signal),
    ...polledSlowly,
  });
export const experimentsQuery = (scope: api.Scope) =>
  queryOptions({
    queryKey: [...scopeKey(scope), "experiments"],
    queryFn: ({ signal }) => api.listExperiments(scope, signal),
    ...polledSlowly,
  });
export const runsQuery = (scope: api.Scope, query: api.RunsQuery) =>
  paged([...scopeKey(scope), "runs", query], (cursor, signal) => api.listRuns(scope, query, cursor, signal), [
    ...scopeKey(scope),
    "runs",
  ]);
export const runQuery = (scope: api.Scope, run: string) =>
  queryOptions({
    queryKey: [...scopeKey(scope), "run", run],
    queryFn: ({ signal }) => api.getRun(scope, run, signal),
    ...polled,
  });
export const metricQuery = (scope: api.Scope, run: string, key: string, live: boolean) =>
  queryOptions({
    // `live` is part of the key: the end of a run fetches the last points once more.
    queryKey: [...scopeKey(scope), "run", run, "metric", key, live],
    queryFn: ({ signal }) => api.getMetricHistory(scope, run, key, signal),
    placeholderData: keepWithin<api.MetricHistory>([...scopeKey(scope), "run", run, "metric", key]),
    refetchInterval: (query: AnyQuery) => (live ? interval(query) : false),
    refetchIntervalInBackground: true,
    staleTime: live ? 0 : 60_000,
  });
export const artifactsQuery = (scope: api.Scope, run: string, folder: string) =>
  queryOptions({
    queryKey: [...scopeKey(scope), "run", run, "artifacts", folder],
    queryFn: ({ signal }) => api.listArtifacts(scope, run, folder, signal),
    ...polledSlowly,
  });
export const artifactQuery = (scope: api.Scope, run: string, path: string) =>
  queryOptions({
    queryKey: [...scopeKey(scope), "run", run, "artifact", path],
    queryFn: ({ signal }) => api.getArtifact(scope, run, path, signal),
    staleTime: 60_000,
    gcTime: 60_000,
  });

export const modelsQuery = (scope: api.Scope) =>
  paged([...scopeKey(scope), "models"], (cursor, signal) => api.listModels(scope, cursor, signal));
export const modelQuery = (scope: api.Scope, model: string) =>
  queryOptions({
    queryKey: [...scopeKey(scope), "model", model],
    queryFn: ({ signal }) => api.getModel(scope, model, signal),
    ...polled,
  });
export const versionsQuery = (scope: api.Scope, model: string) =>
  paged([...scopeKey(scope), "model", model, "versions"], (cursor, signal) =>
    api.listVersions(scope, model, cursor, signal),
  );
export const stageChangesQuery = (scope: api.Scope, model: string) =>
  paged([...scopeKey(scope), "model", model, "stage-changes"], (cursor, signal) =>
    api.listStageChanges(scope, model, cursor, signal),
  );

export const deploymentsQuery = (scope: api.Scope) =>
  paged([...scopeKey(scope), "deployments"], (cursor, signal) => api.listDeployments(scope, cursor, signal));
export const logsQuery = (scope: api.Scope, deployment: string) =>
  queryOptions({
    queryKey: [...scopeKey(scope), "deployment", deployment, "logs"],
    queryFn: ({ signal }) => api.getLogs(scope, deployment, signal),
    ...polled,
  });
export const eventsQuery = (scope: api.Scope, wanted: api.EventsQuery) =>
  paged(
    [...scopeKey(scope), "events", wanted],
    (cursor, signal) => api.listEvents(scope, wanted, cursor, signal),
    [...scopeKey(scope), "events"],
  );

export const pluginsQuery = queryOptions({
  queryKey: ["plugins"],
  queryFn: ({ signal }) => api.listPlugins(signal),
  ...polledSlowly,
});
/** What the server process that answers has counted of a plugin. */
export const pluginQuery = (plugin: string) =>
  queryOptions({
    queryKey: [...pluginsQuery.queryKey, plugin],
    queryFn: ({ signal }) => api.getPlugin(plugin, signal),
    ...polledSlowly,
  });
const TOKENS = ["tokens"];
export const tokensQuery = () =>
  paged(TOKENS, (cursor, signal) => api.listTokens(cursor, signal), TOKENS, polledSlowly);

export type Paged<T> = ReturnType<typeof usePaged<T>>;

/** A list that grows by "load more": the items of all pages in one array. */
export function usePaged<T>(options: ReturnType<typeof paged<T>>) {
  const query = useInfiniteQuery(options);
  return { ...query, items: query.data?.pages.flatMap((page) => page.items) };
}
