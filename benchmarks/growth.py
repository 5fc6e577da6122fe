"""What tracking costs as it fills: searches among more and more runs, histories of more and more points and metrics.

    python benchmarks/growth.py                                              # SQLite
    python benchmarks/growth.py --postgresql postgresql://postgres@127.0.0.1:5432
    python benchmarks/growth.py --runs 1000 10000 --points 100000

One Modelyard server with authentication on, filled through the wire. Cost should grow with what is asked for and not
with what is there: the same page of runs, the same picture of a curve, the same point that is logged.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, pairwise
from pathlib import Path
from random import Random
from typing import Any

from measures import SAMPLED, create_run, points, search
from rich.console import Console
from rich.table import Table
from seeding import BATCH, NOW, analyze, fill_history, fill_runs
from servers import Modelyard, database_of
from wire import AJAX, Request, Timed, Wire, drive, get, post, quantile_ms


@dataclass(frozen=True)
class Line:
    """A measure where there is so much of `what`."""

    size: int
    what: str
    measure: str
    per_second: float
    p50_ms: float
    p95_ms: float
    errors: int


def line(size: int, what: str, measure: str, timed: Timed, each: int = 1) -> Line:
    """Sum up what clients measured; each answer stands for so many points."""
    p50, p95 = (round(quantile_ms(timed.took, share), 2) for share in (0.5, 0.95))
    return Line(size, what, measure, round(timed.per_second * each, 1), p50, p95, len(timed.errors))


def of_runs(server: Modelyard, sizes: list[int], seconds: float) -> Iterator[Line]:
    """Fill an experiment with runs, and search it and add to it at each size."""
    for before, size in pairwise([0, *sizes]):
        lasted = fill_runs(server, server.filled, range(before, size))
        yield Line(size, "runs", "filling, 8 clients: runs", round((size - before) / lasted, 1), 0, 0, 0)
        analyze(server.database_url)
        for sample in search(server, 0, seconds, size):
            timed = Timed(seconds, sample.took, sample.errors)
            yield line(size, "runs", sample.measure.partition(": ")[2], timed)
        for sample in create_run(server, 0, seconds):
            yield line(size, "runs", sample.measure, Timed(seconds, sample.took, sample.errors))


def of_points(server: Modelyard, sizes: list[int], seconds: float) -> Iterator[Line]:
    """Log an ever longer history, and at each length draw it and add to it."""
    wire, space = Wire(server), server.filled
    run_id = wire.create_run(space, start_time=1)
    for before, size in pairwise([0, *sizes]):
        lasted = fill_history(server, space, run_id, "m0", range(before, size))
        yield Line(size, "points", "logging 1000 at once: points", round((size - before) / lasted, 1), 0, 0, 0)
        draw = Random(size)
        whole = get(
            space, "metrics/get-history-bulk-interval", AJAX, run_ids=run_id, metric_key="m0", max_results=SAMPLED
        )
        yield line(size, "points", f"sampled to {SAMPLED}", drive(server, [(whole for _ in count())], seconds))

        def window(size: int = size, draw: Random = draw) -> Request:
            first = draw.randrange(size // 2)
            bounds = {"start_step": first, "end_step": first + size // 4}
            asked = {"run_ids": run_id, "metric_key": "m0", "max_results": SAMPLED, **bounds}
            return get(space, "metrics/get-history-bulk-interval", AJAX, **asked)

        windows = drive(server, [(window() for _ in count())], seconds)
        yield line(size, "points", f"a quarter of it sampled to {SAMPLED}", windows)
        yield line(size, "points", "log_metric, 1 client", drive(server, [points(space, run_id)], seconds))
    wire.close()


def of_keys(server: Modelyard, sizes: list[int], seconds: float) -> Iterator[Line]:
    """Give a run ever more metrics, and at each count log to it and draw one."""
    wire, space = Wire(server), server.filled
    run_id = wire.create_run(space, start_time=1)
    for before, size in pairwise([0, *sizes]):
        for first in range(before, size, BATCH):
            keys = range(first, min(first + BATCH, size))
            metrics = [{"key": f"m{key}", "value": 0.5, "timestamp": NOW, "step": 0} for key in keys]
            wire.post(space, "runs/log-batch", run_id=run_id, metrics=metrics)
        draw = Random(size)

        def anywhere(size: int = size, draw: Random = draw) -> Iterator[Request]:
            for step in count(1):
                key = f"m{draw.randrange(size)}"
                yield post(space, "runs/log-metric", run_id=run_id, key=key, value=0.5, timestamp=NOW, step=step)

        yield line(size, "metrics of a run", "log_metric, 1 client", drive(server, [anywhere()], seconds))
        one = get(
            space, "metrics/get-history-bulk-interval", AJAX, run_ids=run_id, metric_key="m1", max_results=SAMPLED
        )
        yield line(
            size, "metrics of a run", f"one sampled to {SAMPLED}", drive(server, [(one for _ in count())], seconds)
        )
    wire.close()


def show(lines: list[Line], console: Console) -> None:
    """Print the lines, one measure at a time."""
    table = Table()
    for column in ("measure", "size", "a second", "p50 ms", "p95 ms", "errors"):
        table.add_column(column, justify="left" if column == "measure" else "right")
    for one in sorted(lines, key=lambda one: (one.what, one.measure, one.size)):
        times = (f"{value:,.2f}" if one.p50_ms else "" for value in (one.p50_ms, one.p95_ms))
        table.add_row(one.measure, f"{one.size:,} {one.what}", f"{one.per_second:,.0f}", *times, str(one.errors))
    console.print(table)


def main() -> int:
    """Measure what the options say; 1 if a request was refused."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--postgresql", default="", metavar="URL", help="a server whose user may create databases")
    parser.add_argument("--runs", type=int, nargs="*", default=[1_000, 10_000, 100_000])
    parser.add_argument("--points", type=int, nargs="*", default=[100_000, 1_000_000, 10_000_000])
    parser.add_argument("--keys", type=int, nargs="*", default=[100, 1_000, 10_000])
    parser.add_argument("--seconds", type=float, default=5, help="how long each measure lasts at each size")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the lines here too")
    options = parser.parse_args()
    console, lines = Console(width=120), list[Line]()
    with (
        tempfile.TemporaryDirectory() as made,
        database_of(options.postgresql.rstrip("/"), Path(made), "growth") as url,
    ):
        server = Modelyard(Path(made) / "server", url)
        server.start()
        try:
            server.fill()
            grown: tuple[tuple[Any, list[int]], ...] = (
                (of_points, options.points),
                (of_keys, options.keys),
                (of_runs, options.runs),
            )
            for measure, sizes in grown:
                for one in measure(server, sizes, options.seconds):
                    Console(stderr=True).log(f"{one.size:,} {one.what}: {one.measure}: {one.per_second:,.0f} a second")
                    lines.append(one)
        finally:
            server.stop()
    show(lines, console)
    if options.json:
        options.json.write_text(json.dumps([vars(one) for one in lines], indent=2) + "\n")
    return 1 if any(one.errors for one in lines) else 0


if __name__ == "__main__":
    sys.exit(main())
