import { screen } from "@testing-library/react";
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
  await user.click(await screen.findByRole("button", { name: "Account of ana" }));
  await user.click(await screen.findByRole("menuitem", { name: "Sign out" }));
  await screen.findByLabelText("Password");
  expect(router.state.location.pathname).toBe("/sign-in");
  expect(
    calls.some((call) => call.method === "DELETE" && call.headers.get("X-Requested-With") !== null),
  ).toBe(true);
});
