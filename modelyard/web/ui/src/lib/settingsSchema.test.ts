import {
  fieldsOf,
  initialValues,
  keyOf,
  problemsOf,
  settingErrors,
  settingsOf,
  type FormValues,
} from "./settingsSchema";

const SCHEMA = {
  type: "object",
  properties: {
    channel: { type: ["string", "null"], default: null, maxLength: 8 },
    url: { type: "string", format: "url", title: "Address", description: "Where to post." },
    token: { type: ["string", "null"], default: null, writeOnly: true, "x-secret": true },
    pin: { type: "string", default: "", writeOnly: true, "x-secret": true },
    key: { type: "string", writeOnly: true, "x-secret": true },
    port: { type: "integer", default: 587, minimum: 1, maximum: 65_535 },
    share: { type: "number", exclusiveMinimum: 0, exclusiveMaximum: 1 },
    style: { type: "string", default: "plain", enum: ["plain", "rich"] },
    retries: { type: ["integer", "null"], enum: [1, 2, null] },
    verify: { type: "boolean", default: true },
    loud: { type: "boolean" },
    to: { type: "array", items: { type: "string", format: "email" }, minItems: 2, maxItems: 3 },
    days: { type: "array", items: { type: "string", enum: ["mon", "tue"] } },
    certificate: { type: "string", maxLength: 100_000 },
    header: { type: "string", default: "Authorization" },
    proxy: {
      type: ["object", "null"],
      properties: { host: { type: "string" }, port: { type: "integer", default: 8080 } },
      required: ["host"],
    },
    labels: { type: "object", additionalProperties: { type: "string" } },
    odd: {},
  },
  required: ["url"],
};
const FIELDS = fieldsOf(SCHEMA);
const field = (key: string) => FIELDS.find((candidate) => keyOf(candidate) === key);
const begun = (stored = {}): FormValues => initialValues(FIELDS, stored);
const NEW = { ...begun(), url: "https://x" };

test("every kind of property has its field, the required ones first", () => {
  expect(FIELDS.map((found) => [keyOf(found), found.kind])).toEqual([
    ["url", "text"],
    ["channel", "text"],
    ["token", "text"],
    ["pin", "text"],
    ["key", "text"],
    ["port", "number"],
    ["share", "number"],
    ["style", "choice"],
    ["retries", "choice"],
    ["verify", "truth"],
    ["loud", "truth"],
    ["to", "lines"],
    ["days", "choices"],
    ["certificate", "paragraph"],
    ["header", "text"],
    ["proxy", "group"],
    ["labels", "json"],
    ["odd", "json"],
  ]);
  expect(field("url")).toMatchObject({ label: "Address", help: "Where to post.", required: true });
  expect(field("channel")).toMatchObject({ label: "Channel", nullable: true, secret: false });
  expect(field("retries")).toMatchObject({ choices: [1, 2], nullable: true });
  expect(field("proxy")?.fields.map(keyOf)).toEqual(["proxy.host", "proxy.port"]);
});

test("fields stand as their author has put them", () => {
  const properties = { a: {}, b: {}, c: {}, d: {} };
  const fields = fieldsOf({ properties, required: ["d"], "x-order": ["c", "a", "d"] });
  expect(fields.map(keyOf)).toEqual(["d", "c", "a", "b"]);
});

test("a schema that says nothing gives no field", () => {
  expect(fieldsOf({ type: "object", additionalProperties: false })).toEqual([]);
});

test("defaults are shown and not sent", () => {
  expect(NEW).toMatchObject({ port: 587, style: '"plain"', verify: true, header: "Authorization" });
  expect(settingsOf(FIELDS, NEW)).toEqual({ url: "https://x" });
});

