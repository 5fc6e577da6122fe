import { Button, Group, Text } from "@mantine/core";
import type { ReactNode } from "react";
import { ErrorState, LoadingRows, StaleNotice } from "./states";

/** What a list needs of `usePaged`; of one that comes whole, no pages. */
export interface ListQuery<T> {
  items: T[] | undefined;
  error: unknown;
  isFetching: boolean;
  refetch: () => unknown;
  hasNextPage?: boolean;
  isFetchingNextPage?: boolean;
  fetchNextPage?: () => unknown;
}

interface ListBodyProps<T> {
  /** What the list holds, in the plural: "runs". */
  what: string;
  query: ListQuery<T>;
  empty: ReactNode;
  children: (items: T[]) => ReactNode;
  loading?: ReactNode;
}

/** The four faces of every list: loading, failed, empty, and full with "load more". */
export function ListBody<T>({ what, query, empty, children, loading }: ListBodyProps<T>) {
  const { items, error } = query;
  if (items === undefined) {
    if (error !== null) {
      return (
        <ErrorState
          what={`The ${what} could not be read.`}
          error={error}
          onRetry={() => void query.refetch()}
          retrying={query.isFetching}
        />
      );
    }
    return loading ?? <LoadingRows label={what} />;
  }
  return (
    <>
      <StaleNotice error={error} />
      {items.length === 0 ? empty : children(items)}
      {items.length > 0 && (
        <Group mt={10} gap={12} mih={30}>
          <Text size="xs" c="dimmed" className="num" aria-live="polite">
            {query.hasNextPage
              ? `The first ${items.length} ${what}`
              : `${items.length} ${items.length === 1 ? what.replace(/s$/, "") : what}`}
          </Text>
          {query.hasNextPage && (
            <Button
              size="xs"
              variant="default"
              loading={query.isFetchingNextPage}
              onClick={() => void query.fetchNextPage?.()}
            >
              Load more
            </Button>
          )}
        </Group>
      )}
    </>
  );
}
