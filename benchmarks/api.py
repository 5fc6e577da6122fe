"""How many requests a second the common calls of the API stand, how long they take, and what memory the server keeps.

    python benchmarks/api.py                                            # SQLite
    python benchmarks/api.py --postgresql postgresql://postgres@127.0.0.1:5432

It starts a server of its own in a temporary folder (on PostgreSQL in a database of its own), with 200 runs in a
project, and asks it by 1, 8 and 32 clients at once, each on a kept connection. Clients and server share this machine's
cores. Then all calls are mixed for a while, and the memory (PSS) of all the server's processes is watched.
"""

from __future__ import annotations

import argparse
import http.client
import itertools
import json
import os
import platform
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
from rich.console import Console
from rich.table import Table

from modelyard.client import Client

PASSWORD = "correct horse battery"
RUNS = 200
BATCH = 100
START_SECONDS = 60
JSON = {"Content-Type": "application/json"}

Call = tuple[str, str, bytes | None]


@dataclass
class Result:
    """What one call stood, under so many clients."""

    call: str
    clients: int
    requests: int
    errors: int
    per_second: float
    p50_ms: float
    p95_ms: float
    p99_ms: float


@dataclass
class Report:
    """All that was measured."""

    database: str
    machine: str
    results: list[Result] = field(default_factory=list)
    memory: list[dict[str, float]] = field(default_factory=list)


