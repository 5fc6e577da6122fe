import { screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { renderAt } from "../test/render";
import { ANA, type Call, json, P, page, problem, PROJECT, stubFetch } from "../test/server";

const O = "/api/v1/organizations/acme";
const ACME = { id: "o1", slug: "acme", name: "Acme", role: "owner", created_at: "2026-01-01T00:00:00Z" };
const HOOK = {
  id: "c1",
  name: "ops",
  kind: "notifier",
  provider: "webhook",
  settings: { url: "https://ops.example/hook", retries: 5 },
  has_secrets: true,
  secrets: ["token"],
  subscriptions: ["model.*"],
  enabled: true,
  scope: "project",
  managed_by: "api",
  health: null,
  created_at: "2026-01-01T00:00:00Z",
  updated_at: "2026-01-01T00:00:00Z",
};
const PROVIDER = {
  kind: "notifier",
  name: "webhook",
  title: "Webhook",
  plugin: "webhook",
  capabilities: [],
  settings_schema: {
    type: "object",
    properties: {
      retries: { type: "integer", default: 3, minimum: 0, maximum: 9, title: "Retries" },
      token: { type: ["string", "null"], default: null, title: "Token", writeOnly: true, "x-secret": true },
      other: { type: ["string", "null"], default: null, title: "Other", writeOnly: true, "x-secret": true },
      to: { type: "array", items: { type: "string" }, title: "To" },
      level: { type: "string", enum: ["low", "high"], default: "low", title: "Level" },
      verify: { type: "boolean", default: true, title: "Check certificates" },
      proxy: { type: "object", properties: { host: { type: "string" } }, title: "Proxy" },
      url: { type: "string", title: "Address", description: "Gets a POST." },
    },
    required: ["url"],
  },
};
const FILES = {
  ...PROVIDER,
  kind: "storage",
  name: "local_files",
  title: "Local files",
  plugin: "local_files",
  capabilities: ["local", "server_files"],
  settings_schema: { type: "object", properties: {} },
};
const BASE = {
  [`GET ${P}`]: () => json(PROJECT),
  [`GET ${O}`]: () => json(ACME),
  "GET /api/v1/providers": () => json({ items: [PROVIDER, FILES] }),
};
const nobody = () => json({ ...ANA, user: { ...ANA.user, is_instance_admin: false } });
const bodies = (calls: Call[], method: string) =>
  calls.filter((call) => call.method === method).map(({ body }) => body);

test("the list says what each is, how it is and why, and where it comes from", async () => {
  const ill = { ok: false, message: "502 in 9 ms", checked_at: "2026-01-01T00:00:00Z" };
  const shared = {
    ...HOOK,
    id: "c2",
    name: "bucket",
    kind: "storage",
    provider: "s3",
    scope: "organization",
  };
  const declared = { ...HOOK, id: "c3", name: "file", managed_by: "settings", enabled: false };
  stubFetch({ ...BASE, [`GET ${P}/connections`]: () => page([{ ...HOOK, health: ill }, shared, declared]) });
  renderAt("/acme/churn/connections");
  const rows = within(await screen.findByRole("region", { name: /^Connections of/ })).getAllByRole("row");
  expect(rows[1]).toHaveTextContent(/ops.*Does not work.*502 in 9 ms.*Notifier.*Webhook.*Project/);
  expect(rows[2]).toHaveTextContent(/bucket.*Not asked yet.*Storage.*s3.*Organization/);
  expect(rows[3]).toHaveTextContent(/file.*Off.*Settings file, read only/);
  expect(within(rows[1] as HTMLElement).getByRole("link")).toHaveAttribute(
    "href",
    "/acme/churn/connections/c1",
  );
  expect(within(rows[2] as HTMLElement).getByRole("link")).toHaveAttribute("href", "/acme/-/connections/c2");
});

test("an empty list offers the first one to admins", async () => {
  stubFetch({ ...BASE, [`GET ${O}/connections`]: () => page([]) });
  renderAt("/acme/-/connections");
  expect(await screen.findByText("No connections yet")).toBeInTheDocument();
  expect(screen.getByRole("link", { name: "Make the first one" })).toHaveAttribute(
    "href",
    "/acme/-/connections/new",
  );
});

test("a list that cannot be read says so", async () => {
  stubFetch({ ...BASE, [`GET ${P}/connections`]: () => problem(500, "It broke.") });
  renderAt("/acme/churn/connections");
  expect(await screen.findByText("The connections could not be read.")).toBeInTheDocument();
});

test("health is asked on the list", async () => {
  let health: object | null = null;
  stubFetch({
    ...BASE,
    [`GET ${P}/connections`]: () => page([{ ...HOOK, health }]),
    [`GET ${P}/connections/c1/health`]: () => {
      health = { ok: true, message: "", checked_at: "2026-01-01T00:00:00Z" };
      return json({ ...HOOK, health });
    },
  });
  renderAt("/acme/churn/connections");
  await userEvent.click(await screen.findByRole("button", { name: "Check now: ops" }));
  expect(await screen.findByText("Works")).toBeInTheDocument();
});

test("a viewer sees and changes nothing", async () => {
  stubFetch({
    ...BASE,
    [`GET ${P}`]: () => json({ ...PROJECT, role: "viewer" }),
    [`GET ${P}/connections`]: () => page([{ ...HOOK, settings: {}, secrets: [] }]),
    [`GET ${P}/connections/c1`]: () => json({ ...HOOK, settings: {}, secrets: [] }),
  });
  const router = renderAt("/acme/churn/connections");
  expect(await screen.findByRole("link", { name: "ops" })).toBeInTheDocument();
  expect(screen.getByText(/Admins of the project make and change them/)).toBeInTheDocument();
  expect(screen.queryByRole("link", { name: "New connection" })).not.toBeInTheDocument();
  expect(screen.queryByRole("button", { name: /Check now/ })).not.toBeInTheDocument();
  await router.navigate("/acme/churn/connections/c1");
  expect(await screen.findByText("Admins of the project change it.")).toBeInTheDocument();
  expect(screen.getByText("Its settings are shown to admins alone.")).toBeInTheDocument();
  expect(screen.queryByRole("button", { name: "Delete connection" })).not.toBeInTheDocument();
  await router.navigate("/acme/churn/connections/new");
  expect(await screen.findByText("Connections are made by admins")).toBeInTheDocument();
});

test("what reaches the server's files is not offered to others than instance administrators", async () => {
  stubFetch({ ...BASE, "GET /api/v1/session": nobody });
  const router = renderAt("/acme/churn/connections/new");
  expect(await screen.findByRole("link", { name: /Webhook/ })).toBeInTheDocument();
  expect(screen.queryByRole("link", { name: /Local files/ })).not.toBeInTheDocument();
  expect(screen.getByText(/only instance administrators connect it/)).toBeInTheDocument();
  await router.navigate("/acme/churn/connections/new?kind=storage&provider=local_files");
  expect(await screen.findByText(/is connected by instance administrators/)).toBeInTheDocument();
});

test("a connection is made by the schema's form, tried first", async () => {
  const calls = stubFetch({
    ...BASE,
    [`GET ${P}/connections`]: () => page([HOOK]),
    [`POST ${P}/connections/test`]: () => json({ ok: true, message: "200 in 3 ms" }),
    [`POST ${P}/connections`]: () => json(HOOK, 201),
    [`GET ${P}/connections/c1/health`]: () => json(HOOK),
  });
  const router = renderAt("/acme/churn/connections/new");
  const user = userEvent.setup();
  await user.click(await screen.findByRole("link", { name: /Webhook/ }));
  const create = await screen.findByRole("button", { name: "Create connection" });
  await user.click(create);
  expect(screen.getByText("This is needed.")).toBeInTheDocument();
  expect(screen.getByLabelText(/^Name/)).toHaveFocus();
  await user.type(screen.getByLabelText(/^Name/), "ops");
  await user.type(screen.getByLabelText(/^Address/), "https://x");
  expect(screen.getByLabelText(/^Address/)).toHaveAccessibleDescription("Gets a POST.");
  await user.type(screen.getByLabelText("Token"), "hunter2");
  expect(screen.getByLabelText("Token")).toHaveAttribute("type", "password");
  await user.clear(screen.getByLabelText("Retries"));
  await user.type(screen.getByLabelText("Retries"), "5");
  await user.type(screen.getByLabelText("To"), "a{Enter}b");
  await user.selectOptions(screen.getByLabelText("Level"), "high");
  await user.click(screen.getByLabelText("Check certificates"));
  await user.type(within(screen.getByRole("group", { name: "Proxy" })).getByLabelText("Host"), "gate");
  await user.click(screen.getByRole("button", { name: "Test" }));
  expect(await screen.findByText(/200 in 3 ms/)).toBeInTheDocument();
  await user.click(create);
  expect(await screen.findByText("The connection ops is there.")).toBeInTheDocument();
  expect(router.state.location.pathname).toBe("/acme/churn/connections");
  const settings = {
    url: "https://x",
    token: "hunter2",
    retries: 5,
    to: ["a", "b"],
    level: "high",
    verify: false,
    proxy: { host: "gate" },
  };
  const made = { kind: "notifier", provider: "webhook", settings };
  // What has answered well is not tried a second time.
  expect(bodies(calls, "POST")).toEqual([made, { ...made, name: "ops", subscriptions: ["*"] }]);
});

test("what fails its test is saved only if somebody says so", async () => {
  const calls = stubFetch({
    ...BASE,
    [`GET ${P}/connections`]: () => page([HOOK]),
    [`POST ${P}/connections/test`]: () =>
      problem(502, "No route to x.", { code: "plugin_unavailable", hint: "Is it up?" }),
    [`POST ${P}/connections`]: () => json(HOOK, 201),
    [`GET ${P}/connections/c1/health`]: () => json(HOOK),
  });
  renderAt("/acme/churn/connections/new?kind=notifier&provider=webhook");
  const user = userEvent.setup();
  await user.type(await screen.findByLabelText(/^Name/), "ops");
  await user.type(screen.getByLabelText(/^Address/), "https://x");
  await user.click(screen.getByRole("button", { name: "Create connection" }));
  const dialog = within(await screen.findByRole("dialog"));
  expect(dialog.getByText("No route to x. Is it up?")).toBeInTheDocument();
  expect(bodies(calls, "POST")).toHaveLength(1);
  await user.click(dialog.getByRole("button", { name: "Save all the same" }));
  expect(await screen.findByText("The connection ops is there.")).toBeInTheDocument();
});

test("what the server refuses stands at its fields", async () => {
  let taken = false;
  stubFetch({
    ...BASE,
    [`POST ${P}/connections/test`]: () =>
      taken
        ? json({ ok: true, message: "" })
        : problem(422, "Wrong settings.", {
            errors: { "settings.url": ["Not a valid URL."], "settings.proxy.host": ["Unknown host."] },
          }),
    [`POST ${P}/connections`]: () =>
      problem(409, "There is one.", { errors: { name: ["There is an ops already."] } }),
  });
  renderAt("/acme/churn/connections/new?kind=notifier&provider=webhook");
  const user = userEvent.setup();
  await user.type(await screen.findByLabelText(/^Name/), "ops");
  await user.type(screen.getByLabelText(/^Address/), "x");
  await user.click(screen.getByRole("button", { name: "Create connection" }));
  expect(await screen.findByText("Not a valid URL.")).toBeInTheDocument();
  expect(screen.getByText("Unknown host.")).toBeInTheDocument();
  expect(screen.getByLabelText(/^Address/)).toHaveFocus();
  expect(screen.getByLabelText(/^Address/)).toBeInvalid();
  taken = true;
  await user.type(screen.getByLabelText(/^Address/), "y");
  expect(screen.queryByText("Not a valid URL.")).not.toBeInTheDocument();
  expect(screen.getByText("Unknown host.")).toBeInTheDocument();
  await user.click(screen.getByRole("button", { name: "Create connection" }));
  expect(await screen.findByText("There is an ops already.")).toBeInTheDocument();
  expect(screen.getByLabelText(/^Name/)).toHaveFocus();
});

describe("editing", () => {
  const one = `${P}/connections/c1`;
  const EDIT = { ...BASE, [`GET ${one}`]: () => json(HOOK), [`GET ${P}/connections`]: () => page([HOOK]) };

  test("secrets are never shown, kept unless typed, and removed on demand", async () => {
    const calls = stubFetch({
      ...EDIT,
      [`POST ${one}/test`]: () => json({ ok: true, message: "" }),
      [`PATCH ${one}`]: () => json(HOOK),
      [`GET ${one}/health`]: () => json(HOOK),
    });
    renderAt("/acme/churn/connections/c1");
    const user = userEvent.setup();
    const token = await screen.findByLabelText("Token");
    expect(token).toHaveValue("");
    expect(token).toHaveAccessibleDescription("Kept unless you type a new one.");
    expect(screen.getByLabelText("Other")).not.toHaveAccessibleDescription();
    expect(screen.getByLabelText(/^Address/)).toHaveValue("https://ops.example/hook");
    await user.click(screen.getByLabelText("Remove the one that is stored as Token"));
    expect(token).toBeDisabled();
    await user.click(screen.getByRole("button", { name: "Save" }));
    expect(await screen.findByText("The connection ops is saved.")).toBeInTheDocument();
    const settings = { url: "https://ops.example/hook", retries: 5, token: null };
    expect(bodies(calls, "POST")).toEqual([{ settings }]);
    expect(bodies(calls, "PATCH")).toEqual([{ enabled: true, subscriptions: ["model.*"], settings }]);
  });

  test("what is no setting is saved without a test", async () => {
    const calls = stubFetch({
      ...EDIT,
      [`PATCH ${one}`]: () => json(HOOK),
      [`GET ${one}/health`]: () => json(HOOK),
    });
    renderAt("/acme/churn/connections/c1");
    const user = userEvent.setup();
    await user.click(await screen.findByRole("switch", { name: /^In use/ }));
    await user.clear(screen.getByLabelText("Told of"));
    await user.click(screen.getByRole("button", { name: "Save" }));
    expect(await screen.findByText("The connection ops is saved.")).toBeInTheDocument();
    expect(bodies(calls, "POST")).toEqual([]);
    expect(bodies(calls, "PATCH")).toEqual([{ enabled: false, subscriptions: [] }]);
  });

  test("a secret that would go elsewhere is asked for again at its field", async () => {
    const again = "Give it again: url changed, and may decide where it is sent.";
    const calls = stubFetch({
      ...EDIT,
      [`POST ${one}/test`]: () => problem(422, "Give them again.", { errors: { "settings.token": [again] } }),
    });
    renderAt("/acme/churn/connections/c1");
    const user = userEvent.setup();
    const address = await screen.findByLabelText(/^Address/);
    await user.clear(address);
    await user.type(address, "https://evil.example");
    await user.click(screen.getByRole("button", { name: "Save" }));
    expect(await screen.findByText(again)).toBeInTheDocument();
    expect(screen.getByLabelText("Token")).toHaveFocus();
    expect(bodies(calls, "PATCH")).toEqual([]);
  });

  test.each([
    [{ managed_by: "settings" }, /declared in the server’s settings file/],
    [{ scope: "organization" }, /the organization’s/],
    [{ provider: "gone" }, /No plugin that is in use brings the provider/],
  ])("%j is not edited here, and says why", async (difference, reason) => {
    stubFetch({ ...EDIT, [`GET ${one}`]: () => json({ ...HOOK, ...difference }) });
    renderAt("/acme/churn/connections/c1");
    const section = within(await screen.findByRole("region", { name: "Settings" }));
    expect(section.getAllByText(reason).length).toBeGreaterThan(0);
    expect(section.getByText("https://ops.example/hook")).toBeInTheDocument();
    expect(section.getByText("Stored, and never shown")).toBeInTheDocument();
    expect(screen.queryByRole("button", { name: "Save" })).not.toBeInTheDocument();
    const mayDelete = "provider" in difference;
    expect(screen.queryAllByRole("button", { name: "Delete connection" })).toHaveLength(mayDelete ? 1 : 0);
  });

  test("deleting asks for the name", async () => {
    const calls = stubFetch({
      ...EDIT,
      [`DELETE ${one}`]: () => new Response(null, { status: 204 }),
    });
    const router = renderAt("/acme/churn/connections/c1");
    const user = userEvent.setup();
    await user.click(await screen.findByRole("button", { name: "Delete connection" }));
    const dialog = within(await screen.findByRole("dialog"));
    await user.type(dialog.getByLabelText(/Type/), "ops");
    await user.click(dialog.getByRole("button", { name: "Delete the connection" }));
    expect(await screen.findByText("The connection ops is deleted.")).toBeInTheDocument();
    expect(router.state.location.pathname).toBe("/acme/churn/connections");
    expect(calls.filter(({ method }) => method === "DELETE")).toHaveLength(1);
  });
});

test("a project chooses its storage before it has artifacts", async () => {
  let refused = true;
  const shelf = { ...HOOK, id: "c9", name: "shelf", kind: "storage", provider: "local_files" };
  const calls = stubFetch({
    ...BASE,
    [`GET ${P}`]: () => json({ ...PROJECT, storage_connection_id: refused ? null : "c9" }),
    [`GET ${P}/connections`]: () => page([HOOK, shelf]),
    [`PATCH ${P}`]: () => (refused ? problem(409, "It has artifacts.") : json(PROJECT)),
  });
  renderAt("/acme/churn/settings");
  const select = await screen.findByLabelText("Keeps the artifacts");
  const user = userEvent.setup();
  expect(screen.getByRole("button", { name: "Use this storage" })).toBeDisabled();
  await screen.findByRole("option", { name: "shelf (local_files)" });
  await user.selectOptions(select, "c9");
  await user.click(screen.getByRole("button", { name: "Use this storage" }));
  expect(await screen.findByText("It has artifacts.")).toBeInTheDocument();
  refused = false;
  await user.click(screen.getByRole("button", { name: "Use this storage" }));
  expect(await screen.findByText("The storage is chosen.")).toBeInTheDocument();
  expect(bodies(calls, "PATCH")).toEqual([{ storage_connection_id: "c9" }, { storage_connection_id: "c9" }]);
});
