import { Button, Group, Skeleton, Stack, Text, Title } from "@mantine/core";
import type { ReactNode } from "react";
import { toApiError } from "../api/errors";
import { AlertIcon } from "./icons";
import classes from "./states.module.css";

/** The shape of what is coming, so that the page does not jump when it comes. */
export function LoadingRows({
  rows = 5,
  height = 34,
  label,
}: {
  rows?: number;
  height?: number;
  label: string;
}) {
  return (
    <div role="status" aria-label={`Loading ${label}`}>
      <Stack gap={8} aria-hidden="true">
        {Array.from({ length: rows }, (_, index) => (
          <Skeleton key={index} height={height} radius="sm" />
        ))}
      </Stack>
    </div>
  );
}

interface EmptyStateProps {
  title: string;
  /** It is all that the page shows, so its title is the page's. */
  whole?: boolean;
  children?: ReactNode;
}

export function EmptyState({ title, whole = false, children }: EmptyStateProps) {
  return (
    <div className={classes.empty}>
      <Title order={whole ? 1 : 2} size="h3">
        {title}
      </Title>
      {children}
    </div>
  );
}

interface ErrorStateProps {
  error: unknown;
  /** What could not be done, in words: "The runs could not be read." */
  what?: string;
  onRetry?: () => void;
  retrying?: boolean;
  /** Where to go instead, if there is no such thing. */
  instead?: ReactNode;
}

export function ErrorState({ error, what, onRetry, retrying, instead }: ErrorStateProps) {
  const { problem } = toApiError(error);
  const missing = problem.status === 404;
  return (
    <div className={classes.error} role="alert">
      <Group gap={8} wrap="nowrap" align="flex-start">
        <span className={classes.errorIcon}>
          <AlertIcon />
        </span>
        <div className={classes.errorBody}>
          <Text fw={600}>{what ?? problem.title}</Text>
          <Text>{problem.detail}</Text>
          {problem.hint !== null && <Text c="dimmed">{problem.hint}</Text>}
          {problem.requestId !== null && (
            <Text size="xs" c="dimmed">
              Request id <span className="mono">{problem.requestId}</span>
            </Text>
          )}
          {missing && instead}
          {onRetry && !missing && (
            <Button mt={8} size="xs" variant="default" onClick={onRetry} loading={retrying}>
              Try again
            </Button>
          )}
        </div>
      </Group>
    </div>
  );
}

/** The page has data, but the last refresh failed: a line above it instead of taking the data away. */
export function StaleNotice({ error }: { error: unknown }) {
  if (error === null || error === undefined) return null;
  const { problem } = toApiError(error);
  return (
    <div className={classes.stale} role="status">
      <AlertIcon size={14} />
      <span>
        Not refreshed: {problem.detail} {problem.requestId !== null && <>(request id {problem.requestId})</>}
      </span>
    </div>
  );
}

/** The error of a form or dialog, where the fields have not taken it already. */
export function FormError({ error }: { error: unknown }) {
  if (error === null || error === undefined) return null;
  return <ErrorState error={error} />;
}
