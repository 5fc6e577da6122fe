"""A new server tells its own log, and nobody else, how the first administrator comes in."""

from __future__ import annotations

import re

import pytest

from tests.functional.person import PASSWORD, start_process
from tests.functional.running_server import RunningServer


def links(server: RunningServer) -> list[str]:
    """The links that the server has printed."""
    return re.findall(r"^modelyard: (http://\S+/setup/\S+)$", server.log.read_text(), re.MULTILINE)


def test_the_printed_link_outlives_a_restart_and_works_once(server: RunningServer) -> None:
    server.start(ready="ready")
    server.stop()
    server.start(ready="ready")
    first, second = links(server)
    assert first.startswith(f"{server.url}/setup/")
    assert first != second
    words = ("account", "set-up", first, "ada", "--password-stdin")
    made = start_process(*words, stdin=f"{PASSWORD}\n", environment=server.environment)
    assert made.code == 0, made.stderr
    again = start_process(*words[:3], "eve", "--password-stdin", stdin=f"{PASSWORD}\n", environment=server.environment)
    assert again.code == 3, again.stderr
    signed_in = server.post("/api/v1/session", {"username": "ada", "password": PASSWORD})
    assert (signed_in.status, signed_in.json()["user"]["is_instance_admin"]) == (201, True)
    for link in (first, second):
        answer = server.post(f"/api/v1/setup/{link.rpartition('/')[2]}", {"username": "eve", "password": PASSWORD})
        assert answer.status == 404
    server.stop()
    server.start(ready="ready")
    assert len(links(server)) == 2


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_a_lost_password_is_reset_on_the_server(server: RunningServer) -> None:
    environment = server.environment
    start_process("admin", "users", "create", "ada", "--admin", stdin="", environment=environment)
    server.start()
    assert links(server) == []
    told = start_process("admin", "users", "reset-password", "ada", stdin="", environment=environment)
    link = told.stdout.strip()
    token = link.rpartition("/reset-password/")[2]
    assert server.post(f"/api/v1/password-resets/{token}", {"password": PASSWORD}).status == 204
    assert server.post("/api/v1/session", {"username": "ada", "password": PASSWORD}).status == 201
    disabled = start_process("admin", "users", "disable", "ada", stdin="", environment=environment)
    assert (disabled.code, "last active" in disabled.stderr) == (5, True)
