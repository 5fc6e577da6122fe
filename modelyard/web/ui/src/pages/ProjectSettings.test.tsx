import { screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { renderAt } from "../test/render";
import { json, P, page, problem, PROJECT, stubFetch } from "../test/server";

const O = "/api/v1/organizations/acme";
const ACME = { id: "o1", slug: "acme", name: "Acme", role: "owner", created_at: "2026-01-01T00:00:00Z" };

test("a new address leads to it, and a taken one stands on its field", async () => {
  let taken = true;
  const renamed = { ...PROJECT, slug: "leavers", name: "Leavers" };
  const calls = stubFetch({
    [`GET ${P}`]: () => json(PROJECT),
    [`GET ${O}`]: () => json(ACME),
    [`GET ${O}/projects/leavers`]: () => json(renamed),
    [`PATCH ${P}`]: () => (taken ? problem(409, "The slug 'leavers' is taken.") : json(renamed)),
  });
  const router = renderAt("/acme/churn/settings");
  const user = userEvent.setup();
  const name = await screen.findByRole("textbox", { name: "Name" });
  const address = screen.getByRole("textbox", { name: "Address" });
  await user.clear(name);
  await user.type(name, "Leavers");
  await user.clear(address);
  await user.type(address, "leavers");
  await user.click(screen.getByRole("button", { name: "Save" }));
  expect(await screen.findByText("The slug 'leavers' is taken.")).toBeInTheDocument();
  taken = false;
  await user.click(screen.getByRole("button", { name: "Save" }));
  expect(await screen.findByRole("heading", { name: "Leavers" })).toBeInTheDocument();
  expect(router.state.location.pathname).toBe("/acme/leavers/settings");
  expect(calls.filter((call) => call.method === "PATCH")[1]?.body).toEqual({
    name: "Leavers",
    slug: "leavers",
    description: "",
  });
});

test("an address that stays is not sent", async () => {
  const calls = stubFetch({
    [`GET ${P}`]: () => json(PROJECT),
    [`GET ${O}`]: () => json(ACME),
    [`PATCH ${P}`]: () => json(PROJECT),
  });
  renderAt("/acme/churn/settings");
  await userEvent.type(await screen.findByLabelText("Description"), "Who leaves");
  await userEvent.click(screen.getByRole("button", { name: "Save" }));
  expect(await screen.findByText("The project is saved.")).toBeInTheDocument();
  expect(calls.find((call) => call.method === "PATCH")?.body).toEqual({
    name: "Customer churn",
    description: "Who leaves",
  });
});

test("a project is archived and restored", async () => {
  let archived_at: string | null = null;
  stubFetch({
    [`GET ${P}`]: () => json({ ...PROJECT, archived_at }),
    [`GET ${O}`]: () => json(ACME),
    [`PATCH ${P}`]: (call) => {
      archived_at = (call.body as { archived: boolean }).archived ? "2026-01-01T00:00:00Z" : null;
      return json({ ...PROJECT, archived_at });
    },
  });
  renderAt("/acme/churn/settings");
  await userEvent.click(await screen.findByRole("button", { name: "Archive project" }));
  expect(await screen.findByText("Archived")).toBeInTheDocument();
  await userEvent.click(await screen.findByRole("button", { name: "Restore project" }));
  expect(await screen.findByRole("button", { name: "Archive project" })).toBeInTheDocument();
});

test("deleting asks for the name, and sends it", async () => {
  const calls = stubFetch({
    [`GET ${P}`]: () => json(PROJECT),
    [`GET ${O}`]: () => json(ACME),
    [`GET ${O}/projects`]: () => page([]),
    [`DELETE ${P}`]: () => new Response(null, { status: 204 }),
  });
  const router = renderAt("/acme/churn/settings");
  await userEvent.click(await screen.findByRole("button", { name: "Delete project" }));
  const dialog = await screen.findByRole("dialog");
  const button = within(dialog).getByRole("button", { name: "Delete the project" });
  expect(button).toBeDisabled();
  await userEvent.type(within(dialog).getByLabelText(/Type/), "churn");
  await userEvent.click(button);
  expect(await screen.findByText("No projects yet")).toBeInTheDocument();
  expect(router.state.location.pathname).toBe("/acme");
  expect(calls.find((call) => call.method === "DELETE")?.query.get("confirm")).toBe("churn");
});

test("an admin of the project alone is not offered to delete it", async () => {
  stubFetch({
    [`GET ${P}`]: () => json(PROJECT),
    [`GET ${O}`]: () => json({ ...ACME, role: "member" }),
  });
  renderAt("/acme/churn/settings");
  expect(await screen.findByRole("button", { name: "Archive project" })).toBeInTheDocument();
  expect(screen.queryByRole("button", { name: "Delete project" })).not.toBeInTheDocument();
});

test("an editor is told whose page it is", async () => {
  stubFetch({ [`GET ${P}`]: () => json({ ...PROJECT, role: "editor" }) });
  renderAt("/acme/churn/settings");
  expect(await screen.findByText("Settings are for the project's admins")).toBeInTheDocument();
});