test("what is typed is sent as what it is", () => {
  const values: FormValues = {
    ...NEW,
    channel: "#ops",
    token: "s3",
    port: "25",
    share: 0.5,
    style: '"rich"',
    retries: "2",
    verify: false,
    loud: true,
    to: " a@x.org \n\nb@x.org",
    days: ['"tue"'],
    proxy: { host: "gate", port: 8080 },
    labels: '{"team": "growth"}',
    odd: "[1, null]",
  };
  expect(settingsOf(FIELDS, values)).toEqual({
    url: "https://x",
    channel: "#ops",
    token: "s3",
    port: 25,
    share: 0.5,
    style: "rich",
    retries: 2,
    verify: false,
    loud: true,
    to: ["a@x.org", "b@x.org"],
    days: ["tue"],
    proxy: { host: "gate" },
    labels: { team: "growth" },
    odd: [1, null],
  });
  expect(problemsOf(FIELDS, values)).toEqual({});
});

test("what is stored comes back, but no secret", () => {
  const stored = {
    url: "https://y",
    port: 587,
    retries: 1,
    to: ["a@x.org", "b@x.org"],
    proxy: { host: "gate", port: 1 },
    labels: { a: "b" },
    token: "hunter2",
  };
  const values = begun(stored);
  expect(JSON.stringify(values)).not.toContain("hunter2");
  const { token, ...rest } = stored;
  expect(token).toBe("hunter2");
  expect(settingsOf(FIELDS, values, stored)).toEqual(rest);
});

test("emptied fields say so where leaving them out would bring the default back", () => {
  const nullable = fieldsOf({ properties: { a: { type: ["integer", "null"], default: 5 } } });
  expect(settingsOf(nullable, { a: "" }, { a: 7 })).toEqual({ a: null });
  expect(settingsOf(FIELDS, { ...NEW, header: "" })).toMatchObject({ header: "" });
  expect(settingsOf(FIELDS, { ...NEW, channel: "", port: "" }, { channel: "#ops", port: 5 })).toEqual({
    url: "https://x",
  });
});

test("a secret is removed by what its schema takes for none", () => {
  const removed = new Set(["token", "pin", "key"]);
  expect(settingsOf(FIELDS, NEW, {}, removed)).toEqual({ url: "https://x", token: null, pin: "" });
});

test.each([
  [{ url: "" }, "url", "This is needed."],
  [{ channel: "#far-too-long" }, "channel", "At most 8 characters."],
  [{ port: 0 }, "port", "At least 1."],
  [{ port: 70_000 }, "port", "At most 65535."],
  [{ port: 1.5 }, "port", "A whole number."],
  [{ port: "-" }, "port", "This is no number."],
  [{ share: 0 }, "share", "More than 0."],
  [{ share: 1 }, "share", "Less than 1."],
  [{ to: "a@x.org" }, "to", "At least 2."],
  [{ to: "a\nb\nc\nd" }, "to", "At most 3."],
  [{ proxy: { host: "", port: 5 } }, "proxy.host", "This is needed."],
])("%j is refused at %s", (wrong, key, message) => {
  expect(problemsOf(FIELDS, { ...NEW, ...wrong })).toEqual({ [key]: message });
});

test("what is not JSON is said to be none", () => {
  expect(problemsOf(FIELDS, { ...NEW, labels: "{team}" }).labels).toMatch(/^This is not JSON: /);
});

test("a required secret may be left out where one is kept", () => {
  const fields = fieldsOf({ properties: { key: { type: "string", writeOnly: true } }, required: ["key"] });
  expect(problemsOf(fields, { key: "" })).toEqual({ key: "This is needed." });
  expect(problemsOf(fields, { key: "" }, new Set(["key"]))).toEqual({});
});

test("the server's complaints find their fields", () => {
  const errors = {
    name: "Taken.",
    "settings.to.1": "Not a valid email address.",
    "settings.to.2": "Nor is this.",
    "settings.proxy.host": "Unknown.",
    "settings.labels.team": "Not a string.",
    "settings.gone": "Unknown field.",
  };
  expect(settingErrors(FIELDS, errors)).toEqual({
    to: "Line 2: Not a valid email address. Line 3: Nor is this.",
    "proxy.host": "Unknown.",
    labels: "team: Not a string.",
  });
});
