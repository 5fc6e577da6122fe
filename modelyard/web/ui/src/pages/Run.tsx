import { Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Link, useParams } from "react-router";
import type { Run as RunData, Scope } from "../api/api";
import { runQuery } from "../api/queries";
import { CopyLine } from "../components/Copy";
import { PageTitle } from "../components/PageTitle";
import { Duration, RelativeTime } from "../components/RelativeTime";
import { Artifacts } from "../components/runs/Artifacts";
import { Curves } from "../components/runs/Curves";
import { KeyValues } from "../components/runs/KeyValues";
import { ErrorState, LoadingRows, StaleNotice } from "../components/states";
import { StatusBadge } from "../components/StatusBadge";
import { useScope } from "../components/useScope";
import { metric, shortId } from "../lib/format";
import { paths } from "../lib/paths";
import { isLive } from "../lib/status";
import classes from "./Run.module.css";

export function Run() {
  const scope = useScope();
  const { run: id = "" } = useParams();
  const { data: run, error, refetch, isFetching } = useQuery(runQuery(scope, id));
  if (run === undefined) {
    return (
      <>
        <PageTitle parts={["Run", scope.project]} />
        {error === null ? (
          <LoadingRows label="the run" rows={7} />
        ) : (
          <ErrorState
            what="This run could not be read."
            error={error}
            onRetry={() => void refetch()}
            retrying={isFetching}
            instead={
              <Link className="link" to={paths.runs(scope.organization, scope.project)}>
                All runs
              </Link>
            }
          />
        )}
      </>
    );
  }
  return (
    <>
      <PageTitle parts={[run.name || shortId(run.id), scope.project]} />
      <StaleNotice error={error} />
      <Head run={run} scope={scope} />
      <Curves scope={scope} run={run} live={isLive(run.status)} />
      <div className={classes.columns}>
        <KeyValues
          title="Latest metrics"
          values={run.metrics}
          empty="This run has logged no metrics: mlflow.log_metric('accuracy', 0.9)"
          show={(value) => <span title={String(value)}>{metric(value)}</span>}
        />
        <KeyValues
          title="Params"
          values={run.params}
          empty="This run has logged no params: mlflow.log_param('depth', 4)"
          show={(value) => value}
        />
        <KeyValues
          title="Tags"
          values={run.tags}
          empty="This run has no tags: mlflow.set_tag('purpose', 'baseline')"
          show={(value) => value}
        />
      </div>
      <Artifacts scope={scope} run={run.id} />
    </>
  );
}

function Head({ run, scope }: { run: RunData; scope: Scope }) {
  return (
    <div className={classes.head}>
      <div className={classes.title}>
        <Title order={1}>{run.name || shortId(run.id)}</Title>
        <StatusBadge status={run.status} />
      </div>
      <dl className={classes.facts}>
        <Fact name="Run id">
          <CopyLine value={run.id} label="the run id" />
        </Fact>
        <Fact name="Experiment">
          <Link
            className="link"
            to={`${paths.runs(scope.organization, scope.project)}?experiment=${encodeURIComponent(run.experiment.id)}`}
          >
            {run.experiment.name}
          </Link>
        </Fact>
        <Fact name="Started">
          <RelativeTime at={run.started_at} />
        </Fact>
        <Fact name="Duration">
          <Duration seconds={run.duration_seconds} startedAt={run.started_at} live={isLive(run.status)} />
        </Fact>
        <Fact name="User">{run.user || <span className="dim">–</span>}</Fact>
      </dl>
    </div>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
