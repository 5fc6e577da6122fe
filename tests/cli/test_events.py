"""`modelyard events`: filters become the query, and the export is what the server sent."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Ok, Run
from tests.fake_api import PROJECT, Answer, FakeApi

FILTERS = {
    "actor": "ada", "action": "model.*", "object-kind": "model", "object-id": "m1", "since": "2026-03-01T00:00:00Z",
    "until": "2026-04-01T00:00:00Z", "address": "10.0.0.9", "request-id": "r1",
}  # fmt: skip
QUERY = {
    "actor": "ada", "action": "model.*", "object_kind": "model", "object_id": "m1", "from": "2026-03-01T00:00:00Z",
    "to": "2026-04-01T00:00:00Z", "address": "10.0.0.9", "request_id": "r1",
}  # fmt: skip
LINES = b'{"id":"e1"}\n{"id":"e2"}\n'


def test_filters_are_sent_as_the_api_names_them(signed_in: FakeApi, ok: Ok) -> None:
    signed_in.page(f"{PROJECT}/events", [])
    ok("events", "list", *(f"--{name}={value}" for name, value in FILTERS.items()))
    assert signed_in.asked[-1].query == {**QUERY, "limit": "101"}


def test_the_export_goes_to_stdout_or_into_a_file(signed_in: FakeApi, ok: Ok, home: Path) -> None:
    path = "/api/v1/organizations/acme/events/export"
    signed_in.put("GET", path, Answer(body=LINES))
    assert ok("events", "export", "--organization", "acme", "--action", "model.*").encode() == LINES
    assert signed_in.asked[-1].query == {"action": "model.*", "format": "ndjson"}
    ok("events", "export", "--organization", "acme", "--format", "csv", "--to", "events.csv")
    assert signed_in.asked[-1].query == {"format": "csv"}
    assert (home / "work" / "events.csv").read_bytes() == LINES


def test_an_export_that_breaks_off_leaves_no_file(signed_in: FakeApi, run: Run, home: Path) -> None:
    signed_in.put("GET", "/api/v1/events/export", Answer(body=LINES, cut_at=5))
    result = run("events", "export", "--instance", "--to", "events.ndjson")
    assert result.exit_code == 7, result.output
    assert not (home / "work" / "events.ndjson").exists()


def test_one_scope_at_a_time(signed_in: FakeApi, run: Run) -> None:
    result = run("events", "list", "--instance", "--organization", "acme")
    assert result.exit_code == 2
    assert "do not go together" in result.stderr
