import { screen, within } from "@testing-library/react";
import { renderAt } from "../test/render";
import { json, stubFetch } from "../test/server";

const PLUGIN = {
  name: "webhook",
  distribution: "modelyard",
  version: "0.1.0",
  state: "loaded",
  error: null,
  hint: null,
  providers: [{ kind: "notifier", name: "webhook", title: "Webhook", capabilities: ["local"] }],
  moments: ["stage_changed"],
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
