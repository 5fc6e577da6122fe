import type { MetricValue } from "./format";

export interface Point {
  step: number;
  timestamp: string | number;
  value: MetricValue;
}

export type XAxis = "step" | "time";

/** uPlot's form: x ascending and unique, y with gaps where a value is no finite number. The last value of a step wins. */
export function toSeries(points: readonly Point[], axis: XAxis): [number[], (number | null)[]] {
  const byX = new Map<number, number | null>();
  for (const point of points) {
    const x = axis === "step" ? point.step : new Date(point.timestamp).getTime() / 1000;
    byX.set(x, typeof point.value === "number" && Number.isFinite(point.value) ? point.value : null);
  }
  const xs = [...byX.keys()].sort((a, b) => a - b);
  return [xs, xs.map((x) => byX.get(x) ?? null)];
}

export interface Summary {
  count: number;
  min: number | null;
  max: number | null;
  last: MetricValue | null;
}

export function summarize(points: readonly Point[]): Summary {
  let min: number | null = null;
  let max: number | null = null;
  for (const { value } of points) {
    if (typeof value !== "number" || !Number.isFinite(value)) continue;
    if (min === null || value < min) min = value;
    if (max === null || value > max) max = value;
  }
  return { count: points.length, min, max, last: points.at(-1)?.value ?? null };
}
