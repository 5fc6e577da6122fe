"""Real replica processes that are killed, doubled, adopted and ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from modelyard import PluginUnavailable, ReplicaSpec, ReplicaStatus
from modelyard.core.processes import start_time
from modelyard.plugins.local_process import life
from modelyard.plugins.local_process.target import LocalProcess
from tests.functional.running_server import eventually

Becomes = Callable[[ReplicaSpec, str], ReplicaStatus]
WithEnvironment = Callable[..., ReplicaSpec]


def servers(spec: ReplicaSpec) -> list[int]:
    """The pids of all model servers that use the replica's folder."""
    mark = f"--directory={spec.directory}"
    return [process.pid for process in psutil.process_iter(["cmdline"]) if mark in (process.info["cmdline"] or [])]


def test_a_killed_replica_has_failed_and_is_started_again(
    target: LocalProcess, spec: ReplicaSpec, becomes: Becomes
) -> None:
    target.start(spec)
    first = becomes(spec, "ready")
    assert first.identity == {"pid": servers(spec)[0], "start_time": int(start_time(first.identity["pid"]) or 0)}
    os.kill(first.identity["pid"], signal.SIGKILL)
    becomes(spec, "failed")
    eventually(lambda: "was ended by SIGKILL" in target.observe(spec).message, "the reason")
    target.start(spec)
    second = becomes(spec, "ready")
    assert second.identity["pid"] != first.identity["pid"]
    assert servers(spec) == [second.identity["pid"]]


