import { screen, within, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { renderAt } from "../test/render";
import { json, P, page, problem, PROJECT, stubFetch } from "../test/server";

const ACME = { id: "o1", slug: "acme", name: "Acme", role: "owner", created_at: "2026-01-01T00:00:00Z" };
const PROJECTS = "/api/v1/organizations/acme/projects";

test("no organization: says what to do", async () => {
  stubFetch({ "GET /api/v1/organizations": () => page([]) });
  renderAt("/");
  expect(await screen.findByText("You are in no organization yet")).toBeInTheDocument();
  expect(screen.getByRole("button", { name: "Create an organization" })).toBeEnabled();
});

test("a failure shows detail, hint and request id, and is tried again", async () => {
  let down = true;
  stubFetch({
    "GET /api/v1/organizations": () =>
      down ? problem(500, "The database is away.", { hint: "Look at /health/ready." }) : page([ACME]),
    [`GET ${PROJECTS}`]: () => page([PROJECT]),
  });
  renderAt("/");
  const alert = await screen.findByRole("alert");
  expect(alert).toHaveTextContent("The database is away.");
  expect(alert).toHaveTextContent("Look at /health/ready.");
  expect(alert).toHaveTextContent("req-1");
  down = false;
  await userEvent.click(within(alert).getByRole("button", { name: "Try again" }));
  expect(await screen.findByRole("link", { name: "Customer churn" })).toHaveAttribute(
    "href",
    "/acme/churn/runs",
  );
});

test("a project is made: the slug follows the name, and a conflict stands on its field", async () => {
  let taken = true;
  const calls = stubFetch({
    "GET /api/v1/organizations": () => page([ACME]),
    [`GET ${PROJECTS}`]: () => page([]),
    [`POST ${PROJECTS}`]: () =>
      taken
        ? problem(409, "acme has a project 'my-model' already.")
        : json({ ...PROJECT, slug: "mine" }, 201),
    "GET /api/v1/organizations/acme/projects/mine": () => json({ ...PROJECT, slug: "mine", name: "Mine" }),
  });
  const router = renderAt("/");
  const user = userEvent.setup();
  expect(await screen.findByText("modelyard projects create acme/my-project")).toBeInTheDocument();
  await user.click(screen.getByRole("button", { name: "New project" }));
  const dialog = await screen.findByRole("dialog");
  await user.type(within(dialog).getByLabelText(/Name/), "My Model");
  const slug = within(dialog).getByLabelText(/Address/);
  expect(slug).toHaveValue("my-model");
  await user.click(within(dialog).getByRole("button", { name: "Create project" }));
  expect(await within(dialog).findByText("acme has a project 'my-model' already.")).toBeInTheDocument();
  expect(slug).toBeInvalid();

  taken = false;
  await user.clear(slug);
  await user.type(slug, "mine");
  await user.click(within(dialog).getByRole("button", { name: "Create project" }));
  await waitFor(() => expect(router.state.location.pathname).toBe("/acme/mine/runs"));
  expect(calls.filter((call) => call.method === "POST").at(-1)?.body).toEqual({
    name: "My Model",
    slug: "mine",
  });
});

test("a page that is not there says so", async () => {
  stubFetch({});
  renderAt("/a/b/c/d/e");
  expect(await screen.findByText("There is no such page")).toBeInTheDocument();
});

test("a project that is not there keeps the server's words", async () => {
  stubFetch({ [`GET ${P}`]: () => problem(404, "There is no project 'acme/churn'.") });
  renderAt("/acme/churn");
  expect(await screen.findByRole("alert")).toHaveTextContent("There is no project 'acme/churn'.");
});
