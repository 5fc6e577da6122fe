import { screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { renderAt } from "../test/render";
import { ANA, json, page, problem, stubFetch } from "../test/server";

const session = (id: string, more: object) => ({
  id,
  address: `10.0.0.${id}`,
  user_agent: "Firefox",
  created_at: "2026-01-01T00:00:00Z",
  last_seen_at: "2026-01-02T00:00:00Z",
  is_current: false,
  ...more,
});
const HERE = session("1", { is_current: true });
const THERE = session("2", {});
const ME = "GET /api/v1/users/ana";
const SESSIONS = "GET /api/v1/account/sessions";

test("the profile is saved and shown in the bar", async () => {
  let name = "Ana";
  const calls = stubFetch({
    "GET /api/v1/session": () => json({ ...ANA, user: { ...ANA.user, display_name: name } }),
    [ME]: () => json({ ...ANA.user, display_name: name, email: "a@x.org" }),
    [SESSIONS]: () => page([HERE]),
    "PATCH /api/v1/users/ana": (call) => {
      name = (call.body as { display_name: string }).display_name;
      return json({ ...ANA.user, display_name: name, email: "a@x.org" });
    },
  });
  renderAt("/account");
  const user = userEvent.setup();
  const field = await screen.findByLabelText("Name");
  expect(screen.getByLabelText("E-mail")).toHaveValue("a@x.org");
  await user.clear(field);
  await user.type(field, "Ana Ng");
  await user.click(screen.getByRole("button", { name: "Save" }));
  expect(await screen.findByRole("button", { name: /^Account of ana/ })).toHaveTextContent("Ana Ng");
  expect(calls.find((call) => call.method === "PATCH")?.body).toEqual({
    display_name: "Ana Ng",
    email: "a@x.org",
  });
  expect(screen.getByRole("link", { name: "API tokens" })).toHaveAttribute("href", "/tokens");
});

test("the password is changed; a wrong one stands on its field", async () => {
  let wrong = true;
  const calls = stubFetch({
    [ME]: () => json({ ...ANA.user, email: "" }),
    [SESSIONS]: () => page([HERE]),
    "PUT /api/v1/account/password": () =>
      wrong
        ? problem(422, "x", { errors: { current_password: ["That is not your password."] } })
        : new Response(null, { status: 204 }),
  });
  renderAt("/account");
  const user = userEvent.setup();
  const present = await screen.findByLabelText(/^Present password/);
  await user.type(present, "what I have now");
  await user.type(screen.getByLabelText(/^New password/), "correct horse battery");
  await user.type(screen.getByLabelText(/^The same again/), "correct horse battery");
  await user.click(screen.getByRole("button", { name: "Change password" }));
  expect(await screen.findByText("That is not your password.")).toBeInTheDocument();
  wrong = false;
  await user.click(screen.getByRole("button", { name: "Change password" }));
  expect(await screen.findByText(/Your password is changed/)).toBeInTheDocument();
  expect(present).toHaveValue("");
  expect(calls.filter((call) => call.method === "PUT")[1]?.body).toEqual({
    current_password: "what I have now",
    password: "correct horse battery",
  });
});

test("another session is ended; the present one cannot be", async () => {
  let sessions = [HERE, THERE];
  stubFetch({
    [SESSIONS]: () => page(sessions),
    "DELETE /api/v1/account/sessions/2": () => {
      sessions = [HERE];
      return new Response(null, { status: 204 });
    },
  });
  renderAt("/account");
  const table = await screen.findByRole("region", { name: "Sessions" });
  expect(within(table).getByText("This one").closest("tr")).toHaveTextContent("10.0.0.1");
  expect(within(table).getAllByRole("button")).toHaveLength(1);
  await userEvent.click(within(table).getByRole("button", { name: "End the session at 10.0.0.2" }));
  await userEvent.click(await screen.findByRole("button", { name: "End session" }));
  await vi.waitFor(() => expect(screen.queryByText("10.0.0.2")).not.toBeInTheDocument(), { timeout: 10_000 });
  expect(screen.getByText("10.0.0.1")).toBeInTheDocument();
});

test("what cannot be read leaves the rest of the page", async () => {
  let away = true;
  stubFetch({
    [ME]: () => (away ? problem(500, "The database is away.") : json({ ...ANA.user, email: "" })),
    [SESSIONS]: () => problem(500, "The database is away."),
  });
  renderAt("/account");
  expect(await screen.findByText("The sessions could not be read.")).toBeInTheDocument();
  expect(screen.getByLabelText(/^Present password/)).toBeEnabled();
  const failed = (await screen.findByText("Your profile could not be read.")).closest("section");
  away = false;
  await userEvent.click(within(failed as HTMLElement).getByRole("button", { name: "Try again" }));
  expect(await screen.findByLabelText("Name")).toHaveValue("Ana");
});
