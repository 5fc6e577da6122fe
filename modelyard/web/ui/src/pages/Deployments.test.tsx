import { screen, within, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { renderAt } from "../test/render";
import { json, P, page, problem, PROJECT, stubFetch } from "../test/server";

const DEPLOYMENT = {
  id: "d1",
  name: "risk",
  model: "risk",
  version: 3,
  target: "local_process",
  desired_status: "running",
  status: "ready",
  message: "",
  revision: 1,
  replicas: 1,
  ready_replicas: 1,
  address: "http://localhost:5000/serve/acme/churn/risk",
  replica_states: [{ revision: 1, index: 0, state: "ready", address: "127.0.0.1:4001", message: "" }],
  created_at: "2026-01-01T00:00:00Z",
  updated_at: "2026-01-01T00:00:00Z",
};

function stub(more: Parameters<typeof stubFetch>[0] = {}) {
  return stubFetch({
    [`GET ${P}`]: () => json(PROJECT),
    [`GET ${P}/models`]: () => page([{ id: "m", name: "risk", stages: {}, aliases: {} }]),
    [`GET ${P}/models/risk/versions`]: () => page([{ version: 3, stage: "None", aliases: [] }]),
    [`GET ${P}/connections`]: () => page([]),
    [`GET ${P}/deployments`]: () => page([DEPLOYMENT]),
    ...more,
  });
}

test("deleting needs the name", async () => {
  const calls = stub({ [`DELETE ${P}/deployments/risk`]: () => new Response(null, { status: 202 }) });
  renderAt("/acme/churn/deployments");
  const user = userEvent.setup();
  await user.click(await screen.findByRole("button", { name: "Delete risk" }));
  const dialog = await screen.findByRole("dialog");
  const confirm = within(dialog).getByRole("button", { name: "Delete deployment" });
  expect(confirm).toBeDisabled();
  await user.type(within(dialog).getByRole("textbox"), "risk");
  await user.click(confirm);
  await waitFor(() => expect(calls.some((call) => call.method === "DELETE")).toBe(true));
  await waitFor(() => expect(screen.queryByRole("dialog")).not.toBeInTheDocument());
});

test("a prediction is checked, sent, and shown with its time", async () => {
  const calls = stub({
    "POST /serve/acme/churn/risk/invocations": (call) =>
      JSON.stringify(call.body) === "{}"
        ? problem(503, "No replica is ready.")
        : json({ predictions: [0.5] }),
  });
  renderAt("/acme/churn/deployments");
  const user = userEvent.setup();
  const toggle = await screen.findByRole("button", { name: "Try a prediction" });
  await user.click(toggle);
  expect(toggle).toHaveAttribute("aria-expanded", "true");
  const input = screen.getByLabelText("Input");
  await user.click(input);
  await user.paste("{broken");
  await user.click(screen.getByRole("button", { name: "Predict" }));
  expect(await screen.findByText(/Not JSON/)).toBeInTheDocument();
  expect(calls.some((call) => call.path.startsWith("/serve/"))).toBe(false);

  await user.clear(input);
  await user.paste("{}");
  await user.click(screen.getByRole("button", { name: "Predict" }));
  expect(await screen.findByRole("alert")).toHaveTextContent("No replica is ready.");

  await user.clear(input);
  await user.paste('{"inputs": [1]}');
  await user.click(screen.getByRole("button", { name: "Predict" }));
  expect(await screen.findByLabelText("The answer")).toHaveTextContent("0.5");
  expect(screen.getByText(/Answered 200 in \d+ ms/)).toBeInTheDocument();
});

test("a deployment is made of the first model and version", async () => {
  const calls = stub({ [`POST ${P}/deployments`]: () => json(DEPLOYMENT, 201) });
  renderAt("/acme/churn/deployments");
  const user = userEvent.setup();
  await user.click(await screen.findByRole("button", { name: "New deployment" }));
  const dialog = await screen.findByRole("dialog");
  await waitFor(() => expect(within(dialog).getByLabelText(/Version/)).toHaveValue("3"));
  await user.click(within(dialog).getByRole("button", { name: "Create deployment" }));
  await waitFor(() =>
    expect(calls.find((call) => call.method === "POST")?.body).toEqual({
      name: "risk",
      model: "risk",
      version: "3",
      target: "local_process",
      replicas: 1,
    }),
  );
});
