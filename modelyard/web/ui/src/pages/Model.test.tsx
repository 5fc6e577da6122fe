import { screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { renderAt } from "../test/render";
import { json, P, page, problem, PROJECT, stubFetch } from "../test/server";

const MODEL = {
  id: "m1",
  name: "risk",
  description: "",
  tags: {},
  latest_version: 3,
  versions_count: 1,
  stages: { Staging: 3 },
  aliases: {},
  created_at: "2026-01-01T00:00:00Z",
  updated_at: "2026-01-01T00:00:00Z",
};
const VERSION = {
  id: "v3",
  model: "risk",
  version: 3,
  stage: "Staging",
  status: "READY",
  description: "",
  tags: {},
  aliases: ["champion"],
  run_id: "0".repeat(32),
  source: "",
  created_by: "ana",
  created_at: "2026-01-01T00:00:00Z",
  updated_at: "2026-01-01T00:00:00Z",
};

function stub(role: string) {
  let stage = "Staging";
  let allowed = false;
  const changes: object[] = [];
  const calls = stubFetch({
    [`GET ${P}`]: () => json({ ...PROJECT, role }),
    [`GET ${P}/models/risk`]: () => json(MODEL),
    [`GET ${P}/models/risk/versions`]: () => page([{ ...VERSION, stage }]),
    [`GET ${P}/models/risk/stage-changes`]: () => page(changes),
    [`POST ${P}/models/risk/versions/3/promote`]: (call) => {
      if (!allowed) {
        allowed = true;
        return problem(409, "Version 3 is not READY.", { hint: "Wait until its files are there." });
      }
      const body = call.body as { stage: string; reason: string };
      changes.unshift({
        version: 3,
        from_stage: stage,
        to_stage: body.stage,
        reason: body.reason,
        actor: "ana",
        changed_at: "2026-01-02T00:00:00Z",
      });
      stage = body.stage;
      return json({ ...VERSION, stage });
    },
  });
  return calls;
}

test("a version is promoted with a reason, after a refusal that is shown", async () => {
  const calls = stub("editor");
  renderAt("/acme/churn/models/risk");
  const user = userEvent.setup();
  await user.click(await screen.findByRole("button", { name: "Promote version 3" }));
  const dialog = await screen.findByRole("dialog", { name: "Promote risk v3" });
  expect(within(dialog).getByLabelText("Stage")).toHaveValue("Production");
  await user.type(within(dialog).getByLabelText("Reason"), "Better by 2 points");
  const move = within(dialog).getByRole("button", { name: "Move to Production" });
  await user.click(move);
  expect(await within(dialog).findByRole("alert")).toHaveTextContent("Version 3 is not READY.");
  await user.click(move);

  const history = await screen.findByRole("region", { name: "Stage history" });
  expect(await within(history).findByText("Better by 2 points")).toBeInTheDocument();
  const versions = screen.getAllByRole("region", { name: "Versions" })[0] as HTMLElement;
  expect(within(versions).getByText("Production")).toBeInTheDocument();
  expect(calls.filter((call) => call.method === "POST").at(-1)?.body).toEqual({
    stage: "Production",
    reason: "Better by 2 points",
  });
});

test("a viewer is offered no promotion", async () => {
  stub("viewer");
  renderAt("/acme/churn/models/risk");
  expect(await screen.findByText("v3")).toBeInTheDocument();
  expect(screen.queryByRole("button", { name: /Promote/ })).not.toBeInTheDocument();
});
