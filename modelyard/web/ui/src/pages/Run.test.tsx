import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { renderAt } from "../test/render";
import { json, P, page, problem, PROJECT, stubFetch } from "../test/server";

const ID = "ab".repeat(16);
const RUN = {
  id: ID,
  name: "careful-owl",
  status: "FINISHED",
  experiment: { id: "1", name: "trees" },
  user: "ana",
  started_at: "2026-01-01T00:00:00Z",
  ended_at: "2026-01-01T00:01:00Z",
  duration_seconds: 60,
  params: { depth: "4" },
  metrics: { accuracy: 0.95, loss: 0.25 },
  tags: { purpose: "baseline" },
};

/** jsdom has no canvas: what the chart is given is kept here instead of drawn. */
const drawn = vi.hoisted(() => ({ plots: [] as { label: unknown; data: unknown }[] }));
vi.mock("uplot", () => ({
  default: class {
    constructor(options: { series: { label?: string }[] }, data: unknown) {
      drawn.plots.push({ label: options.series[1]?.label, data });
    }
    setData() {
      return undefined;
    }
    setSize() {
      return undefined;
    }
    destroy() {
      return undefined;
    }
  },
}));
beforeEach(() => {
  drawn.plots = [];
});

const point = (step: number, value: number | string) => ({
  step,
  value,
  timestamp: `2026-01-01T00:00:0${step}Z`,
});

function stub(more: Parameters<typeof stubFetch>[0] = {}) {
  return stubFetch({
    [`GET ${P}`]: () => json(PROJECT),
    [`GET ${P}/runs/${ID}`]: () => json(RUN),
    [`GET ${P}/runs/${ID}/metrics/accuracy`]: () => page([point(0, 0.95)]),
    [`GET ${P}/runs/${ID}/metrics/loss`]: (call) =>
      call.query.get("cursor") === null
        ? page([point(0, 1), point(1, "NaN")], "more")
        : page([point(2, 0.25)]),
    [`GET ${P}/runs/${ID}/artifacts`]: (call) =>
      call.query.get("path") === "plots"
        ? json({ items: [{ path: "confusion.png", is_directory: false, size_bytes: 4 }] })
        : json({
            items: [
              { path: "notes.txt", is_directory: false, size_bytes: 5 },
              { path: "mistakes.json", is_directory: false, size_bytes: 50 },
              { path: "plots", is_directory: true, size_bytes: null },
            ],
          }),
    ...more,
  });
}

test("a history of several points is a curve, read page by page; a single point is a number", async () => {
  stub();
  renderAt(`/acme/churn/runs/${ID}`);
  expect(await screen.findByRole("heading", { name: "careful-owl" })).toBeInTheDocument();
  const curve = await screen.findByRole("img", { name: /^loss: 3 points, last 0.25, smallest 0.25/ });
  expect(curve).toBeInTheDocument();
  expect(drawn.plots.at(-1)).toEqual({
    label: "loss",
    data: [
      [0, 1, 2],
      [1, null, 0.25],
    ],
  });
  expect(screen.queryByRole("img", { name: /^accuracy/ })).not.toBeInTheDocument();
  expect(screen.getByText("1 point")).toBeInTheDocument();
});

test("artifacts open by folder, with a table, a text and a download that names the whole path", async () => {
  const content: Record<string, string> = {
    "notes.txt": "hello",
    "mistakes.json": JSON.stringify({ columns: ["is", "said"], data: [["cat", 7]] }),
    "plots/confusion.png": "png!",
  };
  const calls = stub({
    [`GET ${P}/runs/${ID}/artifacts/content`]: (call) =>
      new Response(content[call.query.get("path") ?? ""] ?? null, { status: 200 }),
  });
  const router = renderAt(`/acme/churn/runs/${ID}`);
  const user = userEvent.setup();
  await user.click(await screen.findByRole("button", { name: /mistakes.json/ }));
  const table = await screen.findByRole("region", { name: "Table mistakes.json" });
  expect(within(table).getByRole("columnheader", { name: "said" })).toBeInTheDocument();
  expect(within(table).getByRole("cell", { name: "cat" })).toBeInTheDocument();

  await user.click(screen.getByRole("button", { name: /notes.txt/ }));
  expect(await screen.findByLabelText("Content of notes.txt")).toHaveTextContent("hello");

  await user.click(screen.getByRole("button", { name: "plots folder" }));
  await user.click(await screen.findByRole("button", { name: /confusion.png/ }));
  const image = await screen.findByRole("img", { name: "plots/confusion.png" });
  expect(image).toHaveAttribute("src", expect.stringMatching(/^data:image\/png;base64,/));
  expect(screen.getByRole("link", { name: /Download/ })).toHaveAttribute(
    "href",
    `${P}/runs/${ID}/artifacts/content?path=plots%2Fconfusion.png`,
  );
  expect(calls.some((call) => call.query.get("path") === "plots/confusion.png")).toBe(true);
  expect(router.state.location.search).toBe("?folder=plots&file=plots%2Fconfusion.png");

  await user.click(screen.getByRole("button", { name: "All files" }));
  expect(await screen.findByRole("button", { name: /notes.txt/ })).toBeInTheDocument();
});

test("one history that cannot be read leaves the rest of the page standing", async () => {
  stub({ [`GET ${P}/runs/${ID}/metrics/loss`]: () => problem(500, "The tracker does not answer.") });
  renderAt(`/acme/churn/runs/${ID}`);
  expect(await screen.findByText("The tracker does not answer.")).toBeInTheDocument();
  expect(screen.getByText("baseline")).toBeInTheDocument();
  expect(screen.getByRole("button", { name: "Try again" })).toBeInTheDocument();
});

test("a run that is not there says so and leads back, without a button that cannot help", async () => {
  stub({ [`GET ${P}/runs/${ID}`]: () => problem(404, "There is no such run.") });
  renderAt(`/acme/churn/runs/${ID}`);
  expect(await screen.findByText("There is no such run.")).toBeInTheDocument();
  expect(screen.getByRole("link", { name: "All runs" })).toHaveAttribute("href", "/acme/churn/runs");
  expect(screen.queryByRole("button", { name: "Try again" })).not.toBeInTheDocument();
});

test("the link that MLflow prints ends on the run's page", async () => {
  stub();
  const router = renderAt(`/acme/churn/runs#/experiments/1/runs/${ID}`);
  expect(await screen.findByRole("heading", { name: "careful-owl" })).toBeInTheDocument();
  await waitFor(() => expect(router.state.location.pathname).toBe(`/acme/churn/runs/${ID}`));
});
