import { Anchor, NativeSelect, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { type ReactNode, useMemo, useState } from "react";
import { Link, Navigate, useLocation, useSearchParams } from "react-router";
import type { Project, Run, RunsQuery, Scope } from "../api/api";
import { ApiError } from "../api/errors";
import { experimentsQuery, projectQuery, runsQuery, usePaged } from "../api/queries";
import { CommandBlock } from "../components/Copy";
import { type Column, DataTable } from "../components/DataTable";
import { ListBody } from "../components/ListBody";
import { PageTitle } from "../components/PageTitle";
import { Duration, RelativeTime } from "../components/RelativeTime";
import { ColumnsMenu } from "../components/runs/ColumnsMenu";
import { FilterBox } from "../components/runs/FilterBox";
import { EmptyState } from "../components/states";
import { StatusBadge } from "../components/StatusBadge";
import { useScope } from "../components/useScope";
import {
  automaticColumns,
  availableColumns,
  formatOrder,
  nextOrder,
  parseColumnId,
  parseOrder,
} from "../lib/columns";
import { metric, shortId } from "../lib/format";
import { fromMlflowHash } from "../lib/mlflowLink";
import { absolute, paths } from "../lib/paths";
import { isLive } from "../lib/status";
import { isStringList, readStored, writeStored } from "../lib/storage";
import classes from "./Runs.module.css";

const STATUSES = ["RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED"];
const NO_RUNS: Run[] = [];

/** The server sends links that MLflow prints to this page; what they name stands behind the hash. */
export function Runs() {
  const { organization, project } = useScope();
  const target = fromMlflowHash(useLocation().hash, organization, project);
  return target === null ? <RunsPage /> : <Navigate to={target} replace />;
}

function RunsPage() {
  const scope = useScope();
  const [search, setSearch] = useSearchParams();
  const project = useQuery(projectQuery(scope)).data;
  const experiments = useQuery(experimentsQuery(scope)).data ?? [];

  const filter = search.get("filter") ?? "";
  const order = parseOrder(search.get("order_by"));
  const wanted: RunsQuery = {
    experiment: search.get("experiment") ?? undefined,
    status: search.get("status") ?? undefined,
    filter: filter || undefined,
    order_by: order === null ? undefined : formatOrder(order),
  };
  const query = usePaged(runsQuery(scope, wanted));
  const set = (name: string, value: string | null) =>
    setSearch(
      (now) => {
        if (value) now.set(name, value);
        else now.delete(name);
        return now;
      },
      { replace: name === "order_by" },
    );

  // A refused filter is a matter of the box that it stands in, not of the whole page.
  const refused =
    query.error instanceof ApiError && [400, 422].includes(query.error.status) && filter !== ""
      ? query.error.problem
      : null;
  const narrowed = filter !== "" || wanted.experiment !== undefined || wanted.status !== undefined;

  return (
    <>
      <PageTitle parts={["Runs", project?.name ?? scope.project]} />
      <h2 className="hidden-text">Runs</h2>
      <RunsList
        key={`${scope.organization}/${scope.project}`}
        scope={scope}
        query={query}
        order={order}
        refused={refused !== null}
        onOrder={(column) => {
          const next = nextOrder(order, column);
          set("order_by", next === null ? null : formatOrder(next));
        }}
        empty={
          narrowed ? (
            <EmptyState title="No run matches">
              <Anchor component="button" type="button" onClick={() => setSearch({})}>
                Show all runs
              </Anchor>
            </EmptyState>
          ) : (
            <NoRuns project={project} />
          )
        }
      >
        <FilterBox value={filter} problem={refused} onApply={(value) => set("filter", value)} />
        <NativeSelect
          aria-label="Experiment"
          size="sm"
          className={classes.select}
          value={wanted.experiment ?? ""}
          onChange={(event) => set("experiment", event.currentTarget.value)}
          data={[
            { value: "", label: "All experiments" },
            ...experiments.map((experiment) => ({ value: experiment.id, label: experiment.name })),
          ]}
        />
        <NativeSelect
          aria-label="Status"
          size="sm"
          className={classes.select}
          value={wanted.status ?? ""}
          onChange={(event) => set("status", event.currentTarget.value)}
          data={[
            { value: "", label: "Any status" },
            ...STATUSES.map((status) => ({
              value: status,
              label: status.charAt(0) + status.slice(1).toLowerCase(),
            })),
          ]}
        />
      </RunsList>
    </>
  );
}

interface RunsListProps {
  scope: Scope;
  query: ReturnType<typeof usePaged<Run>>;
  order: ReturnType<typeof parseOrder>;
  onOrder: (column: string) => void;
  refused: boolean;
  empty: ReactNode;
  children: ReactNode;
}

function RunsList({ scope, query, order, onOrder, refused, empty, children }: RunsListProps) {
  const storageKey = `modelyard.columns.${scope.organization}/${scope.project}`;
  const [chosen, setChosen] = useState(() => readStored(storageKey, isStringList));
  const runs = query.items ?? NO_RUNS;
  const available = useMemo(() => availableColumns(runs), [runs]);
  const shown = useMemo(() => chosen ?? automaticColumns(runs), [chosen, runs]);
  const columns = useMemo(() => [...fixedColumns(scope), ...dataColumns(shown)], [scope, shown]);
  const choose = (ids: string[] | null) => {
    setChosen(ids);
    writeStored(storageKey, ids);
  };
  return (
    <>
      <div className={classes.bar}>
        {children}
        <ColumnsMenu available={available} shown={shown} automatic={chosen === null} onChange={choose} />
      </div>
      {refused ? (
        <Text c="dimmed">Mend the filter above, or empty it to see all runs.</Text>
      ) : (
        <ListBody what="runs" query={query} empty={empty}>
          {(items) => (
            <DataTable
              label="Runs"
              columns={columns}
              rows={items}
              rowKey={(run) => run.id}
              rowHref={(run) => paths.run(scope.organization, scope.project, run.id)}
              order={order}
              onOrder={onOrder}
              busy={query.isPlaceholderData}
            />
          )}
        </ListBody>
      )}
    </>
  );
}

function fixedColumns({ organization, project }: Scope): Column<Run>[] {
  return [
    {
      id: "name",
      head: "Name",
      order: "attributes.run_name",
      cell: (run) => (
        <Link className="link strong" to={paths.run(organization, project, run.id)}>
          {run.name || shortId(run.id)}
        </Link>
      ),
    },
    {
      id: "status",
      head: "Status",
      order: "attributes.status",
      cell: (run) => <StatusBadge status={run.status} />,
    },
    { id: "experiment", head: "Experiment", cell: (run) => run.experiment.name },
    {
      id: "started",
      head: "Started",
      order: "attributes.start_time",
      cell: (run) => <RelativeTime at={run.started_at} />,
    },
    {
      id: "duration",
      head: "Duration",
      numeric: true,
      cell: (run) => (
        <Duration seconds={run.duration_seconds} startedAt={run.started_at} live={isLive(run.status)} />
      ),
    },
    {
      id: "user",
      head: "User",
      order: "attributes.user_id",
      cell: (run) => run.user || <span className="dim">–</span>,
    },
  ];
}

const none = <span className="dim">–</span>;

function dataColumns(ids: readonly string[]): Column<Run>[] {
  return ids.flatMap((id) => {
    const column = parseColumnId(id);
    if (column === null) return [];
    const { kind, key } = column;
    return {
      id,
      head: (
        <span title={`${kind === "metrics" ? "Metric" : "Param"} ${key}`}>
          {key}
          {kind === "params" && <span className={classes.kind}> param</span>}
        </span>
      ),
      order: id,
      numeric: kind === "metrics",
      cell: (run: Run) => {
        if (kind === "params") return run.params[key] ?? none;
        const value = run.metrics[key];
        return value === undefined ? none : <span title={String(value)}>{metric(value)}</span>;
      },
    };
  });
}

function NoRuns({ project }: { project: Project | undefined }) {
  const uri = project === undefined ? "" : absolute(project.mlflow_uri);
  return (
    <EmptyState title="No runs yet">
      <Text>
        Log one from any program that uses MLflow. Make a token on{" "}
        <Link className="link" to={paths.tokens()}>
          your tokens page
        </Link>
        , then:
      </Text>
      <CommandBlock
        label="the commands that log a first run"
        text={[
          "pip install mlflow-skinny",
          `export MLFLOW_TRACKING_URI=${uri}`,
          "export MLFLOW_TRACKING_TOKEN=<your token>",
          `python -c "import mlflow; mlflow.log_param('first', True); mlflow.log_metric('accuracy', 0.5)"`,
        ].join("\n")}
      />
    </EmptyState>
  );
}
