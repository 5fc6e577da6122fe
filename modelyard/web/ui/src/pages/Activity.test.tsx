import { screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { renderAt } from "../test/render";
import { json, P, page, problem, PROJECT, stubFetch } from "../test/server";

const event = (id: string, action: string, object: object, before: object, after: object) => ({
  id,
  action,
  actor: { kind: "token", id: "t1", name: "ana" },
  object,
  before,
  after,
  request_id: "r",
  occurred_at: "2026-01-01T00:00:00Z",
});
const PROMOTED = event(
  "e2",
  "model_version.stage_changed",
  { kind: "model_version", id: "v", name: "risk/3" },
  { stage: "Staging" },
  { stage: "Production", reason: "better" },
);
const CREATED = event(
  "e1",
  "run.created",
  { kind: "run", id: "ab12", name: "careful-owl" },
  {},
  { run_name: "careful-owl", experiment_id: "1", environment: [] },
);

test("events say what changed, by whom, and lead to what they are about", async () => {
  stubFetch({ [`GET ${P}`]: () => json(PROJECT), [`GET ${P}/events`]: () => page([PROMOTED, CREATED]) });
  renderAt("/acme/churn/activity");
  const version = await screen.findByRole("link", { name: "risk v3" });
  expect(version).toHaveAttribute("href", "/acme/churn/models/risk");
  const [promoted, created] = version.closest("ol")?.children ?? [];
  expect(promoted).toHaveTextContent("Model version stage changed");
  expect(promoted).toHaveTextContent("Stage: Staging → Production");
  expect(promoted).toHaveTextContent("Reason: better");
  expect(promoted).toHaveTextContent("ana by token");
  expect(within(created as HTMLElement).getByRole("link", { name: "careful-owl" })).toHaveAttribute(
    "href",
    "/acme/churn/runs/ab12",
  );
  // Neither the name a second time nor a field that holds nothing.
  expect(created).toHaveTextContent("Experiment id: 1");
  expect(created).not.toHaveTextContent("Run name");
  expect(created).not.toHaveTextContent("Environment");
});

test("older events are loaded by the cursor", async () => {
  stubFetch({
    [`GET ${P}`]: () => json(PROJECT),
    [`GET ${P}/events`]: (call) =>
      call.query.get("cursor") === "older" ? page([CREATED]) : page([PROMOTED], "older"),
  });
  renderAt("/acme/churn/activity");
  await userEvent.click(await screen.findByRole("button", { name: "Load more" }));
  expect(await screen.findByRole("link", { name: "careful-owl" })).toBeInTheDocument();
});

test("nothing yet, and a failure that can be tried again", async () => {
  let broken = true;
  stubFetch({
    [`GET ${P}`]: () => json(PROJECT),
    [`GET ${P}/events`]: () => (broken ? problem(500, "The database is away.") : page([])),
  });
  renderAt("/acme/churn/activity");
  expect(await screen.findByRole("alert")).toHaveTextContent("The events could not be read.");
  broken = false;
  await userEvent.click(screen.getByRole("button", { name: "Try again" }));
  expect(await screen.findByText("Nothing has happened yet")).toBeInTheDocument();
});

test("events are filtered by who, what and when, and the address keeps it", async () => {
  const calls = stubFetch({
    [`GET ${P}`]: () => json(PROJECT),
    [`GET ${P}/events`]: (call) => page(call.query.get("actor") === "bo" ? [] : [PROMOTED]),
  });
  const router = renderAt("/acme/churn/activity?object_kind=model_version");
  await screen.findByRole("link", { name: "risk v3" });
  expect(screen.getByLabelText("About")).toHaveValue("model_version");
  const user = userEvent.setup();
  await user.type(screen.getByLabelText("Who"), "bo");
  await user.type(screen.getByLabelText("From"), "2026-01-31");
  await user.click(screen.getByRole("button", { name: "Filter" }));
  expect(await screen.findByText("Nothing of that kind has happened")).toBeInTheDocument();
  expect(router.state.location.search).toBe("?actor=bo&object_kind=model_version&from=2026-01-31");
  const asked = calls.filter((call) => call.query.get("actor") === "bo")[0]?.query;
  expect(asked?.get("object_kind")).toBe("model_version");
  expect(asked?.get("from")).toBe(new Date(2026, 0, 31).toISOString());
  expect(asked?.has("to")).toBe(false);
  await user.click(screen.getByRole("button", { name: "Show all events" }));
  expect(await screen.findByRole("link", { name: "risk v3" })).toBeInTheDocument();
  expect(screen.getByLabelText("Who")).toHaveValue("");
});