class Server:
    """`modelyard serve` with a project in it."""

    def __init__(self, folder: Path, database_url: str) -> None:
        with socket.socket() as trial:
            trial.bind(("127.0.0.1", 0))
            self.port = int(trial.getsockname()[1])
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("MODELYARD_", "PROMETHEUS_"))}
        self.environment = kept | {
            "MODELYARD_DATA_DIRECTORY": str(folder / "data"),
            "MODELYARD_DATABASE_URL": database_url,
            "MODELYARD_LIMITS_ENABLED": "false",
            "MODELYARD_SERVER_PORT": str(self.port),
        }
        self.log = folder / "serve.log"
        self.token = ""
        self.runs: list[str] = []

    def start(self) -> None:
        """Start it and wait until it answers."""
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(self._command("serve"), env=self.environment, stdout=log, stderr=log)
        deadline = time.monotonic() + START_SECONDS
        while not self._is_ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"The server did not start: {self.log.read_text()[-2000:]}")
            time.sleep(0.1)

    def fill(self) -> None:
        """Make a user, a project, and runs with a metric each."""
        create = self._command("admin", "users", "create", "ada", "--admin", "--password-stdin")
        subprocess.run(create, env=self.environment, input=PASSWORD.encode(), check=True, capture_output=True)
        client = Client(f"http://127.0.0.1:{self.port}")
        client.session.create("ada", PASSWORD)
        self.token = client.tokens.create("benchmark", ["read", "write", "admin"])["token"]
        client = Client(f"http://127.0.0.1:{self.port}", self.token)
        client.call("POST", "/api/v1/organizations", json={"slug": "acme", "name": "Acme"})
        client.call("POST", "/api/v1/organizations/acme/projects", json={"slug": "churn", "name": "Churn"})
        for number in range(RUNS):
            run = client.call("POST", f"{WIRE}/runs/create", json={"experiment_id": "0", "run_name": f"run {number}"})
            self.runs.append(run["run"]["info"]["run_id"])
            point = {"run_id": self.runs[-1], "key": "auc", "value": number / RUNS, "timestamp": 1, "step": 0}
            client.call("POST", f"{WIRE}/runs/log-metric", json=point)

    def pss_mib(self) -> float:
        """Return the memory of all processes, shared pages divided among those that share them."""
        family = [psutil.Process(self.process.pid), *psutil.Process(self.process.pid).children(recursive=True)]
        return sum(process.memory_full_info().pss for process in family) / 1024**2

    def stop(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.wait(30)

    def _command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "modelyard.cli.main", *words]

    def _is_ready(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/health/ready")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()


WIRE = "/mlflow/acme/churn/api/2.0/mlflow"
PROJECT = "/api/v1/organizations/acme/projects/churn"
steps = itertools.count(1)


def calls(server: Server) -> dict[str, Callable[[int], Call]]:
    """Return the calls by name; each makes the next request of one client."""

    def post(path: str, body: dict[str, Any]) -> Call:
        return "POST", f"{WIRE}/{path}", json.dumps(body).encode()

    def point(client: int) -> dict[str, Any]:
        return {"key": f"loss{client}", "value": 0.5, "timestamp": 1700000000000, "step": next(steps)}

    def run_of(client: int) -> str:
        return server.runs[client % len(server.runs)]

    return {
        "health": lambda client: ("GET", "/health/live", None),
        "get project": lambda client: ("GET", PROJECT, None),
        "list runs": lambda client: ("GET", f"{PROJECT}/runs?limit=50", None),
        "search runs (wire)": lambda client: post(
            "runs/search", {"experiment_ids": ["0"], "filter": "metrics.auc > 0.9", "max_results": 50}
        ),
        "log-metric (wire)": lambda client: post("runs/log-metric", {"run_id": run_of(client), **point(client)}),
        f"log-batch of {BATCH} (wire)": lambda client: post(
            "runs/log-batch", {"run_id": run_of(client), "metrics": [point(client) for _ in range(BATCH)]}
        ),
    }


def ask(server: Server, clients: int, seconds: float, make: Callable[[int], Call]) -> tuple[list[float], int, float]:
    """Let clients ask for a while; returns how long each request took in seconds, the errors, and the time in all."""
    took: list[list[float]] = [[] for _ in range(clients)]
    errors = [0] * clients
    begin = threading.Barrier(clients + 1)
    headers = {"Authorization": f"Bearer {server.token}"}

    def work(number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        begin.wait()
        while time.perf_counter() < deadline[0]:
            method, path, body = make(number)
            began = time.perf_counter()
            connection.request(method, path, body, headers | JSON if body else headers)
            answer = connection.getresponse()
            answer.read()
            took[number].append(time.perf_counter() - began)
            errors[number] += answer.status >= 400
        connection.close()

    deadline = [time.perf_counter() + 3600]
    threads = [threading.Thread(target=work, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    began = time.perf_counter()
    deadline[0] = began + seconds
    begin.wait()
    for thread in threads:
        thread.join()
    return sorted(itertools.chain(*took)), sum(errors), time.perf_counter() - began


def measure(server: Server, name: str, make: Callable[[int], Call], clients: int, seconds: float) -> Result:
    """Measure one call under so many clients."""
    took, errors, lasted = ask(server, clients, seconds, make)

    def quantile(share: float) -> float:
        return round(took[min(len(took) - 1, int(share * len(took)))] * 1000, 2)

    return Result(
        name, clients, len(took), errors, round(len(took) / lasted, 1), quantile(0.5), quantile(0.95), quantile(0.99)
    )


def watch_memory(server: Server, seconds: float, looks: int) -> Iterator[dict[str, float]]:
    """Mix all calls by 8 clients; yield requests so far and memory, at the start and at each look."""
    made = itertools.cycle(calls(server).values())
    asked = 0
    yield {"requests": 0, "pss_mib": round(server.pss_mib(), 1)}
    for _ in range(looks):
        took, _, _ = ask(server, 8, seconds / looks, lambda client: next(made)(client))
        asked += len(took)
        yield {"requests": asked, "pss_mib": round(server.pss_mib(), 1)}


@contextmanager
def database_of(postgresql: str, folder: Path) -> Iterator[str]:
    """Make a database of our own, and drop it at the end."""
    if not postgresql:
        yield f"sqlite:///{folder}/modelyard.db"
        return
    import psycopg

    name = f"modelyard_benchmark_{uuid4().hex[:12]}"
    with psycopg.connect(f"{postgresql}/postgres", autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
        try:
            yield f"{postgresql}/{name}"
        finally:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def show(report: Report, console: Console) -> None:
    """Print the report for people."""
    table = Table(title=f"{report.database} on {report.machine}")
    for column in ("call", "clients", "requests/s", "p50 ms", "p95 ms", "p99 ms", "errors"):
        table.add_column(column, justify="left" if column == "call" else "right")
    for one in report.results:
        figures = (one.clients, one.per_second, one.p50_ms, one.p95_ms, one.p99_ms, one.errors)
        table.add_row(one.call, *(str(figure) for figure in figures))
    console.print(table)
    for look in report.memory:
        console.print(f"after {look['requests']:>8.0f} requests: {look['pss_mib']:>7.1f} MiB PSS")


def main() -> None:
    """Measure what the options say."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--postgresql", default="", metavar="URL", help="a server whose user may create databases")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--seconds", type=float, default=5, help="how long each call is measured")
    parser.add_argument("--memory-seconds", type=float, default=60, help="how long the mix runs")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the report here too")
    options = parser.parse_args()
    database = "PostgreSQL" if options.postgresql else "SQLite"
    report = Report(database, f"{os.cpu_count()} cores, Python {platform.python_version()}")
    with tempfile.TemporaryDirectory() as made, database_of(options.postgresql.rstrip("/"), Path(made)) as url:
        server = Server(Path(made), url)
        server.start()
        try:
            server.fill()
            for (name, make), clients in itertools.product(calls(server).items(), options.clients):
                report.results.append(measure(server, name, make, clients, options.seconds))
            report.memory += watch_memory(server, options.memory_seconds, looks=6)
        finally:
            server.stop()
    show(report, Console(width=110))
    if options.json:
        options.json.write_text(json.dumps(asdict(report), indent=2) + "\n")


if __name__ == "__main__":
    main()
