import { screen, within, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { renderAt } from "../test/render";
import { json, page, stubFetch } from "../test/server";

const TOKEN = {
  id: "t1",
  name: "ci",
  scopes: ["read", "write"],
  created_at: "2026-01-01T00:00:00Z",
  expires_at: null,
  last_used_at: null,
};

test("a token's secret is shown once, and the token can be revoked", async () => {
  let tokens: object[] = [];
  const calls = stubFetch({
    "GET /api/v1/tokens": () => page(tokens),
    "POST /api/v1/tokens": () => {
      tokens = [TOKEN];
      return json({ ...TOKEN, token: "my_1_secret" }, 201);
    },
    "DELETE /api/v1/tokens/t1": () => {
      tokens = [];
      return new Response(null, { status: 204 });
    },
  });
  renderAt("/tokens");
  const user = userEvent.setup();
  await user.click(await screen.findByRole("button", { name: "Create a token" }));
  const dialog = await screen.findByRole("dialog");
  await user.type(within(dialog).getByLabelText(/Name/), "ci");
  await user.click(within(dialog).getByRole("button", { name: "Create token" }));
  expect(await within(dialog).findByText("my_1_secret")).toBeInTheDocument();
  expect(calls.find((call) => call.method === "POST")?.body).toEqual({
    name: "ci",
    scopes: ["read", "write"],
    expires_in_days: 90,
  });
  await user.click(within(dialog).getByRole("button", { name: "I have copied it" }));
  await waitFor(() => expect(screen.queryByText("my_1_secret")).not.toBeInTheDocument());

  await user.click(await screen.findByRole("button", { name: "Revoke ci" }));
  await user.click(await screen.findByRole("button", { name: "Revoke token" }));
  expect(await screen.findByText("You have no tokens")).toBeInTheDocument();
});
