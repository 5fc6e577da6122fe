import { changes, thing } from "./events";
import { cellText, crumbs, imageType, previewKind, prettyJson, tableOf } from "./preview";
import { readFieldErrors } from "./problem";
import { mayEdit } from "./roles";
import { summarize, toSeries } from "./series";
import { isSlug, slugProblem, suggestSlug } from "./slug";
import { isLive, statusLook } from "./status";
import { isStringList, readStored, writeStored } from "./storage";

test.each([
  ["Fraud Détection (EU)", "fraud-detection-eu"],
  ["  --A__b  ", "a-b"],
  ["Straße", "strasse"],
  ["日本", ""],
  ["x".repeat(62) + " yz", "x".repeat(62)],
])("the slug for %s", (name, slug) => {
  expect(suggestSlug(name)).toBe(slug);
  if (slug !== "") expect(isSlug(slug)).toBe(true);
});

test("slugs are refused with words", () => {
  expect(slugProblem("a-b1")).toBeNull();
  expect(slugProblem("")).toMatch(/short name/);
  expect(slugProblem("a--b")).toMatch(/hyphens/);
  expect(slugProblem("a".repeat(64))).toMatch(/63/);
});

test("field errors in every shape", () => {
  expect(readFieldErrors({ slug: ["Taken."] })).toEqual({ slug: "Taken." });
  expect(readFieldErrors({ json: { scopes: { 0: ["Must be one of: read."] } } })).toEqual({
    "scopes.0": "Must be one of: read.",
  });
  expect(readFieldErrors([{ field: "json.name", message: "Too long." }])).toEqual({ name: "Too long." });
  expect(readFieldErrors(null)).toEqual({});
});

test("series have gaps for NaN and one value a step", () => {
  const points = [
    { step: 2, timestamp: "2026-01-01T00:00:02Z", value: 0.5 },
    { step: 1, timestamp: "2026-01-01T00:00:01Z", value: "NaN" },
    { step: 2, timestamp: "2026-01-01T00:00:03Z", value: 0.7 },
  ];
  expect(toSeries(points, "step")).toEqual([
    [1, 2],
    [null, 0.7],
  ]);
  expect(toSeries(points, "time")[0]).toEqual([1767225601, 1767225602, 1767225603]);
  expect(summarize(points)).toEqual({ count: 3, min: 0.5, max: 0.7, last: 0.7 });
});

test("previews go by name and size", () => {
  expect(previewKind("a/plot.PNG", 100)).toBe("image");
  expect(previewKind("report.json", 100)).toBe("json");
  expect(previewKind("model/MLmodel", 100)).toBe("text");
  expect(previewKind("big.csv", 300 * 1024)).toBe("none");
  expect(previewKind("model.pkl", 10)).toBe("none");
  expect(imageType("x.svg")).toBe("image/svg+xml");
  expect(prettyJson('{"a":1}')).toBe('{\n  "a": 1\n}');
  expect(prettyJson("{a")).toBe("{a");
  expect(crumbs("a/b")).toEqual([
    { name: "a", path: "a" },
    { name: "b", path: "a/b" },
  ]);
});

test("events tell what changed only", () => {
  expect(changes({ stage: "Staging", name: "x" }, { stage: "Production", name: "x" })).toEqual([
    { field: "stage", from: "Staging", to: "Production" },
  ]);
  expect(changes(null, { replicas: 2 })).toEqual([{ field: "replicas", from: null, to: "2" }]);
});

test("statuses and roles that are not known yet still show", () => {
  expect(statusLook("RUNNING").label).toBe("Running");
  expect(statusLook("half_open")).toEqual({ label: "Half open", tone: "quiet" });
  expect(isLive("SCHEDULED")).toBe(true);
  expect(isLive("FINISHED")).toBe(false);
  expect(mayEdit("viewer")).toBe(false);
  expect(mayEdit("editor")).toBe(true);
});

test("what is stored is checked when it is read", () => {
  writeStored("k", ["a"]);
  expect(readStored("k", isStringList)).toEqual(["a"]);
  window.localStorage.setItem("k", "{broken");
  expect(readStored("k", isStringList)).toBeNull();
  writeStored("k", null);
  expect(window.localStorage.getItem("k")).toBeNull();
});

test("a change from something to nothing is told, one from nothing to nothing is not", () => {
  expect(changes({ labels: ["a"] }, { labels: [] })).toEqual([{ field: "labels", from: "a", to: "none" }]);
  expect(changes({}, { environment: {}, note: "" })).toEqual([]);
});

test.each([
  ["run", "ab12", "owl", "owl", "/acme/churn/runs/ab12"],
  ["model", "x", "a/b", "a/b", "/acme/churn/models/a%2Fb"],
  ["model_version", "x", "a/b/3", "a/b v3", "/acme/churn/models/a%2Fb"],
  ["deployment", "x", "live", "live", "/acme/churn/deployments"],
  ["connection", "x", "hook", "hook", null],
])("an event about a %s", (kind, id, name, called, to) => {
  expect(thing({ kind, id, name }, "acme", "churn")).toEqual({ name: called, to });
});

test("a table is only what mlflow.log_table writes", () => {
  expect(tableOf('{"columns": ["a", 1], "data": [[1, null]]}')).toEqual({
    columns: ["a", "1"],
    rows: [[1, null]],
  });
  for (const other of [
    "",
    "null",
    "[]",
    "{}",
    '{"columns": ["a"], "data": [[1, 2]]}',
    '{"columns": [], "data": []}',
  ]) {
    expect(tableOf(other)).toBeNull();
  }
  expect([1, "a", null, { b: [2] }].map(cellText)).toEqual(["1", "a", "", '{"b":[2]}']);
});
