import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { renderAt } from "../test/render";
import { json, page, problem, PROJECT, stubFetch } from "../test/server";

const O = "/api/v1/organizations/acme";
const ACME = { id: "o1", slug: "acme", name: "Acme", role: "owner", created_at: "2026-01-01T00:00:00Z" };
const member = (username: string, role: string) => ({ username, display_name: "", role });
const BO = member("bo", "member");
const INVITATION = {
  id: "i1",
  role: "member",
  project: null,
  project_role: null,
  email: "eva@x.org",
  state: "open",
  invited_by: "ana",
  accepted_by: null,
  created_at: "2026-01-01T00:00:00Z",
  expires_at: "2036-01-01T00:00:00Z",
};
const BASE = {
  [`GET ${O}`]: () => json(ACME),
  [`GET ${O}/members`]: () => page([member("ana", "owner"), BO]),
  [`GET ${O}/invitations`]: () => page([]),
  [`GET ${O}/projects`]: () => page([PROJECT]),
};
const gone = () => new Response(null, { status: 204 });

test("a role is changed in place, and a refusal puts it back", async () => {
  let refuse = false;
  let role = "member";
  const calls = stubFetch({
    ...BASE,
    [`GET ${O}/members`]: () => page([member("ana", "owner"), member("bo", role)]),
    [`PUT ${O}/members/bo`]: (call) => {
      if (refuse) return problem(409, "'bo' is the last owner of 'acme'.");
      role = (call.body as { role: string }).role;
      return json(member("bo", role));
    },
  });
  renderAt("/acme/-/members");
  const user = userEvent.setup();
  const select = await screen.findByLabelText("Role of bo");
  await user.selectOptions(select, "owner");
  await waitFor(() => expect(select).toHaveValue("owner"));
  expect(calls.find((call) => call.method === "PUT")?.body).toEqual({ role: "owner" });
  refuse = true;
  await user.selectOptions(select, "member");
  expect(await screen.findByText("'bo' is the last owner of 'acme'.")).toBeInTheDocument();
  await waitFor(() => expect(select).toHaveValue("owner"));
});

test("a member is removed after a question", async () => {
  let members = [member("ana", "owner"), BO];
  stubFetch({
    ...BASE,
    [`GET ${O}/members`]: () => page(members),
    [`DELETE ${O}/members/bo`]: () => {
      members = members.slice(0, 1);
      return gone();
    },
  });
  renderAt("/acme/-/members");
  await userEvent.click(await screen.findByRole("button", { name: "Remove bo" }));
  const dialog = await screen.findByRole("dialog");
  expect(dialog).toHaveTextContent("bo loses the role member in Acme and every role in its projects.");
  await userEvent.click(within(dialog).getByRole("button", { name: "Remove" }));
  await waitFor(() => expect(screen.queryByLabelText("Role of bo")).not.toBeInTheDocument());
});

test("whoever leaves comes to the start page; the last owner reads why not", async () => {
  let last = true;
  stubFetch({
    ...BASE,
    "GET /api/v1/organizations": () => page([]),
    [`POST ${O}/leave`]: () => (last ? problem(409, "'ana' is the last owner of 'acme'.") : gone()),
  });
  const router = renderAt("/acme/-/members");
  await userEvent.click(await screen.findByRole("button", { name: "Leave" }));
  const dialog = await screen.findByRole("dialog");
  await userEvent.click(within(dialog).getByRole("button", { name: "Leave" }));
  expect(await within(dialog).findByRole("alert")).toHaveTextContent("the last owner");
  last = false;
  await userEvent.click(within(dialog).getByRole("button", { name: "Leave" }));
  expect(await screen.findByText("You are in no organization yet")).toBeInTheDocument();
  expect(router.state.location.pathname).toBe("/");
});

test("an invitation's link is shown once, and the invitation can be revoked", async () => {
  let invitations: object[] = [];
  const calls = stubFetch({
    ...BASE,
    [`GET ${O}/invitations`]: () => page(invitations),
    [`POST ${O}/invitations`]: () => {
      invitations = [INVITATION];
      return json({ ...INVITATION, link: "https://m.example/invitations/secret" }, 201);
    },
    [`DELETE ${O}/invitations/i1`]: () => {
      invitations = [{ ...INVITATION, state: "revoked" }];
      return gone();
    },
  });
  renderAt("/acme/-/members");
  const user = userEvent.setup();
  expect(await screen.findByText("No invitations yet")).toBeInTheDocument();
  await user.click(screen.getByRole("button", { name: "Invite" }));
  const dialog = await screen.findByRole("dialog");
  expect(within(dialog).getByLabelText("Role in it")).toBeDisabled();
  await user.selectOptions(await within(dialog).findByLabelText("Project"), "Customer churn");
  await user.selectOptions(within(dialog).getByLabelText("Role in it"), "editor");
  await user.click(within(dialog).getByRole("button", { name: "Make the link" }));
  expect(await within(dialog).findByText("https://m.example/invitations/secret")).toBeInTheDocument();
  expect(within(dialog).getByRole("button", { name: "Copy the link" })).toBeInTheDocument();
  expect(calls.find((call) => call.method === "POST")?.body).toEqual({
    role: "member",
    project: "churn",
    project_role: "editor",
    expires_in_days: 7,
  });
  await user.click(within(dialog).getByRole("button", { name: "I have copied it" }));
  await waitFor(() => expect(screen.queryByText(/invitations\/secret/)).not.toBeInTheDocument());
  await user.click(await screen.findByRole("button", { name: "Revoke the invitation for eva@x.org" }));
  expect(await screen.findByText("Revoked")).toBeInTheDocument();
  expect(screen.queryByRole("button", { name: /^Revoke/ })).not.toBeInTheDocument();
});

test("a member sees who is there, and changes only that they are", async () => {
  const calls = stubFetch({ ...BASE, [`GET ${O}`]: () => json({ ...ACME, role: "member" }) });
  renderAt("/acme/-/members");
  const row = (await screen.findByText("bo", { selector: ".mono" })).closest("tr");
  expect(row).toHaveTextContent("member");
  expect(screen.queryByRole("combobox")).not.toBeInTheDocument();
  expect(screen.queryByRole("button", { name: "Invite" })).not.toBeInTheDocument();
  expect(screen.queryByRole("button", { name: "Remove bo" })).not.toBeInTheDocument();
  expect(screen.getByRole("button", { name: "Leave" })).toBeEnabled();
  expect(calls.some((call) => call.path.endsWith("/invitations"))).toBe(false);
});

test("failures are told, of the organization and of its lists", async () => {
  let away = true;
  stubFetch({
    ...BASE,
    [`GET ${O}`]: () => (away ? problem(500, "The database is away.") : json(ACME)),
    [`GET ${O}/members`]: () => problem(500, "The database is away."),
  });
  renderAt("/acme/-/members");
  expect(await screen.findByText("The organization “acme” could not be read.")).toBeInTheDocument();
  away = false;
  await userEvent.click(screen.getByRole("button", { name: "Try again" }));
  expect(await screen.findByText("The members could not be read.")).toBeInTheDocument();
});
