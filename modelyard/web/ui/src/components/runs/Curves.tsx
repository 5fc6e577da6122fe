import { Button, SegmentedControl, TextInput, Title } from "@mantine/core";
import { useQueries } from "@tanstack/react-query";
import { useState } from "react";
import type { Run, Scope } from "../../api/api";
import { metricQuery } from "../../api/queries";
import { metric, plural } from "../../lib/format";
import { summarize, type XAxis } from "../../lib/series";
import { SearchIcon } from "../icons";
import { MetricChart } from "../MetricChart";
import { ErrorState, LoadingRows } from "../states";
import classes from "./Curves.module.css";

const AT_ONCE = 6;

/** The history of each metric, six at a time: a run may have hundreds. */
export function Curves({ scope, run, live }: { scope: Scope; run: Run; live: boolean }) {
  const [axis, setAxis] = useState<XAxis>("step");
  const [search, setSearch] = useState("");
  const [limit, setLimit] = useState(AT_ONCE);
  const keys = Object.keys(run.metrics).sort();
  const found = keys.filter((key) => key.toLowerCase().includes(search.toLowerCase()));
  const shown = found.slice(0, limit);
  const histories = useQueries({ queries: shown.map((key) => metricQuery(scope, run.id, key, live)) });
  if (keys.length === 0) return null;

  return (
    <section aria-labelledby="curves">
      <div className={classes.bar}>
        <Title order={2} id="curves">
          Metric curves
        </Title>
        <div className={classes.tools}>
          {keys.length > AT_ONCE && (
            <TextInput
              size="xs"
              aria-label="Search metrics"
              placeholder="Search metrics"
              leftSection={<SearchIcon size={14} />}
              value={search}
              onChange={(event) => setSearch(event.currentTarget.value)}
            />
          )}
          <SegmentedControl
            size="xs"
            aria-label="Horizontal axis"
            value={axis}
            onChange={(value) => setAxis(value === "time" ? "time" : "step")}
            data={[
              { value: "step", label: "By step" },
              { value: "time", label: "By time" },
            ]}
          />
        </div>
      </div>
      <div className={classes.grid}>
        {shown.map((key, index) => {
          const history = histories[index];
          return history && <Curve key={key} name={key} axis={axis} history={history} />;
        })}
      </div>
      {found.length === 0 && <p className="dim">No metric has “{search}” in its name.</p>}
      {found.length > shown.length && (
        <Button mt={10} size="xs" variant="default" onClick={() => setLimit(limit + AT_ONCE)}>
          Show more curves ({found.length - shown.length})
        </Button>
      )}
    </section>
  );
}

interface CurveProps {
  name: string;
  axis: XAxis;
  history: {
    data: { points: Parameters<typeof summarize>[0]; complete: boolean } | undefined;
    error: unknown;
    refetch: () => unknown;
    isFetching: boolean;
  };
}

function Curve({ name, axis, history }: CurveProps) {
  const { data, error } = history;
  if (data === undefined) {
    return (
      <figure className={classes.curve}>
        <figcaption className={classes.name}>{name}</figcaption>
        {error === null || error === undefined ? (
          <LoadingRows label={`the history of ${name}`} rows={1} height={190} />
        ) : (
          <ErrorState error={error} onRetry={() => void history.refetch()} retrying={history.isFetching} />
        )}
      </figure>
    );
  }
  const { count, min, max, last } = summarize(data.points);
  const says = (value: typeof last) => (value === null ? "–" : metric(value));
  return (
    <figure className={classes.curve}>
      <figcaption>
        <span className={classes.name} title={name}>
          {name}
        </span>
        <span className={classes.facts}>
          {count > 1 && `last ${says(last)} · min ${says(min)} · max ${says(max)} · `}
          {plural(count, "point")}
          {!data.complete && " (the first of more)"}
        </span>
      </figcaption>
      {count > 1 ? (
        <MetricChart
          name={name}
          points={data.points}
          axis={axis}
          label={`${name}: ${plural(count, "point")}, last ${says(last)}, smallest ${says(min)}, largest ${says(max)}`}
        />
      ) : (
        <p className={classes.single}>{count === 1 ? says(last) : "–"}</p>
      )}
    </figure>
  );
}
