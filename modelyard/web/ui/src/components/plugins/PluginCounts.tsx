import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import type { PluginDetail } from "../../api/api";
import { pluginQuery } from "../../api/queries";
import { plural, sentence } from "../../lib/format";
import { type Column, DataTable } from "../DataTable";
import { RelativeTime } from "../RelativeTime";
import { ErrorState, LoadingRows } from "../states";
import classes from "./PluginCounts.module.css";

/** Calls and failures, asked for when somebody wants to see them. */
export function PluginCounts({ plugin }: { plugin: string }) {
  const [opened, setOpened] = useState(false);
  return (
    <details className={classes.details} onToggle={(event) => setOpened(event.currentTarget.open)}>
      <summary>
        What was seen <span className="hidden-text">of {plugin}</span>
      </summary>
      {opened && <Seen plugin={plugin} />}
    </details>
  );
}

function Seen({ plugin }: { plugin: string }) {
  const { data, error, refetch, isFetching } = useQuery(pluginQuery(plugin));
  if (data === undefined) {
    if (error === null) return <LoadingRows label={`what was seen of ${plugin}`} rows={3} />;
    return (
      <ErrorState
        what="What was seen could not be read."
        error={error}
        onRetry={() => void refetch()}
        retrying={isFetching}
      />
    );
  }
  return (
    <div className={classes.seen}>
      <p className="dim">By the server process that has answered, since it began.</p>
      {data.calls.length === 0 ? (
        <p>It was not called.</p>
      ) : (
        <DataTable
          label={`Calls of ${plugin}`}
          columns={CALLS}
          rows={data.calls}
          rowKey={({ operation, outcome }) => `${operation}/${outcome}`}
        />
      )}
      {data.lost_threads > 0 && (
        <p>{plural(data.lost_threads, "thread hangs in it", "threads hang in it")}.</p>
      )}
      {data.breakers.map((breaker) => (
        <p key={breaker.connection}>
          {breaker.connection === null ? "It" : <span className="mono">{breaker.connection}</span>} is left
          alone since <RelativeTime at={breaker.opened_at} />: {breaker.reason} The next trial is in{" "}
          {Math.ceil(breaker.trial_in_seconds)} s.
        </p>
      ))}
      {data.last_failures.length > 0 && (
        <DataTable
          label={`Last failures of ${plugin}`}
          columns={FAILURES}
          rows={data.last_failures}
          rowKey={({ at, operation, error: text }) => `${at}/${operation}/${text}`}
        />
      )}
    </div>
  );
}

const CALLS: Column<PluginDetail["calls"][number]>[] = [
  { id: "operation", head: "Operation", cell: ({ operation }) => <span className="mono">{operation}</span> },
  {
    id: "outcome",
    head: "Outcome",
    cell: ({ outcome }) => (outcome === "ok" ? "Went well" : sentence(outcome)),
  },
  { id: "count", head: "Calls", numeric: true, cell: ({ count }) => count },
];
const FAILURES: Column<PluginDetail["last_failures"][number]>[] = [
  { id: "at", head: "Failed", cell: ({ at }) => <RelativeTime at={at} /> },
  { id: "operation", head: "In", cell: ({ operation }) => <span className="mono">{operation}</span> },
  { id: "error", head: "With", cell: ({ error }) => <span className={classes.error}>{error}</span> },
];
