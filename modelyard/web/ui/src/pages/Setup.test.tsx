import { screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { renderAt } from "../test/render";
import { ANA, json, page, problem, stubFetch } from "../test/server";

async function fillIn(password: string, again: string) {
  const user = userEvent.setup();
  await user.type(await screen.findByLabelText(/^User name/), "ana");
  await user.type(screen.getByLabelText("Your name"), "Ana");
  await user.type(screen.getByLabelText(/^New password/), password);
  await user.type(screen.getByLabelText(/^The same again/), again);
  await user.click(screen.getByRole("button", { name: "Create the account" }));
}

test("the first administrator is made, signed in, and comes to the start page", async () => {
  let signedIn = false;
  const calls = stubFetch({
    "GET /api/v1/session": () => (signedIn ? json(ANA) : problem(401, "Nobody is signed in.")),
    "POST /api/v1/setup/one%2Ftime": () => json(ANA.user, 201),
    "POST /api/v1/session": () => {
      signedIn = true;
      return json(ANA, 201);
    },
    "GET /api/v1/organizations": () => page([]),
  });
  const router = renderAt("/setup/one%2Ftime");
  await fillIn("correct horse battery", "correct horse battery");
  expect(await screen.findByText("You are in no organization yet")).toBeInTheDocument();
  expect(router.state.location.pathname).toBe("/");
  const [made, entered] = calls.filter((call) => call.method === "POST");
  expect(made?.body).toEqual({ username: "ana", display_name: "Ana", password: "correct horse battery" });
  expect(entered?.body).toEqual({ username: "ana", password: "correct horse battery" });
});

test("two passwords that differ, or a short one, are told before they are sent", async () => {
  const calls = stubFetch({});
  renderAt("/setup/t");
  await fillIn("short", "shorter");
  expect(await screen.findByText("At least 10 characters.")).toBeInTheDocument();
  expect(screen.getByText("The two are not the same.")).toBeInTheDocument();
  expect(calls.filter((call) => call.method === "POST")).toHaveLength(0);
});

test("a link that was used says so; a name that is taken stands on its field", async () => {
  let used = true;
  stubFetch({
    "POST /api/v1/setup/t": () =>
      used ? problem(404, "The link was used, or is none.") : problem(409, "There is a user 'ana' already."),
  });
  renderAt("/setup/t");
  await fillIn("correct horse battery", "correct horse battery");
  expect(await screen.findByRole("alert")).toHaveTextContent("The link was used, or is none.");
  used = false;
  await userEvent.click(screen.getByRole("button", { name: "Create the account" }));
  expect(await screen.findByText("There is a user 'ana' already.")).toBeInTheDocument();
  expect(screen.getByLabelText(/^User name/)).toBeInvalid();
});
