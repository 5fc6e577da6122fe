import { screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { renderAt } from "../test/render";
import { ANA, json, P, page, problem, PROJECT, stubFetch } from "../test/server";

async function fillIn() {
  const user = userEvent.setup();
  await user.type(await screen.findByLabelText("User name"), "ana");
  await user.type(screen.getByLabelText("Password"), "wrong");
  await user.click(screen.getByRole("button", { name: "Sign in" }));
}

test("wrong credentials show the server's words, and stay on the page", async () => {
  const calls = stubFetch({
    "GET /api/v1/session": () => problem(401, "Nobody is signed in."),
    "POST /api/v1/session": () =>
      problem(401, "The user name or the password is wrong.", { hint: "Ten attempts." }),
  });
  renderAt("/sign-in");
  await fillIn();
  expect(await screen.findByRole("alert")).toHaveTextContent("The user name or the password is wrong.");
  expect(screen.getByRole("alert")).toHaveTextContent("Ten attempts.");
  expect(screen.getByRole("alert")).toHaveTextContent("req-1");
  const post = calls.find((call) => call.method === "POST");
  expect(post?.headers.get("X-Requested-With")).toBe("modelyard");
  expect(post?.body).toEqual({ username: "ana", password: "wrong" });
});

test("a stranger is sent to sign in, and then to the page that was wanted", async () => {
  let signedIn = false;
  stubFetch({
    "GET /api/v1/session": () => (signedIn ? json(ANA) : problem(401, "Nobody is signed in.")),
    "POST /api/v1/session": () => {
      signedIn = true;
      return json(ANA, 201);
    },
    [`GET ${P}`]: () => json(PROJECT),
    [`GET ${P}/models`]: () => page([]),
  });
  const router = renderAt("/acme/churn/models");
  await fillIn();
  expect(await screen.findByText("No models yet")).toBeInTheDocument();
  expect(router.state.location.pathname).toBe("/acme/churn/models");
});

test("a session that ends in the middle leads to sign in", async () => {
  stubFetch({ "GET /api/v1/tokens": () => problem(401, "The session is over.") });
  const router = renderAt("/tokens");
  // The session query still says that somebody is in; the first refused call ends it.
  await screen.findByLabelText("Password");
  expect(router.state.location.pathname + router.state.location.search).toBe("/sign-in?next=%2Ftokens");
});

test("signing out ends the session", async () => {
  const calls = stubFetch({
    "GET /api/v1/tokens": () => page([]),
    "DELETE /api/v1/session": () => new Response(null, { status: 204 }),
  });
  const router = renderAt("/tokens");
  const user = userEvent.setup();
  await user.click(await screen.findByRole("button", { name: /^Account of ana/ }));
  await user.click(await screen.findByRole("menuitem", { name: "Sign out" }));
  await screen.findByLabelText("Password");
  expect(router.state.location.pathname).toBe("/sign-in");
  expect(
    calls.some((call) => call.method === "DELETE" && call.headers.get("X-Requested-With") !== null),
  ).toBe(true);
});

test("the way by the identity provider keeps the page that was wanted", async () => {
  stubFetch({
    "GET /api/v1/session": () => problem(401, "Nobody is signed in."),
    "GET /api/v1/sign-in-options": () =>
      json({ password: true, oidc: { name: "Acme ID", start: "/auth/oidc/start" } }),
  });
  renderAt("/sign-in?next=%2Facme%2Fchurn%2Fruns%3Ffilter%3Da");
  expect(await screen.findByRole("link", { name: "Sign in with Acme ID" })).toHaveAttribute(
    "href",
    "/auth/oidc/start?next=%2Facme%2Fchurn%2Fruns%3Ffilter%3Da",
  );
});

test.each([() => json({ password: true, oidc: null }), () => problem(500, "The options are away.")])(
  "without a provider there is only the password",
  async (options) => {
    const calls = stubFetch({
      "GET /api/v1/session": () => problem(401, "Nobody is signed in."),
      "GET /api/v1/sign-in-options": options,
    });
    renderAt("/sign-in");
    await screen.findByLabelText("Password");
    await waitFor(() => expect(calls.some((call) => call.path.endsWith("sign-in-options"))).toBe(true));
    expect(screen.queryByText(/Sign in with/)).not.toBeInTheDocument();
    expect(screen.queryByRole("alert")).not.toBeInTheDocument();
  },
);

test("after too many tries the button waits as long as the server says", async () => {
  let refusals = 1;
  const calls = stubFetch({
    "GET /api/v1/session": () => problem(401, "Nobody is signed in."),
    "POST /api/v1/session": () => {
      if (refusals-- <= 0) return json(ANA, 201);
      const answer = problem(429, "Too many sign-ins failed.");
      answer.headers.set("Retry-After", "2");
      return answer;
    },
    "GET /api/v1/organizations": () => page([]),
  });
  renderAt("/sign-in");
  await fillIn();
  expect(await screen.findByRole("timer")).toHaveTextContent(/possible in [12] s/);
  expect(screen.getByRole("alert")).toHaveTextContent("Too many sign-ins failed.");
  const button = screen.getByRole("button", { name: "Sign in" });
  expect(button).toBeDisabled();
  await waitFor(() => expect(button).toBeEnabled());
  await userEvent.click(button);
  expect(await screen.findByText("You are in no organization yet")).toBeInTheDocument();
  expect(calls.filter((call) => call.method === "POST")).toHaveLength(2);
});
