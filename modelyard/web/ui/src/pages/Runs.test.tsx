import { screen, within, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { renderAt } from "../test/render";
import { type Call, json, P, page, problem, PROJECT, stubFetch } from "../test/server";

function run(number: number) {
  return {
    id: `${number}`.padStart(32, "0"),
    name: `run-${number}`,
    status: number === 1 ? "RUNNING" : "FINISHED",
    experiment: { id: "0", name: "Default" },
    user: "ana",
    started_at: "2026-01-01T00:00:00Z",
    ended_at: null,
    duration_seconds: 12,
    params: { depth: String(number) },
    metrics: { accuracy: number / 10, "val/loss": 0.5 },
    tags: {},
  };
}

function stub(runs: (call: Call) => Response) {
  return stubFetch({
    [`GET ${P}`]: () => json(PROJECT),
    [`GET ${P}/experiments`]: () => page([{ id: "0", name: "Default" }]),
    [`GET ${P}/runs`]: runs,
  });
}

const runCalls = (calls: Call[]) => calls.filter((call) => call.path === `${P}/runs`);

test("an empty project says how to log, with this project's address", async () => {
  stub(() => page([]));
  renderAt("/acme/churn/runs");
  expect(await screen.findByText("No runs yet")).toBeInTheDocument();
  expect(screen.getByLabelText("the commands that log a first run")).toHaveTextContent(
    "export MLFLOW_TRACKING_URI=http://localhost:5000/mlflow/acme/churn",
  );
});

test("columns come by themselves, and a click on a heading orders at the server", async () => {
  const calls = stub(() => page([run(1), run(2)]));
  renderAt("/acme/churn/runs");
  const user = userEvent.setup();
  const table = await screen.findByRole("table");
  expect(within(table).getByRole("link", { name: "run-1" })).toHaveAttribute(
    "href",
    `/acme/churn/runs/${run(1).id}`,
  );
  const heading = within(table).getByRole("columnheader", { name: "accuracy" });
  expect(heading).toHaveAttribute("aria-sort", "none");
  await user.click(within(heading).getByRole("button"));
  await waitFor(() => expect(runCalls(calls).at(-1)?.query.get("order_by")).toBe("metrics.accuracy DESC"));
  expect(screen.getByRole("columnheader", { name: "accuracy" })).toHaveAttribute("aria-sort", "descending");
  await user.click(within(screen.getByRole("columnheader", { name: "val/loss" })).getByRole("button"));
  await waitFor(() => expect(runCalls(calls).at(-1)?.query.get("order_by")).toBe("metrics.`val/loss` DESC"));
});

test("a filter goes to the server, and its refusal stands under the box", async () => {
  const calls = stub((call) =>
    call.query.get("filter") === "nonsense"
      ? problem(422, "The filter stops being readable at character 8.", { hint: "Such as metrics.a > 1." })
      : page([run(1)]),
  );
  renderAt("/acme/churn/runs");
  const user = userEvent.setup();
  await screen.findByRole("table");
  const box = screen.getByRole("textbox", { name: "Filter runs" });
  await user.type(box, "nonsense{Enter}");
  expect(await screen.findByText(/stops being readable at character 8/)).toBeInTheDocument();
  expect(box).toBeInvalid();
  expect(box).toHaveFocus();
  await user.clear(box);
  await user.type(box, "metrics.accuracy > 0.05{Enter}");
  await screen.findByRole("table");
  expect(runCalls(calls).at(-1)?.query.get("filter")).toBe("metrics.accuracy > 0.05");
});

test("a status is one more condition of the filter", async () => {
  const calls = stub(() => page([run(1)]));
  renderAt("/acme/churn/runs?filter=metrics.accuracy+%3E+0");
  await screen.findByRole("table");
  await userEvent.selectOptions(screen.getByRole("combobox", { name: "Status" }), "FAILED");
  await waitFor(() =>
    expect(runCalls(calls).at(-1)?.query.get("filter")).toBe(
      "metrics.accuracy > 0 and attributes.status = 'FAILED'",
    ),
  );
});

test("columns are chosen by the menu and kept", async () => {
  stub(() => page([run(1), run(2)]));
  renderAt("/acme/churn/runs");
  const user = userEvent.setup();
  await screen.findByRole("columnheader", { name: "accuracy" });
  await user.click(screen.getByRole("button", { name: "Columns" }));
  await user.click(await screen.findByRole("checkbox", { name: "accuracy" }));
  expect(screen.queryByRole("columnheader", { name: "accuracy" })).not.toBeInTheDocument();
  expect(JSON.parse(window.localStorage.getItem("modelyard.columns.acme/churn") ?? "")).toEqual([
    "metrics.val/loss",
    "params.depth",
  ]);
});

test("more runs are loaded by the cursor", async () => {
  const calls = stub((call) => (call.query.get("cursor") === "c2" ? page([run(2)]) : page([run(1)], "c2")));
  renderAt("/acme/churn/runs");
  await screen.findByRole("link", { name: "run-1" });
  await userEvent.click(screen.getByRole("button", { name: "Load more" }));
  expect(await screen.findByRole("link", { name: "run-2" })).toBeInTheDocument();
  expect(screen.getByRole("link", { name: "run-1" })).toBeInTheDocument();
  expect(runCalls(calls).some((call) => call.query.get("cursor") === "c2")).toBe(true);
});
