from __future__ import annotations

from typing import Any

from tests.cli.answers import TIME
from tests.cli.conftest import AsJson, Ok, Run
from tests.fake_api import PROJECT, Answer, FakeApi

TRACE: dict[str, Any] = {"id": "tr-1", "name": "answer", "status": "OK", "experiment": {"id": "0", "name": "Default"}}
TRACE |= {"started_at": TIME, "duration_seconds": 0.5, "request_preview": "why?", "response_preview": "because"}
TRACE |= {"tags": {"team": "a"}, "metadata": {}, "assessments": []}
SPAN = {"id": "a", "parent_id": None, "depth": 0, "name": "root", "type": "CHAIN", "status": "OK"}
SPAN |= {"duration_seconds": 0.5}


class TestTraces:
    def test_filters_are_sent(self, signed_in: FakeApi, run: Run) -> None:
        signed_in.page(f"{PROJECT}/traces", [TRACE] * 3)
        arguments = ("--filter", "status = 'OK'", "--order-by", "name", "--experiment", "0", "--limit", "2")
        result = run("traces", "list", *arguments)
        assert len(result.stdout.splitlines()) == 3
        query = {"filter": "status = 'OK'", "order_by": "name", "experiment": "0", "limit": "3"}
        assert signed_in.last.query == query

    def test_no_trace_at_all_is_another_thing_than_none_that_fits(self, signed_in: FakeApi, run: Run) -> None:
        signed_in.page(f"{PROJECT}/traces", [])
        assert "@mlflow.trace" in run("traces", "list").stderr
        assert "No traces fit" in run("traces", "list", "--experiment", "0").stderr

    def test_a_trace_is_shown_as_a_tree(self, signed_in: FakeApi, ok: Ok, as_json: AsJson) -> None:
        whole = {**TRACE, "spans": [SPAN, {**SPAN, "id": "b", "depth": 1, "name": "leaf", "type": None}]}
        signed_in.put("GET", f"{PROJECT}/traces/tr-1", whole)
        lines = ok("traces", "show", "tr-1").splitlines()
        assert "why?" in "\n".join(lines)
        assert lines[-2].startswith("root")
        assert lines[-1].startswith("  leaf")
        assert as_json("traces", "show", "tr-1") == whole

    def test_deletion_asks_first(self, signed_in: FakeApi, run: Run, ok: Ok) -> None:
        signed_in.put("DELETE", f"{PROJECT}/traces/tr-1", Answer(status=204))
        assert run("traces", "delete", "tr-1", stdin="n\n").exit_code == 1
        assert "Deleted the trace tr-1." in ok("traces", "delete", "tr-1", "--yes")
