from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.answers import CONNECTION
from tests.cli.conftest import AsJson, Ok, Run
from tests.fake_api import PROJECT, Answer, FakeApi


class TestConnections:
    @pytest.fixture(autouse=True)
    def known(self, signed_in: FakeApi) -> None:
        signed_in.page(f"{PROJECT}/connections", [CONNECTION])
        signed_in.put("POST", f"{PROJECT}/connections", Answer(201, CONNECTION))

    def test_settings_and_secrets(self, signed_in: FakeApi, ok: Ok) -> None:
        Path("key.txt").write_text("s3cr3t\n")
        arguments = ("--set", "url=https://x?a=1", "--set", "port:=8", "--set", "tags:=[1]", "--subscribe", "model.*")
        secrets = ("--secret", "key=@key.txt", "--secret", "pass=-")
        text = ok("connections", "create", "notifier", "webhook", "hook", *arguments, *secrets, stdin="p w\n")
        settings = {"url": "https://x?a=1", "port": 8, "tags": [1], "key": "s3cr3t", "pass": "p w"}
        assert signed_in.last.json["settings"] == settings
        assert signed_in.last.json["subscriptions"] == ["model.*"]
        assert "s3cr3t" not in text

    @pytest.mark.parametrize(
        "arguments", [("--set", "port"), ("--set", "=8"), ("--set", "port:=x"), ("--secret", "key=s3cr3t")]
    )
    def test_nonsense_ends_with_2(self, run: Run, arguments: tuple[str, ...]) -> None:
        result = run("connections", "create", "notifier", "webhook", "hook", *arguments)
        assert result.exit_code == 2
        assert "s3cr3t" not in result.output

    def test_nothing_is_saved_if_the_test_fails(self, signed_in: FakeApi, run: Run) -> None:
        signed_in.put("POST", f"{PROJECT}/connections/test", {"ok": False, "message": "refused"})
        result = run("connections", "create", "notifier", "webhook", "hook", "--test-first")
        assert result.exit_code == 7
        assert "Why: refused" in result.stderr
        assert signed_in.last.path.endswith("/test")

    def test_test(self, signed_in: FakeApi, run: Run, as_json: AsJson) -> None:
        path = f"{PROJECT}/connections/c1/test"
        signed_in.put("POST", path, {"ok": True, "message": "200 in 3 ms"})
        assert run("connections", "test", "hook").stdout == "hook answers. 200 in 3 ms\n"
        assert as_json("connections", "test", "c1")["ok"] is True
        signed_in.put("POST", path, {"ok": False, "message": ""})
        assert run("connections", "test", "hook").exit_code == 7
        assert run("connections", "test", "other").exit_code == 3

    def test_show_and_edit(self, signed_in: FakeApi, run: Run, as_json: AsJson) -> None:
        assert as_json("connections", "show", "c1") == CONNECTION
        signed_in.put("PATCH", f"{PROJECT}/connections/c1", CONNECTION)
        arguments = ("--set", "timeout:=3", "--disable", "--subscribe", "run.*")
        assert run("connections", "edit", "hook", *arguments).exit_code == 0
        changes = {"settings": {"url": "https://x", "timeout": 3}, "enabled": False, "subscriptions": ["run.*"]}
        assert signed_in.last.json == changes
        assert run("connections", "edit", "hook").exit_code == 2

    def test_new_settings_are_saved_only_if_they_answer(self, signed_in: FakeApi, run: Run) -> None:
        edit = ("connections", "edit", "hook", "--set", "timeout:=3", "--test-first")
        signed_in.put("POST", f"{PROJECT}/connections/c1/test", {"ok": False, "message": "502 in 9 ms"})
        refused = run(*edit)
        assert (refused.exit_code, "502 in 9 ms" in refused.stderr) == (7, True)
        assert signed_in.last.json == {"settings": {"url": "https://x", "timeout": 3}}
        signed_in.put("POST", f"{PROJECT}/connections/c1/test", {"ok": True, "message": ""})
        signed_in.put("PATCH", f"{PROJECT}/connections/c1", CONNECTION)
        assert run(*edit).exit_code == 0
        assert signed_in.last.method == "PATCH"
