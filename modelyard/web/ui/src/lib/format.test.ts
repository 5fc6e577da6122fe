import { bytes, duration, metric, plural, relativeTime, sentence } from "./format";

const now = Date.parse("2026-03-10T12:00:00Z");

test.each([
  ["2026-03-10T11:59:55Z", "just now"],
  ["2026-03-10T11:59:20Z", "40 s ago"],
  ["2026-03-10T11:55:00Z", "5 min ago"],
  ["2026-03-10T09:00:00Z", "3 h ago"],
  ["2026-03-09T11:00:00Z", "1 day ago"],
  ["2026-03-13T12:00:00Z", "in 3 days"],
])("relative time of %s", (at, words) => expect(relativeTime(at, now)).toBe(words));

test.each([
  [null, "–"],
  [0.42, "0.4 s"],
  [59.7, "1 min"],
  [185, "3 min 5 s"],
  [7800, "2 h 10 min"],
  [360_000, "4 d 4 h"],
])("duration of %s", (seconds, words) => expect(duration(seconds)).toBe(words));

test.each([
  [0.123456789, "0.12346"],
  [3, "3"],
  [0, "0"],
  [0.0000012, "1.200e-6"],
  [12_345_678_901, "1.235e+10"],
  ["NaN", "NaN"],
  ["-Infinity", "−∞"],
])("metric %s", (value, words) => expect(metric(value)).toBe(words));

test("sizes, counts and words", () => {
  expect(bytes(512)).toBe("512 B");
  expect(bytes(1536)).toBe("1.5 KiB");
  expect(bytes(50 * 1024 ** 2)).toBe("50 MiB");
  expect(plural(1, "point")).toBe("1 point");
  expect(plural(2, "point")).toBe("2 points");
  expect(sentence("model_version.stage_changed")).toBe("Model version stage changed");
});
