"""A million mixed requests against one server, whose memory has to stay flat and which may fail none of them.

    python benchmarks/soak.py                                           # SQLite; takes the better part of an hour
    python benchmarks/soak.py --requests 20000
    python benchmarks/soak.py --postgresql postgresql://postgres@127.0.0.1:5432

Clients of the MLflow wire make runs, log to them, search, and read back what they logged, with authentication on.
Every twentieth of the way it prints what all processes of the server hold, the worker among them. It fails (exit code
1) where memory (PSS) grew by more than 32 MiB from the first tenth to the end, or a request failed.
"""

from __future__ import annotations

import argparse
import http.client
import json
import sys
import tempfile
import threading
import time
from collections.abc import Generator, Iterator
from dataclasses import asdict, dataclass, field
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from processes import Held, held
from servers import API, Modelyard, database_of
from wire import Wire

LOOKS = 20
FIRST_TENTH = LOOKS // 10 - 1
MOST_GROWTH_MIB = 32
POINTS_OF_A_BATCH = 20
ARTIFACT = b"x" * 64 * 1024
LONGEST_ERROR = 300

Request = tuple[str, str, bytes | None]


@dataclass
class Look:
    """What the server held after so many requests, and how many it answered in a second since the look before."""

    requests: int
    per_second: float
    held: Held


def requests(prefix: str, client: int) -> Generator[Request, bytes, None]:
    """Yield one request after the other and take the body of each answer; a run lives for two dozen of them."""

    def post(path: str, **body: Any) -> Request:
        return "POST", f"{prefix}{API}/{path}", json.dumps(body).encode()

    def get(path: str, **query: Any) -> Request:
        return "GET", f"{prefix}{API}/{path}?{urlencode(query)}", None

    steps = count()

    def point(key: str) -> dict[str, Any]:
        step = next(steps)
        return {"key": key, "value": step / 7, "timestamp": 1700000000000 + step, "step": step}

    for number in count():
        run = json.loads((yield post("runs/create", experiment_id="0", run_name=f"soak {client} {number}")))["run"]
        run_id, root = run["info"]["run_id"], run["info"]["artifact_uri"].removeprefix("mlflow-artifacts:/")
        file = f"{prefix}/api/2.0/mlflow-artifacts/artifacts/{root}/file.bin"
        for _ in range(6):
            yield post("runs/log-metric", run_id=run_id, **point("loss"))
            yield post("runs/log-batch", run_id=run_id, metrics=[point("loss") for _ in range(POINTS_OF_A_BATCH)])
        params = [{"key": f"param{index}", "value": str(number)} for index in range(10)]
        yield post("runs/log-batch", run_id=run_id, params=params)
        yield post("runs/set-tag", run_id=run_id, key="client", value=str(client))
        yield post("runs/set-tag", run_id=run_id, key="number", value=str(number))
        yield "PUT", file, ARTIFACT
        yield post("runs/search", experiment_ids=["0"], filter=f"tags.client = '{client}'", max_results=20)
        yield post("runs/search", experiment_ids=["0"], order_by=["metrics.loss DESC"], max_results=20)
        yield get("runs/get", run_id=run_id)
        yield get("metrics/get-history", run_id=run_id, metric_key="loss")
        yield "GET", file, None
        yield get("artifacts/list", run_id=run_id)
        yield post("runs/update", run_id=run_id, status="FINISHED", end_time=1700000000000)


@dataclass
class Soak:
    """So many requests by so many clients."""

    server: Modelyard
    wanted: int
    errors: list[str] = field(default_factory=list)
    _begun: int = 0
    _answered: int = 0
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def run(self, clients: int) -> Iterator[Look]:
        """Let the clients send all requests, and look at the server on the way."""
        threads = [threading.Thread(target=self._send, args=(number,)) for number in range(clients)]
        before, since = 0, time.perf_counter()
        for thread in threads:
            thread.start()
        for look in range(1, LOOKS + 1):
            with self._changed:
                self._changed.wait_for(lambda mark=self.wanted * look // LOOKS: self._answered >= mark)
                answered = self._answered
            now = time.perf_counter()
            yield Look(answered, round((answered - before) / (now - since), 1), held(self.server))
            before, since = answered, now
        for thread in threads:
            thread.join()

    def _send(self, client: int) -> None:
        wire, todo = Wire(self.server), requests(self.server.spaces[0].prefix, client)
        request = next(todo)
        while self._begin():
            try:
                status, data = wire.send(*request)
            except (OSError, http.client.HTTPException) as error:
                status, data = 0, repr(error).encode()
                wire = Wire(self.server)
            if status == 200:
                request = todo.send(data)
            else:
                self.errors.append(f"{request[0]} {request[1]}: {status} {data[:LONGEST_ERROR]!r}")
                todo = requests(self.server.spaces[0].prefix, client)
                request = next(todo)
            with self._changed:
                self._answered += 1
                self._changed.notify_all()
        wire.close()

    def _begin(self) -> bool:
        with self._changed:
            self._begun += 1
            return self._begun <= self.wanted


def judge(looks: list[Look], errors: list[str]) -> list[str]:
    """Return what is wrong with what was seen."""
    growth = looks[-1].held.pss_mib - looks[FIRST_TENTH].held.pss_mib
    wrong = [f"{len(errors)} requests failed, the first: {errors[0]}"] if errors else []
    if growth > MOST_GROWTH_MIB:
        wrong.append(f"Memory grew by {growth:.1f} MiB from the first tenth to the end.")
    return wrong


def main() -> int:
    """Soak as the options say; returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--requests", type=int, default=1_000_000)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--postgresql", default="", metavar="URL", help="a server whose user may create databases")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the report here too")
    options = parser.parse_args()
    looks: list[Look] = []
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        with database_of(options.postgresql.rstrip("/"), folder, "modelyard_soak") as url:
            server = Modelyard(folder / "server", url)
            server.start()
            try:
                server.fill()
                soak = Soak(server, options.requests)
                for look in soak.run(options.clients):
                    looks.append(look)
                    print(
                        f"{look.requests:>9} requests, {look.per_second:>7.1f}/s: {look.held.pss_mib:>6.1f} MiB,"
                        f" {look.held.open_files} open files, {look.held.threads} threads",
                        flush=True,
                    )
            finally:
                server.stop()
    wrong = judge(looks, soak.errors)
    print("\n".join(wrong) or "Memory stayed flat, and no request failed.")
    if options.json:
        options.json.write_text(
            json.dumps({"looks": [asdict(look) for look in looks], "wrong": wrong}, indent=2) + "\n"
        )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
