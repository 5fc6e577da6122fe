import { readFilter, writeFilter } from "./eventFilter";

test("the address is read as days and asked as moments, the last day included", () => {
  const { days, wanted } = readFilter(new URLSearchParams("actor=ana&from=2026-01-31&to=2026-01-31"));
  expect(days).toEqual({
    actor: "ana",
    action: "",
    object_kind: "",
    object_id: "",
    from: "2026-01-31",
    to: "2026-01-31",
  });
  expect(wanted).toEqual({
    actor: "ana",
    from: new Date(2026, 0, 31).toISOString(),
    to: new Date(2026, 1, 1).toISOString(),
  });
});

test.each(["", "from=yesterday", "to=2026-1-1", "actor="])("%s asks for nothing", (search) => {
  expect(readFilter(new URLSearchParams(search)).wanted).toEqual({});
});

test("what is empty is not in the address", () => {
  const { days } = readFilter(new URLSearchParams("action=run.created&object_id=r1"));
  expect(writeFilter({ ...days, actor: "  " })).toEqual({ action: "run.created", object_id: "r1" });
});
