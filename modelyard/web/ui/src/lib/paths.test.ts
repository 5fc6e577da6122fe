import { absolute, paths, safeNext, signInPath } from "./paths";

test.each([
  ["/acme/churn/runs?filter=a#x", "/acme/churn/runs?filter=a#x"],
  [null, "/"],
  ["", "/"],
  ["https://evil.example/", "/"],
  ["//evil.example/", "/"],
  ["/\\evil.example/", "/"],
  ["/\t/evil.example/", "/"],
  ["/.//evil.example", "/"],
  ["javascript:alert(1)", "/"],
  ["/sign-in?next=/x", "/"],
])("next=%s leads to %s", (next, path) => expect(safeNext(next)).toBe(path));

test("addresses are encoded", () => {
  expect(paths.model("acme", "churn", "a/b c")).toBe("/acme/churn/models/a%2Fb%20c");
  expect(signInPath("/acme?x=1")).toBe("/sign-in?next=%2Facme%3Fx%3D1");
  expect(signInPath("/")).toBe("/sign-in");
  expect(absolute("/serve/x", "http://h")).toBe("http://h/serve/x");
  expect(absolute("http://o/serve/x", "http://h")).toBe("http://o/serve/x");
});
