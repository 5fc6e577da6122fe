import "uplot/dist/uPlot.min.css";
import { useComputedColorScheme } from "@mantine/core";
import { useEffect, useMemo, useRef, useState } from "react";
import uPlot from "uplot";
import { metric } from "../lib/format";
import { type Point, toSeries, type XAxis } from "../lib/series";
import classes from "./MetricChart.module.css";

const HEIGHT = 190;
const FEW = 60;

interface MetricChartProps {
  name: string;
  points: readonly Point[];
  axis: XAxis;
  label: string;
}

interface Reading {
  x: number;
  y: number | null;
}

export function MetricChart({ name, points, axis, label }: MetricChartProps) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const scheme = useComputedColorScheme("light");
  const [reading, setReading] = useState<Reading | null>(null);
  const data = useMemo(() => toSeries(points, axis), [points, axis]);
  const latest = useRef(data);

  useEffect(() => {
    const node = box.current;
    if (node === null) return;
    const made = new uPlot(options(node, name, axis, setReading), latest.current, node);
    plot.current = made;
    const observer = new ResizeObserver(() => made.setSize({ width: node.clientWidth, height: HEIGHT }));
    observer.observe(node);
    return () => {
      observer.disconnect();
      made.destroy();
      plot.current = null;
    };
    // The colours are read from the page when it is drawn: another scheme draws it anew.
  }, [name, axis, scheme]);

  useEffect(() => {
    latest.current = data;
    plot.current?.setData(data);
  }, [data]);

  return (
    <div className={classes.chart}>
      <div ref={box} role="img" aria-label={label} />
      <div className={classes.reading} aria-hidden="true">
        {reading !== null &&
          `${axis === "step" ? `step ${reading.x}` : new Date(reading.x * 1000).toLocaleTimeString()}: ${
            reading.y === null ? "no finite value" : metric(reading.y)
          }`}
      </div>
    </div>
  );
}

function options(
  node: HTMLElement,
  name: string,
  axis: XAxis,
  onRead: (reading: Reading | null) => void,
): uPlot.Options {
  const style = getComputedStyle(node);
  const colour = (variable: string) => style.getPropertyValue(variable).trim();
  const lines = {
    stroke: colour("--mantine-color-dimmed"),
    grid: { stroke: colour("--my-line"), width: 1 },
    ticks: { stroke: colour("--my-line"), width: 1, size: 4 },
    font: `11px ${colour("--mantine-font-family") || "sans-serif"}`,
  };
  return {
    width: node.clientWidth || 320,
    height: HEIGHT,
    legend: { show: false },
    cursor: { y: false, points: { size: 7 }, drag: { x: true, y: false } },
    scales: { x: { time: axis === "time" } },
    axes: [
      { ...lines, size: 30, space: 60, ...(axis === "step" && { incrs: WHOLE_STEPS }) },
      { ...lines, size: 56, space: 36, values: (_, ticks) => ticks.map((tick) => metric(tick)) },
    ],
    series: [
      {},
      {
        label: name,
        stroke: colour("--my-curve"),
        width: 1.75,
        points: { show: (self) => (self.data[0]?.length ?? 0) <= FEW, size: 5, fill: colour("--my-curve") },
      },
    ],
    hooks: {
      setCursor: [
        (self) => {
          const index = self.cursor.idx;
          const x = typeof index === "number" ? self.data[0][index] : undefined;
          onRead(x === undefined ? null : { x, y: self.data[1]?.[index ?? 0] ?? null });
        },
      ],
    },
  };
}

/** Steps are whole: 1, 2, 5, 10, 20, 50, … */
const WHOLE_STEPS = Array.from({ length: 12 }, (_, power) =>
  [1, 2, 5].map((factor) => factor * 10 ** power),
).flat();
