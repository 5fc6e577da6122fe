import { screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { renderAt } from "../test/render";
import { problem, stubFetch } from "../test/server";

async function fillIn(password: string) {
  const user = userEvent.setup();
  await user.type(await screen.findByLabelText(/^New password/), password);
  await user.type(screen.getByLabelText(/^The same again/), password);
  await user.click(screen.getByRole("button", { name: "Change the password" }));
}

test("a new password by a link, and then to sign in, whoever was signed in before", async () => {
  const calls = stubFetch({ "POST /api/v1/password-resets/t1": () => new Response(null, { status: 204 }) });
  const router = renderAt("/reset-password/t1");
  await fillIn("correct horse battery");
  await userEvent.click(await screen.findByRole("link", { name: "Sign in" }));
  expect(await screen.findByLabelText("User name")).toBeInTheDocument();
  expect(router.state.location.pathname).toBe("/sign-in");
  expect(calls.find((call) => call.method === "POST")?.body).toEqual({ password: "correct horse battery" });
});

test("what the server refuses stands where it belongs", async () => {
  let ended = true;
  stubFetch({
    "POST /api/v1/password-resets/t1": () =>
      ended
        ? problem(404, "The link has ended.", { hint: "Ask for a new one." })
        : problem(422, "x", { errors: { password: ["This one is known to everybody."] } }),
  });
  renderAt("/reset-password/t1");
  await fillIn("correct horse battery");
  expect(await screen.findByRole("alert")).toHaveTextContent("Ask for a new one.");
  ended = false;
  await userEvent.click(screen.getByRole("button", { name: "Change the password" }));
  expect(await screen.findByText("This one is known to everybody.")).toBeInTheDocument();
});
