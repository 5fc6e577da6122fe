"""What the server counts, as a real Prometheus and a real statsd see it."""

from __future__ import annotations

import json
import socket
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.functional.conftest import Tenant
from tests.functional.running_server import RunningServer, eventually, free_port
from tests.parts import command, node_module

REQUESTS = 30


class Prometheus:
    """A Prometheus that scrapes one server every second."""

    def __init__(self, target: str, folder: Path) -> None:
        self.port = free_port()
        folder.mkdir()
        (folder / "prometheus.yml").write_text(
            "global: {scrape_interval: 1s}\n"
            f"scrape_configs: [{{job_name: modelyard, static_configs: [{{targets: ['{target}']}}]}}]\n"
        )
        words = [f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
        words.append(f"--web.listen-address=127.0.0.1:{self.port}")
        with (folder / "log").open("wb") as log:
            self.process = subprocess.Popen([command("prometheus"), *words], stdout=log, stderr=log)

    def ask(self, query: str) -> dict[str, float]:
        """Return the value of each series, by one of its labels."""
        address = f"http://127.0.0.1:{self.port}/api/v1/query?query={urllib.parse.quote(query)}"
        try:
            with urllib.request.urlopen(address, timeout=10) as answer:
                found = json.load(answer)["data"]["result"]
        except OSError:
            return {}
        return {next(iter(row["metric"].values()), ""): float(row["value"][1]) for row in found}

    def stop(self) -> None:
        """End it."""
        self.process.kill()
        self.process.wait()


@pytest.fixture
def counted(environment: dict[str, str], database_kind: str, tmp_path: Path) -> Iterator[Any]:
    """A server, with two processes where the database allows, and a Prometheus that scrapes it."""
    more = {"MODELYARD_SERVER_WORKERS": "2"} if database_kind == "postgresql" else {}
    server = RunningServer(environment | more, tmp_path / "serve.log").start()
    prometheus = Prometheus(f"127.0.0.1:{server.port}", tmp_path / "prometheus")
    yield server, prometheus
    prometheus.stop()
    server.kill_all()


SHOWN = 'sum(modelyard_http_requests_total{endpoint="projects.ProjectView",status="200"})'


def test_prometheus_counts_every_request_of_every_process(counted: Any, tenant: Tenant, database_kind: str) -> None:
    server, prometheus = counted
    for _ in range(REQUESTS):
        assert server.get(tenant.api, token=tenant.token).status == 200
    eventually(lambda: prometheus.ask(SHOWN) == {"": REQUESTS}, "the count in Prometheus")
    killed = server.kill("web")
    eventually(lambda: killed not in server.pids("web") and server.status() == "ready", "another process")

    def is_answered() -> bool:
        with suppress(ConnectionError):  # of a connection that the killed process had not yet taken
            return server.get(tenant.api, token=tenant.token).status == 200
        return False

    for _ in range(REQUESTS):
        eventually(is_answered, "an answer")
    eventually(lambda: prometheus.ask(SHOWN) == {"": 2 * REQUESTS}, "the count over a respawn")
    seconds = 'sum(modelyard_http_request_seconds_bucket{endpoint="projects.ProjectView",le="+Inf"})'
    eventually(lambda: prometheus.ask(seconds) == {"": 2 * REQUESTS}, "the histogram")
    assert prometheus.ask("modelyard_workers") == {"modelyard_workers": 1}
    assert prometheus.ask("modelyard_database_up") == {"modelyard_database_up": 1}
    in_progress = eventually(lambda: prometheus.ask("sum(modelyard_http_requests_in_progress)"), "the gauge")[""]
    assert in_progress == 1  # the scrape itself; nothing is left of the killed process


def test_the_worker_is_counted_too(counted: Any, tenant: Tenant, services: Any, factories: Any) -> None:
    server, prometheus = counted
    owner = factories.actor(tenant.project.organization.members.get().user)
    hook = {"url": "http://127.0.0.1:1/"}
    services.connections.create(owner, tenant.project, name="ghost", kind="notifier", provider="webhook", settings=hook)
    server.post(f"{tenant.api}/models", {"name": "risk"}, token=tenant.token)
    failed = 'sum(modelyard_job_attempts_total{kind="delivery",outcome="failed"})'
    eventually(lambda: prometheus.ask(failed).get("", 0) >= 1, "the failed delivery")
    eventually(lambda: prometheus.ask('modelyard_deliveries{state="queued"}'), "the deliveries that wait")
    calls = 'sum by (plugin) (modelyard_plugin_calls_total{plugin="webhook",outcome!="ok"})'
    eventually(lambda: prometheus.ask(calls).get("webhook", 0) >= 1, "the call of the plugin")


class Statsd:
    """The real statsd, which keeps what it is told until it is asked."""

    def __init__(self, folder: Path) -> None:
        self.port, self.management = free_port(), free_port()
        config = folder / "statsd.js"
        config.write_text(
            f"{{port: {self.port}, address: '127.0.0.1', mgmt_port: {self.management}, mgmt_address: '127.0.0.1',"
            " flushInterval: 3600000, backends: ['./backends/console']}"
        )
        words = [command("node"), str(node_module("statsd") / "stats.js"), str(config)]
        with (folder / "statsd.log").open("wb") as log:
            self.process = subprocess.Popen(words, stdout=log, stderr=log)
        eventually(lambda: self.ask("health") != "", "statsd")

    def ask(self, question: str) -> str:
        """Return what it answers."""
        try:
            with socket.create_connection(("127.0.0.1", self.management), timeout=5) as connection:
                connection.sendall(f"{question}\n".encode())
                answer = b""
                while not answer.rstrip().endswith((b"END", b"up")):
                    read = connection.recv(65536)
                    if not read:
                        break
                    answer += read
                return answer.decode()
        except OSError:
            return ""


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_statsd_is_told_the_same(environment: dict[str, str], tenant: Tenant, tmp_path: Path) -> None:
    statsd = Statsd(tmp_path)
    told = {"MODELYARD_TELEMETRY_STATSD_HOST": "127.0.0.1", "MODELYARD_TELEMETRY_STATSD_PORT": str(statsd.port)}
    server = RunningServer(environment | told, tmp_path / "serve.log")
    try:
        server.start()
        for _ in range(REQUESTS):
            server.get(tenant.api, token=tenant.token)
        name = "modelyard.http_requests.GET.projects_ProjectView.200"
        eventually(lambda: f"'{name}': {REQUESTS}" in statsd.ask("counters"), "the count in statsd")
        assert "'modelyard.http_request.GET.projects_ProjectView': [" in statsd.ask("timers")
    finally:
        server.kill_all()
        statsd.process.kill()
        statsd.process.wait()