def test_the_process_knows_nothing_of_the_servers_settings(
    target: LocalProcess, with_environment: WithEnvironment, becomes: Becomes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODELYARD_DATABASE_URL", "postgresql://secret")
    monkeypatch.setenv("MODELYARD_SECRET_KEYS", "secret")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    spec = with_environment(THRESHOLD="0.4")
    target.start(spec)
    pid = becomes(spec, "starting").identity["pid"]
    process = psutil.Process(pid)
    known = eventually(process.environ, "the process's environment")
    assert set(known) <= {
        *("PATH", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH", "HOME", "TMPDIR", "PYTHONUNBUFFERED", "THRESHOLD"),
        *("MODELYARD_NONCE", "MODELYARD_REPLICA_TOKEN", "MODELYARD_REPLICA"),
    }
    assert (known["THRESHOLD"], known["HOME"]) == ("0.4", str(spec.directory))
    arguments = " ".join(process.cmdline())
    assert known["MODELYARD_NONCE"] not in arguments
    assert "a-secret-token" not in arguments
    assert spec.directory.stat().st_mode & 0o077 == 0
    assert (os.getsid(pid), process.cwd()) == (pid, str(spec.directory))


def test_another_process_with_the_same_number_is_absent(
    target: LocalProcess, spec: ReplicaSpec, becomes: Becomes
) -> None:
    spec.directory.mkdir()
    mine = os.getpid()
    state = {"pid": mine, "start_time": int(start_time(mine) or 0) + 1, "port": 1, "nonce": "n"}
    for name in ("replica.json", "spawned.json"):
        (spec.directory / name).write_text(json.dumps(state))
    assert target.observe(spec).state == "failed"
    target.stop(spec)
    assert target.observe(spec).state == "absent"
    (spec.directory / "replica.json").write_text(json.dumps(state))
    assert target.start(spec).state == "starting"
    assert servers(spec) != []


def test_two_starts_at_once_leave_one_process(target: LocalProcess, spec: ReplicaSpec, becomes: Becomes) -> None:
    together = threading.Barrier(4)
    answers: list[ReplicaStatus] = []

    def start() -> None:
        together.wait()
        answers.append(LocalProcess({}).start(spec))

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.state for answer in answers} == {"starting"}
    assert len({answer.identity["pid"] for answer in answers}) == 1
    assert len(servers(spec)) == 1
    assert becomes(spec, "ready").identity["pid"] == servers(spec)[0]


STARTER = """
import json, sys
from pathlib import Path
from modelyard import ReplicaSpec
from modelyard.plugins.local_process.target import LocalProcess
wish = json.loads(sys.argv[1])
wish |= {"directory": Path(wish["directory"]), "model_directory": Path(wish["model_directory"])}
sys.stdout.write("here\\n"); sys.stdout.flush(); sys.stdin.readline()
status = LocalProcess({}).start(ReplicaSpec(**wish))
sys.stdout.write(json.dumps([status.state, status.identity["pid"]]))
sys.stdout.flush()
import os
os._exit(0)
"""


def test_two_processes_that_start_at_once_leave_one(target: LocalProcess, spec: ReplicaSpec) -> None:
    wish = {
        **{key: getattr(spec, key) for key in ("deployment_id", "deployment_name", "revision", "index")},
        "directory": str(spec.directory),
        "model_directory": str(spec.model_directory),
    }
    starters = [
        subprocess.Popen(
            [sys.executable, "-c", STARTER, json.dumps(wish)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    for starter in starters:
        assert starter.stdout is not None
        assert starter.stdout.readline() == "here\n"
    for starter in starters:
        assert starter.stdin is not None
        starter.stdin.write("go\n")
        starter.stdin.flush()
    answers = [json.loads(starter.communicate(timeout=60)[0]) for starter in starters]
    assert [state for state, _ in answers] == ["starting", "starting"]
    assert len({pid for _, pid in answers}) == 1
    assert servers(spec) == [answers[0][1]]


def test_a_start_whose_starter_was_killed_is_taken_over(
    target: LocalProcess, spec: ReplicaSpec, becomes: Becomes
) -> None:
    pid = target.start(spec).identity["pid"]
    eventually(lambda: life.members(spec.directory), "the kernel's word on its environment")
    (spec.directory / "spawned.json").unlink()
    assert target.observe(spec).state == "starting"
    assert target.start(spec).identity["pid"] == pid
    assert servers(spec) == [pid]
    ready = becomes(spec, "ready")
    assert ready.identity["pid"] == pid
    target.stop(spec)
    assert target.observe(spec).state == "absent"


def test_a_start_whose_starter_was_killed_is_ended(target: LocalProcess, spec: ReplicaSpec) -> None:
    target.start(spec)
    eventually(lambda: life.members(spec.directory), "the kernel's word on its environment")
    (spec.directory / "spawned.json").unlink()
    target.stop(spec)
    assert servers(spec) == []
    assert target.observe(spec).state == "absent"


def test_an_impostor_is_replaced(target: LocalProcess, spec: ReplicaSpec, becomes: Becomes) -> None:
    target.start(spec)
    first = becomes(spec, "ready")
    (spec.directory / "nonce").write_text('{"nonce": "another"}')
    assert "Another process" in target.observe(spec).message
    target.start(spec)
    assert becomes(spec, "ready").identity != first.identity
    assert len(servers(spec)) == 1


def test_a_broken_model_says_why(target: LocalProcess, with_environment: WithEnvironment, becomes: Becomes) -> None:
    spec = with_environment(BROKEN="1")
    target.start(spec)
    failed = becomes(spec, "failed")
    assert "this model is broken" in failed.message
    assert failed.address is None
    assert "RuntimeError" in target.logs(spec)
    assert len(target.logs(spec, lines=2).splitlines()) == 2


def test_no_model_at_all_says_why(target: LocalProcess, spec: ReplicaSpec, becomes: Becomes, tmp_path: Path) -> None:
    from dataclasses import replace

    spec = replace(spec, model_directory=tmp_path)
    target.start(spec)
    assert "no MLmodel file" in becomes(spec, "failed").message


@pytest.mark.parametrize("child", ["session", "escaped"])
def test_a_stop_ends_what_the_model_started(
    target: LocalProcess, with_environment: WithEnvironment, becomes: Becomes, child: str
) -> None:
    spec = with_environment(CHILD=child)
    target.start(spec)
    server = becomes(spec, "ready").identity["pid"]
    children = psutil.Process(server).children()
    assert len(children) == 1
    target.stop(spec)
    assert life.members(spec.directory) == []
    eventually(lambda: not any(child.is_running() and child.status() != "zombie" for child in children), "its end")


def test_a_start_ends_what_a_killed_server_left(
    target: LocalProcess, with_environment: WithEnvironment, becomes: Becomes
) -> None:
    spec = with_environment(CHILD="session")
    target.start(spec)
    server = becomes(spec, "ready").identity["pid"]
    left = psutil.Process(server).children()[0]
    os.kill(server, signal.SIGKILL)
    becomes(spec, "failed")
    assert left.is_running()
    target.start(spec)
    eventually(lambda: not left.is_running() or left.status() == "zombie", "the end of the killed server's child")


def test_a_process_that_does_not_heed_is_killed(
    target: LocalProcess, spec: ReplicaSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(life, "GRACE_SECONDS", 0.2)
    pid = target.start(spec).identity["pid"]
    os.kill(pid, signal.SIGSTOP)
    target.stop(spec)
    assert servers(spec) == []


def test_what_cannot_be_ended_is_told(target: LocalProcess, spec: ReplicaSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    target.start(spec)
    with monkeypatch.context() as patch:
        patch.setattr(life, "GRACE_SECONDS", 0.1)
        patch.setattr(life, "KILLED_SECONDS", 0.1)
        patch.setattr(life, "_signal", lambda *_: None)
        with pytest.raises(PluginUnavailable, match="does not end"):
            target.stop(spec)
    assert target.observe(spec).state == "starting"


def test_the_probe_stays_on_this_host(target: LocalProcess, spec: ReplicaSpec, becomes: Becomes) -> None:
    target.start(spec)
    address = becomes(spec, "ready").address
    state: dict[str, Any] = json.loads((spec.directory / "replica.json").read_text())
    (spec.directory / "replica.json").write_text(json.dumps({**state, "address": "http://169.254.169.254:80"}))
    assert target.observe(spec).address == address
    (spec.directory / "replica.json").write_text(json.dumps({**state, "port": "80@evil"}))
    assert target.observe(spec).state == "failed"


def test_a_large_log_is_rotated_while_the_process_runs(
    target: LocalProcess, spec: ReplicaSpec, becomes: Becomes
) -> None:
    target.start(spec)
    becomes(spec, "ready")
    log = spec.directory / "replica.log"
    with log.open("a") as stream:
        stream.write(("x" * 99 + "\n") * 110_000)
        stream.write("the last line before\n")
    target.observe(spec)
    assert log.stat().st_size < 1000
    assert (spec.directory / "replica.log.old").stat().st_size > 10 * 1024 * 1024
    assert "the last line before" in target.logs(spec, lines=20)
    target.stop(spec)
    eventually(lambda: "stopped" in log.read_text(), "a line of the process in the new log")
    assert log.stat().st_size < 10_000
    assert target.logs(spec, lines=3).splitlines()[-1].endswith("stopped")
