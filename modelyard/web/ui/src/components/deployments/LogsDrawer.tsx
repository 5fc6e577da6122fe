import { Drawer, Stack, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useLayoutEffect, useRef } from "react";
import type { Scope } from "../../api/api";
import { logsQuery } from "../../api/queries";
import { sentence } from "../../lib/format";
import { ErrorState, LoadingRows, StaleNotice } from "../states";
import classes from "./DeploymentCard.module.css";

interface LogsDrawerProps {
  scope: Scope;
  deployment: string;
  opened: boolean;
  onClose: () => void;
}

export function LogsDrawer({ scope, deployment, opened, onClose }: LogsDrawerProps) {
  return (
    <Drawer opened={opened} onClose={onClose} position="right" size="xl" title={`Logs of ${deployment}`}>
      <Logs scope={scope} deployment={deployment} />
    </Drawer>
  );
}

/** Opens at the newest line and stays there, unless somebody has scrolled up to read. */
function Tail({ text }: { text: string }) {
  const box = useRef<HTMLPreElement>(null);
  const atEnd = useRef(true);
  useLayoutEffect(() => {
    if (box.current !== null && atEnd.current) box.current.scrollTop = box.current.scrollHeight;
  }, [text]);
  return (
    <pre
      ref={box}
      className={`text ${classes.log}`}
      tabIndex={0}
      onScroll={({ currentTarget: { scrollHeight, scrollTop, clientHeight } }) => {
        atEnd.current = scrollHeight - scrollTop - clientHeight < 24;
      }}
    >
      {text}
    </pre>
  );
}

function Logs({ scope, deployment }: { scope: Scope; deployment: string }) {
  const { data, error, refetch, isFetching } = useQuery(logsQuery(scope, deployment));
  if (data === undefined) {
    if (error === null) return <LoadingRows label="the logs" rows={8} height={16} />;
    return (
      <ErrorState
        what="The logs could not be read."
        error={error}
        onRetry={() => void refetch()}
        retrying={isFetching}
      />
    );
  }
  return (
    <Stack className={classes.logs}>
      <StaleNotice error={error} />
      {data.items.length === 0 && (
        <Text c="dimmed">No replica has written anything yet. What they write appears here by itself.</Text>
      )}
      {data.items.map((log) => (
        <section key={log.replica} aria-label={log.replica}>
          <h3>{sentence(log.replica)}</h3>
          <Tail text={log.text === "" ? "(nothing yet)" : log.text} />
        </section>
      ))}
    </Stack>
  );
}
