import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { renderAt } from "../test/render";
import { json, P, page, problem, PROJECT, stubFetch } from "../test/server";

const O = "/api/v1/organizations/acme";
const member = (username: string, role: string) => ({ username, display_name: "", role });

test("a member of the organization gets a role, and loses it again", async () => {
  let members: object[] = [];
  const calls = stubFetch({
    [`GET ${P}`]: () => json(PROJECT),
    [`GET ${O}/members`]: () => page([member("ana", "owner"), member("bo", "member")]),
    [`GET ${P}/members`]: () => page(members),
    [`PUT ${P}/members/bo`]: () => {
      members = [member("bo", "editor")];
      return json(members[0]);
    },
    [`DELETE ${P}/members/bo`]: () => {
      members = [];
      return new Response(null, { status: 204 });
    },
  });
  renderAt("/acme/churn/members");
  const user = userEvent.setup();
  expect(await screen.findByText("Nobody has a role of their own here")).toBeInTheDocument();
  const who = screen.getByLabelText("Member of the organization");
  await user.click(screen.getByRole("button", { name: "Give the role" }));
  expect(await screen.findByText("Choose somebody.")).toBeInTheDocument();
  await within(who).findByRole("option", { name: "bo" });
  await user.selectOptions(who, "bo");
  await user.selectOptions(screen.getByLabelText("Role"), "editor");
  await user.click(screen.getByRole("button", { name: "Give the role" }));
  expect(await screen.findByLabelText("Role of bo")).toHaveValue("editor");
  expect(calls.find((call) => call.method === "PUT")?.body).toEqual({ role: "editor" });
  await user.click(screen.getByRole("button", { name: "Remove bo" }));
  const dialog = await screen.findByRole("dialog");
  expect(dialog).not.toHaveTextContent("every role in its projects");
  await user.click(within(dialog).getByRole("button", { name: "Remove" }));
  await waitFor(() => expect(screen.queryByLabelText("Role of bo")).not.toBeInTheDocument());
});

test("an editor reads and may leave to the organization's page", async () => {
  stubFetch({
    [`GET ${P}`]: () => json({ ...PROJECT, role: "editor" }),
    [`GET ${P}/members`]: () => page([member("ana", "editor")]),
    [`POST ${P}/leave`]: () => new Response(null, { status: 204 }),
    [`GET ${O}`]: () =>
      json({ id: "o1", slug: "acme", name: "Acme", role: "member", created_at: "2026-01-01" }),
    [`GET ${O}/projects`]: () => page([]),
  });
  const router = renderAt("/acme/churn/members");
  await userEvent.click(await screen.findByRole("button", { name: "Leave" }));
  expect(screen.queryByLabelText("Member of the organization")).not.toBeInTheDocument();
  expect(screen.queryByRole("link", { name: "Settings" })).not.toBeInTheDocument();
  await userEvent.click(within(await screen.findByRole("dialog")).getByRole("button", { name: "Leave" }));
  expect(await screen.findByText("No projects yet")).toBeInTheDocument();
  expect(router.state.location.pathname).toBe("/acme");
});

test("a list that fails says so", async () => {
  stubFetch({
    [`GET ${P}`]: () => json(PROJECT),
    [`GET ${P}/members`]: () => problem(500, "The database is away."),
  });
  renderAt("/acme/churn/members");
  expect(await screen.findByText("The members could not be read.")).toBeInTheDocument();
});
