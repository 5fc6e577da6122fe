from __future__ import annotations

from typing import Any

import pytest

from tests.cli.answers import DEPLOYMENT
from tests.cli.conftest import AsJson, Ok, Run, Terminal
from tests.fake_api import PROJECT, Answer, FakeApi


class TestWaiting:
    PATH = f"{PROJECT}/deployments/live"

    @pytest.fixture(autouse=True)
    def at_once(self, signed_in: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("modelyard.client.Client.__init__.__kwdefaults__", _never_sleeping(), raising=False)
        signed_in.put("POST", f"{PROJECT}/deployments", Answer(201, DEPLOYMENT))

    def test_until_ready(self, signed_in: FakeApi, run: Run) -> None:
        ready = {**DEPLOYMENT, "status": "ready", "ready_replicas": 2}
        signed_in.put("GET", self.PATH, {**DEPLOYMENT, "status": "starting", "message": "loading"}, ready)
        result = run("deployments", "create", "live", "--model", "risk", "--wait")
        assert result.exit_code == 0, result.output
        assert result.stderr.splitlines() == [
            "starting, 0 of 2 replicas are ready: loading",
            "ready, 2 of 2 replicas are ready",
        ]
        assert result.stdout == f"Made the deployment live. It is ready at {DEPLOYMENT['address']}.\n"

    def test_a_failure_ends_with_9(self, signed_in: FakeApi, run: Run) -> None:
        signed_in.put("GET", self.PATH, {**DEPLOYMENT, "status": "failed", "message": "No module named xgboost"})
        result = run("deployments", "create", "live", "--model", "risk", "--wait")
        assert result.exit_code == 9
        assert "No module named xgboost" in result.stderr
        assert "modelyard deployments logs live" in result.stderr

    def test_the_deadline_ends_with_9(self, signed_in: FakeApi, run: Run) -> None:
        signed_in.put("POST", f"{self.PATH}/start", DEPLOYMENT)
        signed_in.put("GET", self.PATH, DEPLOYMENT)
        assert run("deployments", "start", "live", "--wait", "--timeout", "0").exit_code == 9

    def test_a_terminal_sees_one_moving_line(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from modelyard.cli.commands.deployments import _states

        screen = Terminal()
        monkeypatch.setattr("modelyard.cli.commands.deployments.sys.stderr", screen)
        with _states() as show:
            show({**DEPLOYMENT, "message": "[red]loading"})
        assert "asking" in screen.getvalue() or "[red]loading" in screen.getvalue()

    def test_an_edit_of_nothing_ends_with_2(self, run: Run) -> None:
        assert run("deployments", "edit", "live").exit_code == 2
        assert run("models", "edit", "risk").exit_code == 2


def _never_sleeping() -> dict[str, Any]:
    return {"timeout_seconds": 5, "transport": None, "sleep": lambda seconds: None}


def test_logs(signed_in: FakeApi, run: Run, ok: Ok, as_json: AsJson) -> None:
    items = [{"replica": "revision 1, replica 0", "text": "started\nready \x1b[0m"}]
    signed_in.put("GET", f"{PROJECT}/deployments/live/logs", {"items": items})
    assert ok("deployments", "logs", "live", "--lines", "5") == "started\nready \N{REPLACEMENT CHARACTER}[0m\n"
    assert signed_in.last.query == {"lines": "5"}
    assert as_json("deployments", "logs", "live") == items
    signed_in.put("GET", f"{PROJECT}/deployments/live/logs", {"items": [{**items[0], "text": ""}]})
    assert "`modelyard deployments show live`" in run("deployments", "logs", "live").stderr
    signed_in.put("GET", f"{PROJECT}/deployments/live/logs", {"items": items})
    items.append({"replica": "revision 1, replica 1", "text": "started"})
    assert "revision 1, replica 1 | started" in ok("deployments", "logs", "live")
