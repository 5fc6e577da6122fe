"""Commands about oneself, and links that set passwords."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cli.answers import TIME
from tests.cli.conftest import AsJson, Ok, Run
from tests.fake_api import Answer, FakeApi

LINK = {"url": "https://modelyard.example.com/reset-password/abc", "expires_at": TIME}


def test_ones_own_account_is_edited(signed_in: FakeApi, ok: Ok) -> None:
    signed_in.put("GET", "/api/v1/session", {"user": {"username": "ada"}, "kind": "token"})
    signed_in.put("PATCH", "/api/v1/users/ada", {"username": "ada"})
    ok("account", "edit", "--display-name", "Ada", "--email", "")
    assert signed_in.last.json == {"display_name": "Ada", "email": ""}


def test_the_password_is_changed_by_stdin_or_by_asking(signed_in: FakeApi, run: Run, ok: Ok) -> None:
    signed_in.put("PUT", "/api/v1/account/password", Answer(204))
    sent = {"current_password": "old one", "password": "new one"}
    ok("account", "password", "--password-stdin", stdin="old one\nnew one\n")
    assert signed_in.last.json == sent
    asked = run("account", "password", stdin="old one\nnew one\nnew one\n")
    assert (asked.exit_code, signed_in.last.json) == (0, sent)
    assert "old one" not in asked.output
    count = len(signed_in.asked)
    assert run("account", "password", stdin="old one\nnew one\nanother\n").exit_code == 1
    assert len(signed_in.asked) == count


def test_a_throttled_change_says_when_to_come_back(signed_in: FakeApi, run: Run) -> None:
    hint, headers = "Try again in 30 s.", {"Retry-After": "30"}
    detail = "There were too many failed sign-ins."
    more: dict[str, Any] = {"hint": hint, "headers": headers}
    signed_in.problem("PUT", "/api/v1/account/password", 429, "too_many_requests", detail, **more)
    result = run("account", "password", "--password-stdin", stdin="old\nnew\n")
    assert result.exit_code == 7
    assert hint in result.stderr


def test_links_are_used_without_signing_in(api: FakeApi, ok: Ok) -> None:
    api.put("POST", "/api/v1/password-resets/abc", Answer(204))
    text = ok("account", "reset-password", f"{api.url}/reset-password/abc", "--password-stdin", stdin="new one\n")
    assert f"modelyard login {api.url}" in text
    assert (api.last.json, "Authorization" in api.last.headers) == ({"password": "new one"}, False)
    api.put("POST", "/api/v1/setup/xyz", {"username": "ada"})
    ok("account", "set-up", f"{api.url}/setup/xyz", "ada", "--password-stdin", stdin="new one\n")
    assert api.last.json == {"username": "ada", "password": "new one"}


@pytest.mark.parametrize("link", ["abc", "http://127.0.0.1:1/setup/abc", "http://127.0.0.1:1/reset-password/"])
def test_what_is_no_link_is_refused_without_being_shown(run: Run, link: str) -> None:
    result = run("account", "reset-password", link, "--password-stdin", stdin="new one\n")
    assert (result.exit_code, "abc" in result.stderr) == (2, False)


def test_sessions_are_ended(signed_in: FakeApi, ok: Ok) -> None:
    for words, path in (
        (("account", "sessions", "end", "s1"), "/api/v1/account/sessions/s1"),
        (("account", "sessions", "end-all"), "/api/v1/account/sessions"),
        (("users", "tokens", "revoke", "ada", "t1"), "/api/v1/users/ada/tokens/t1"),
        (("users", "end-sessions", "ada"), "/api/v1/users/ada/sessions"),
        (
            ("service-accounts", "tokens", "revoke", "acme", "ci", "t1"),
            "/api/v1/organizations/acme/service-accounts/ci/tokens/t1",
        ),
    ):
        signed_in.put("DELETE", path, Answer(204))
        ok(*words)
        assert (signed_in.last.method, signed_in.last.path) == ("DELETE", path)


def test_a_link_alone_is_on_stdout(signed_in: FakeApi, run: Run, as_json: AsJson) -> None:
    signed_in.put("POST", "/api/v1/users/ada/password-reset", LINK)
    result = run("users", "reset-password", "ada")
    assert result.stdout == f"{LINK['url']}\n"
    assert "once" in result.stderr
    assert as_json("users", "reset-password", "ada") == LINK
    signed_in.put("POST", "/api/v1/users", {"username": "ada", "password_link": LINK})
    assert LINK["url"] in run("users", "create", "ada").stdout.splitlines()
    run("users", "create", "ada", "--password-stdin", stdin="correct horse\n")
    assert signed_in.last.json == {"username": "ada", "password": "correct horse"}


def test_a_service_accounts_new_token_alone_is_on_stdout(signed_in: FakeApi, run: Run) -> None:
    path = "/api/v1/organizations/acme/service-accounts/ci/tokens"
    signed_in.put("POST", path, {"id": "1", "token": "my_1_x"})
    command = "service-accounts tokens create acme ci build --scope metrics --for-project churn"
    result = run(*command.split())
    assert result.stdout == "my_1_x\n"
    assert signed_in.last.json == {"name": "build", "scopes": ["metrics"], "project": "churn"}
