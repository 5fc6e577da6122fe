import {
  automaticColumns,
  availableColumns,
  formatOrder,
  nextOrder,
  parseColumnId,
  parseOrder,
} from "./columns";

const runs: { params: Record<string, string>; metrics: Record<string, number> }[] = [
  { params: { depth: "3", seed: "1" }, metrics: { auc: 0.9, "system/cpu": 1, loss: 0.1 } },
  { params: { depth: "4", seed: "1" }, metrics: { auc: 0.8, "system/cpu": 2 } },
];

test("the frequent come first, and the machine's metrics are not chosen by themselves", () => {
  expect(availableColumns(runs).map((column) => column.id)).toEqual([
    "metrics.auc",
    "metrics.system/cpu",
    "metrics.loss",
    "params.depth",
    "params.seed",
  ]);
  expect(automaticColumns(runs)).toEqual(["metrics.auc", "metrics.loss", "params.depth"]);
  expect(automaticColumns(runs.slice(0, 1))).toContain("params.seed");
  expect(automaticColumns([])).toEqual([]);
});

test.each([
  ["metrics.accuracy", "metrics.accuracy DESC"],
  ["metrics.val/loss", "metrics.`val/loss` DESC"],
  ["attributes.start_time", "attributes.start_time DESC"],
])("%s is ordered by %s, and read back", (column, text) => {
  expect(formatOrder({ column, direction: "DESC" })).toBe(text);
  expect(parseOrder(text)).toEqual({ column, direction: "DESC" });
});

test("what is no order is none", () => {
  expect(parseOrder(null)).toBeNull();
  expect(parseOrder("drop table")).toBeNull();
  expect(parseColumnId("tags.x")).toBeNull();
  expect(parseColumnId("params.a.b")).toEqual({ id: "params.a.b", kind: "params", key: "a.b" });
});

test("a heading goes highest, lowest, off", () => {
  const first = nextOrder(null, "metrics.auc");
  expect(first?.direction).toBe("DESC");
  const second = nextOrder(first, "metrics.auc");
  expect(second?.direction).toBe("ASC");
  expect(nextOrder(second, "metrics.auc")).toBeNull();
  expect(nextOrder(second, "metrics.loss")).toEqual({ column: "metrics.loss", direction: "DESC" });
});
