import type { MetricValue } from "./format";

interface RunLike {
  params: Record<string, string>;
  metrics: Record<string, MetricValue>;
}

/** A column of the runs table that comes from the runs themselves: `metrics.accuracy`, `params.alpha`. */
export interface DataColumn {
  id: string;
  kind: "metrics" | "params";
  key: string;
}

export function dataColumn(kind: DataColumn["kind"], key: string): DataColumn {
  return { id: `${kind}.${key}`, kind, key };
}

export function parseColumnId(id: string): DataColumn | null {
  const kind = id.startsWith("metrics.") ? "metrics" : id.startsWith("params.") ? "params" : null;
  return kind === null ? null : { id, kind, key: id.slice(kind.length + 1) };
}

function byFrequency(counts: Map<string, number>): string[] {
  return [...counts.entries()].sort((a, b) => b[1] - a[1] || a[0].localeCompare(b[0])).map(([key]) => key);
}

/** Every metric and param that these runs have, the most frequent first. */
export function availableColumns(runs: readonly RunLike[]): DataColumn[] {
  const metrics = new Map<string, number>();
  const params = new Map<string, number>();
  for (const run of runs) {
    for (const key of Object.keys(run.metrics)) metrics.set(key, (metrics.get(key) ?? 0) + 1);
    for (const key of Object.keys(run.params)) params.set(key, (params.get(key) ?? 0) + 1);
  }
  return [
    ...byFrequency(metrics).map((key) => dataColumn("metrics", key)),
    ...byFrequency(params).map((key) => dataColumn("params", key)),
  ];
}

/**
 * The columns to begin with: the most frequent metrics without those of the machine (`system/...`), and the params
 * that tell runs apart (all of them, where none does).
 */
export function automaticColumns(runs: readonly RunLike[], maxMetrics = 3, maxParams = 3): string[] {
  const all = availableColumns(runs);
  const metrics = all.filter((column) => column.kind === "metrics" && !column.key.startsWith("system/"));
  const varies = (key: string) => new Set(runs.map((run) => run.params[key])).size > 1;
  const params = all.filter((column) => column.kind === "params");
  const telling = params.filter((column) => varies(column.key));
  const chosen = telling.length > 0 ? telling : params;
  return [...metrics.slice(0, maxMetrics), ...chosen.slice(0, maxParams)].map((column) => column.id);
}

export interface Order {
  column: string;
  direction: "ASC" | "DESC";
}

/** MLflow's form: metrics.accuracy DESC; a key that is no plain word stands in backticks. */
export function formatOrder(order: Order): string {
  const dot = order.column.indexOf(".");
  const kind = order.column.slice(0, dot);
  const key = order.column.slice(dot + 1);
  const plain = /^[A-Za-z_]\w*$/.test(key);
  return `${kind}.${plain ? key : `\`${key}\``} ${order.direction}`;
}

export function parseOrder(text: string | null): Order | null {
  const match = /^(attributes|metrics|params)\.(?:`([^`]+)`|(.+?))\s+(ASC|DESC)$/i.exec(text?.trim() ?? "");
  if (match === null) return null;
  return {
    column: `${match[1]?.toLowerCase()}.${match[2] ?? match[3]}`,
    direction: match[4]?.toUpperCase() === "ASC" ? "ASC" : "DESC",
  };
}

/** A click on a heading: first the highest on top, then the lowest, then the server's own order again. */
export function nextOrder(current: Order | null, column: string): Order | null {
  if (current?.column !== column) return { column, direction: "DESC" };
  return current.direction === "DESC" ? { column, direction: "ASC" } : null;
}
