import { screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { renderAt } from "../test/render";
import { ANA, json, P, page, problem, PROJECT, stubFetch } from "../test/server";

const ACCEPT = "POST /api/v1/invitations/t1/accept";
const INVITATION = {
  organization: "acme",
  organization_name: "Acme",
  role: "member",
  project: "churn",
  project_role: "editor",
  invited_by: "bo",
  expires_at: "2036-01-01T00:00:00Z",
};
const PROJECT_PAGE = {
  [`GET ${P}`]: () => json(PROJECT),
  [`GET ${P}/runs`]: () => page([]),
  [`GET ${P}/experiments`]: () => page([]),
};

test("whoever is signed in accepts and comes to the project", async () => {
  const calls = stubFetch({
    "GET /api/v1/invitations/t1": () => json(INVITATION),
    [ACCEPT]: () => json({}),
    ...PROJECT_PAGE,
  });
  const router = renderAt("/invitations/t1");
  expect(await screen.findByRole("heading", { name: "Join Acme" })).toBeInTheDocument();
  expect(screen.getByText(/bo invites you to Acme as/)).toHaveTextContent(
    "as member, with the role editor in the project churn",
  );
  await userEvent.click(screen.getByRole("button", { name: "Accept as ana" }));
  expect(await screen.findByRole("heading", { name: "Customer churn" })).toBeInTheDocument();
  expect(router.state.location.pathname).toBe("/acme/churn/runs");
  expect(calls.find((call) => call.method === "POST")?.body).toEqual({});
});

test("whoever is new makes an account and is in", async () => {
  let signedIn = false;
  const calls = stubFetch({
    "GET /api/v1/session": () => (signedIn ? json(ANA) : problem(401, "Nobody is signed in.")),
    "GET /api/v1/invitations/t1": () => json(INVITATION),
    [ACCEPT]: () => {
      signedIn = true;
      return json(ANA, 201);
    },
    ...PROJECT_PAGE,
  });
  const router = renderAt("/invitations/t1");
  const user = userEvent.setup();
  await user.type(await screen.findByLabelText(/^User name/), "ana");
  await user.type(screen.getByLabelText(/^New password/), "correct horse battery");
  await user.type(screen.getByLabelText(/^The same again/), "correct horse battery");
  await user.click(screen.getByRole("button", { name: "Create an account and join" }));
  expect(await screen.findByRole("heading", { name: "Customer churn" })).toBeInTheDocument();
  expect(router.state.location.pathname).toBe("/acme/churn/runs");
  expect(calls.find((call) => call.path.endsWith("/accept"))?.body).toEqual({
    username: "ana",
    display_name: "",
    password: "correct horse battery",
  });
});

test("whoever has an account signs in and comes back to the invitation", async () => {
  let signedIn = false;
  stubFetch({
    "GET /api/v1/session": () => (signedIn ? json(ANA) : problem(401, "Nobody is signed in.")),
    "GET /api/v1/invitations/t1": () => json({ ...INVITATION, project: null, project_role: null }),
    "POST /api/v1/session": () => {
      signedIn = true;
      return json(ANA, 201);
    },
  });
  renderAt("/invitations/t1");
  const user = userEvent.setup();
  await user.click(await screen.findByRole("link", { name: "I have an account: sign in" }));
  await user.type(await screen.findByLabelText("User name"), "ana");
  await user.type(screen.getByLabelText("Password"), "correct horse battery");
  await user.click(screen.getByRole("button", { name: "Sign in" }));
  expect(await screen.findByRole("button", { name: "Accept as ana" })).toBeInTheDocument();
  expect(screen.getByText(/invites you/)).not.toHaveTextContent("in the project");
});

test("a link that has ended says whom to ask", async () => {
  stubFetch({ "GET /api/v1/invitations/t1": () => problem(404, "There is no such invitation.") });
  renderAt("/invitations/t1");
  expect(await screen.findByRole("alert")).toHaveTextContent("Ask whoever sent you the link for a new one.");
  expect(screen.queryByRole("button", { name: "Try again" })).not.toBeInTheDocument();
});

test("an invitation that cannot be read or accepted shows why", async () => {
  let broken = true;
  stubFetch({
    "GET /api/v1/invitations/t1": () => (broken ? problem(500, "The database is away.") : json(INVITATION)),
    [ACCEPT]: () => problem(409, "You are a member already."),
  });
  renderAt("/invitations/t1");
  const retry = await screen.findByRole("button", { name: "Try again" });
  broken = false;
  await userEvent.click(retry);
  await userEvent.click(await screen.findByRole("button", { name: "Accept as ana" }));
  expect(await screen.findByRole("alert")).toHaveTextContent("You are a member already.");
});
