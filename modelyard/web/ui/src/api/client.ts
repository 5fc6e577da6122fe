import { MutationCache, QueryCache, QueryClient } from "@tanstack/react-query";
import { ApiError } from "./errors";
import { sessionQuery } from "./queries";

/** One query client: a 401 from any call ends the session here, and `RequireSession` shows the way to sign in. */
export function createQueryClient(): QueryClient {
  const ended = (error: unknown) => {
    if (error instanceof ApiError && error.status === 401) client.setQueryData(sessionQuery.queryKey, null);
  };
  const client = new QueryClient({
    queryCache: new QueryCache({ onError: ended }),
    mutationCache: new MutationCache({ onError: ended }),
    defaultOptions: {
      queries: {
        // No answer at all, or a fault of the server's: once more. A refusal stays one.
        retry: (failures, error) =>
          failures < 1 && error instanceof ApiError && (error.status === 0 || error.status >= 502),
        retryDelay: 800,
        staleTime: 1_000,
      },
    },
  });
  return client;
}
