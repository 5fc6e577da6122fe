"""What the database does at best without any server around it, and what a server does that only answers."""

from __future__ import annotations

import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from itertools import count, repeat
from pathlib import Path

from servers import Server
from wire import drive

POINT = "series INTEGER NOT NULL, step BIGINT NOT NULL, at BIGINT NOT NULL, value DOUBLE PRECISION NOT NULL"
TABLE = f"CREATE TABLE point ({POINT}, PRIMARY KEY (series, step, at, value))"
BATCH = 1000


def database_limits(database_url: str, folder: Path, seconds: float) -> dict[str, float]:
    """Return the durable commits of one row in a second, and the rows of the quickest bulk way, 1000 to a commit."""
    limits = sqlite_limits(folder, seconds) if database_url.startswith("sqlite") else pg_limits(database_url, seconds)
    return dict(limits)


def rows() -> Iterator[list[tuple[int, int, int, float]]]:
    """Yield thousands of points of ten series."""
    for first in count(step=BATCH // 10):
        yield [(series, first + step, 1_760_000_000_000, 0.5) for step in range(BATCH // 10) for series in range(10)]


def often(seconds: float, once: Callable[[], object]) -> float:
    """Return how often in a second something can be done."""
    began, done = time.perf_counter(), 0
    while time.perf_counter() < began + seconds:
        once()
        done += 1
    return done / (time.perf_counter() - began)


def sqlite_limits(folder: Path, seconds: float) -> Iterator[tuple[str, float]]:
    """Measure SQLite as Modelyard opens it: a log ahead of the file, flushed at each commit."""
    connection = sqlite3.connect(folder / "limits.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode = wal")
    connection.execute("PRAGMA synchronous = full")
    connection.execute(f"{TABLE} WITHOUT ROWID")
    thousands = rows()
    ones = ((11, step, 0, 0.5) for step in count())

    def bulk() -> None:
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("INSERT INTO point VALUES (?, ?, ?, ?)", next(thousands))
        connection.execute("COMMIT")

    yield (
        "commits of one row",
        often(seconds, lambda: connection.execute("INSERT INTO point VALUES (?, ?, ?, ?)", next(ones))),
    )
    yield "rows in bulk", BATCH * often(seconds, bulk)
    connection.close()


def pg_limits(database_url: str, seconds: float) -> Iterator[tuple[str, float]]:
    """Measure PostgreSQL: an INSERT to a commit, and COPY."""
    import psycopg

    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(TABLE)
        thousands = rows()
        ones = ((11, step, 0, 0.5) for step in count())

        def bulk() -> None:
            with connection.cursor().copy("COPY point FROM STDIN") as copy:
                for row in next(thousands):
                    copy.write_row(row)

        one = "INSERT INTO point VALUES (%s, %s, %s, %s)"
        yield "commits of one row", often(seconds, lambda: connection.execute(one, next(ones)))
        yield "rows in bulk", BATCH * often(seconds, bulk)
        connection.execute("DROP TABLE point")


def settings(database_url: str) -> dict[str, str]:
    """Return what the database promises about a commit."""
    if database_url.startswith("sqlite"):
        return {
            "sqlite": sqlite3.sqlite_version,
            "modelyard": "journal_mode wal, synchronous full",
            "mlflow": "its own",
        }
    import psycopg

    names = ("server_version", "synchronous_commit", "fsync", "full_page_writes")
    with psycopg.connect(database_url) as connection:
        return {name: str((connection.execute(f"SHOW {name}").fetchone() or ("",))[0]) for name in names}


class Bare(Server):
    """Granian, the server that Modelyard runs in, around a function that reads a body and answers {}."""

    APPLICATION = """
def app(environ, start_response):
    environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", "2")])
    return [b"{}"]
"""

    def command(self) -> list[str]:
        """One server process with Modelyard's threads."""
        (self.folder / "bare.py").write_text(self.APPLICATION)
        options = ["--interface", "wsgi", "--port", str(self.port), "--workers", "1", "--blocking-threads", "16"]
        return [sys.executable, "-m", "granian", *options, "bare:app"]


def bare_answers(folder: Path, environment: dict[str, str], seconds: float) -> float:
    """Return how many requests a second one client gets answered by a server that does nothing."""
    server = Bare("bare", folder, "", environment)
    server.start()
    try:
        request = ("POST", "/", b'{"run_id": "0", "key": "loss", "value": 0.5}')
        return drive(server, [repeat(request)], seconds).per_second
    finally:
        server.stop()
