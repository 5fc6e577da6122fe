import { screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { renderAt } from "../test/render";
import { ANA, json, problem, stubFetch } from "../test/server";

const PLUGIN = {
  name: "webhook",
  distribution: "modelyard",
  version: "0.1.0",
  state: "loaded",
  error: null,
  hint: null,
  providers: [{ kind: "notifier", name: "webhook", title: "Webhook", capabilities: ["local"] }],
  moments: ["stage_changed"],
  hold: null,
};
const BROKEN = {
  ...PLUGIN,
  name: "zebra",
  distribution: "modelyard-zebra",
  state: "failed",
  error: "ModuleNotFoundError: No module named 'stripes'",
  hint: "pip install stripes, then restart the server.",
  providers: [],
  moments: [],
};

test("a plugin that failed stands first, with its error and what to do", async () => {
  stubFetch({ "GET /api/v1/plugins": () => json({ items: [PLUGIN, BROKEN] }) });
  renderAt("/plugins");
  const [first, second] = await screen.findAllByRole("article");
  expect(first).toHaveAccessibleName("zebra");
  expect(first).toHaveTextContent("Failed");
  expect(first).toHaveTextContent("No module named 'stripes'");
  expect(first).toHaveTextContent("pip install stripes");
  const loaded = within(second as HTMLElement);
  expect(loaded.getByText("Loaded")).toBeInTheDocument();
  expect(loaded.getByText("modelyard 0.1.0")).toBeInTheDocument();
  expect(loaded.getByText("Webhook")).toBeInTheDocument();
  expect(loaded.getByText("Local")).toBeInTheDocument();
  expect(loaded.getByText("stage changed")).toBeInTheDocument();
  expect(screen.getByText("2 plugins")).toBeInTheDocument();
});

test("no plugin at all says how to mend the installation", async () => {
  stubFetch({ "GET /api/v1/plugins": () => json({ items: [] }) });
  renderAt("/plugins");
  expect(await screen.findByText("No plugin is installed")).toBeInTheDocument();
  expect(screen.getByLabelText("the command that installs Modelyard")).toHaveTextContent("pip install");
});

const HOLD = { reason: "It leaks.", by: "ana", since: "2026-01-01T00:00:00Z", until: null };
const API = "/api/v1/plugins";

test("an administrator blocks a plugin with a reason, forces it where all projects use it, and unblocks it", async () => {
  let hold: typeof HOLD | null = null;
  const calls = stubFetch({
    [`GET ${API}`]: () => json({ items: [{ ...PLUGIN, hold }] }),
    [`POST ${API}/webhook/block`]: ({ body }) => {
      if (!(body as { force: boolean }).force)
        return problem(409, "All projects use it.", { code: "conflict" });
      hold = HOLD;
      return json({ ...PLUGIN, hold });
    },
    [`DELETE ${API}/webhook/block`]: () => {
      hold = null;
      return new Response(null, { status: 204 });
    },
  });
  renderAt("/plugins");
  const user = userEvent.setup();
  await user.click(await screen.findByRole("button", { name: "Block webhook" }));
  const dialog = within(await screen.findByRole("dialog"));
  await user.click(dialog.getByRole("button", { name: "Block the plugin" }));
  expect(dialog.getByText("Say why, for whoever asks.")).toBeInTheDocument();
  await user.type(dialog.getByLabelText(/Reason/), "It leaks.");
  await user.click(dialog.getByRole("button", { name: "Block the plugin" }));
  expect(await dialog.findByText("All projects use it.")).toBeInTheDocument();
  await user.click(dialog.getByLabelText("Block it although all projects use it"));
  await user.click(dialog.getByRole("button", { name: "Block the plugin" }));
  expect(await screen.findByText(/It is not called: It leaks/)).toBeInTheDocument();
  expect(screen.getByText("Blocked")).toBeInTheDocument();
  await user.click(screen.getByRole("button", { name: "Unblock webhook" }));
  expect(await screen.findByRole("button", { name: "Block webhook" })).toBeInTheDocument();
  expect(calls.filter(({ method }) => method === "POST").map(({ body }) => body)).toEqual([
    { reason: "It leaks.", force: false },
    { reason: "It leaks.", force: true },
  ]);
});

test("what was seen of a plugin is asked for when it is opened", async () => {
  const failure = {
    at: "2026-01-01T00:00:00Z",
    operation: "send",
    connection: null,
    code: "plugin_failed",
    error: "KeyError: 'channel'",
  };
  const breaker = {
    connection: "c1",
    state: "open",
    opened_at: "2026-01-01T00:00:00Z",
    trial_in_seconds: 4.2,
    reason: "no route",
  };
  const calls = stubFetch({
    [`GET ${API}`]: () => json({ items: [PLUGIN] }),
    [`GET ${API}/webhook`]: () =>
      json({
        ...PLUGIN,
        calls: [{ operation: "send", outcome: "ok", count: 41 }],
        last_failures: [failure],
        breakers: [breaker],
        lost_threads: 2,
      }),
  });
  renderAt("/plugins");
  const summary = await screen.findByText("What was seen");
  expect(calls.some(({ path }) => path === `${API}/webhook`)).toBe(false);
  await userEvent.click(summary);
  const counts = await screen.findByRole("region", { name: "Calls of webhook" });
  expect(counts).toHaveTextContent(/send.*Went well.*41/);
  expect(screen.getByRole("region", { name: "Last failures of webhook" })).toHaveTextContent("KeyError");
  expect(screen.getByText(/is left alone since/)).toHaveTextContent("The next trial is in 5 s.");
  expect(screen.getByText("2 threads hang in it.")).toBeInTheDocument();
});

test("whoever is no instance administrator looks and changes nothing", async () => {
  stubFetch({
    "GET /api/v1/session": () => json({ ...ANA, user: { ...ANA.user, is_instance_admin: false } }),
    [`GET ${API}`]: () => json({ items: [{ ...PLUGIN, hold: HOLD }] }),
  });
  renderAt("/plugins");
  expect(await screen.findByText(/It leaks/)).toBeInTheDocument();
  expect(screen.queryByRole("button", { name: /Unblock/ })).not.toBeInTheDocument();
  expect(screen.queryByText("What was seen")).not.toBeInTheDocument();
});
