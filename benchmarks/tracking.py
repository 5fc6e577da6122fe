"""Tracking beside a real MLflow server: the same requests of its protocol to both, in one run, and the ratios.

    python benchmarks/tracking.py                                            # SQLite
    python benchmarks/tracking.py --postgresql postgresql://postgres@127.0.0.1:5432
    python benchmarks/tracking.py --only log_metric log_batch --rounds 1 --seconds 2

Modelyard answers with authentication on. MLflow runs twice on one database: as `pip install mlflow` starts it, and
tuned with uvloop and httptools; ratios are against the better of the two. Measures take turns, round by round, and
while one server is measured the others are frozen. All writes are read back. At the end Modelyard is killed while
sixteen clients log, started again, and asked for every point it had answered.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from limits import bare_answers, database_limits, settings
from measures import Sample, check_searches, create_run, history, killed, log_batch, log_metric, mixed, search
from rich.console import Console
from rich.table import Table
from seeding import analyze, fill_history, fill_mlflow_history, fill_mlflow_runs, fill_runs
from servers import Mlflow, Modelyard, Server, database_of
from wire import Wire, quantile_ms

PLAIN = ("--uvicorn-opts", "--loop asyncio --http h11")
TUNED = ("--uvicorn-opts", "--loop uvloop --http httptools")
ALL = ("start", "log_metric", "log_batch", "create_run", "search", "history", "mixed", "kill")


@dataclass
class Report:
    """All that was measured: samples by measure and server."""

    database: str
    machine: str
    settings: dict[str, str] = field(default_factory=dict)
    limits: dict[str, float] = field(default_factory=dict)
    samples: dict[str, dict[str, list[Sample]]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def add(self, server: Server, sample: Sample) -> None:
        """Keep a sample."""
        self.samples.setdefault(sample.measure, {}).setdefault(server.name, []).append(sample)

    @property
    def errors(self) -> list[str]:
        """All that went wrong."""
        return [error for by in self.samples.values() for each in by.values() for one in each for error in one.errors]

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield a line for each measure and server: figures, and how many times better than the better MLflow it is."""
        for measure, by_server in self.samples.items():
            lines = [line(measure, name, samples) for name, samples in by_server.items()]
            others = [score(one) for one in lines if one["server"] != "modelyard"]
            for one in lines:
                mine = one["server"] == "modelyard" and others
                yield one | {"ratio": round(score(one) / max(others), 1) if mine else None}


def line(measure: str, server: str, samples: list[Sample]) -> dict[str, Any]:
    """Return what a server showed in a measure: the median of its rounds, and quantiles of all answers."""
    took = [each for sample in samples for each in sample.took]
    figures = {f"p{share}_ms": round(quantile_ms(took, share / 100), 2) if took else None for share in (50, 95, 99)}
    rate = round(statistics.median(sample.rate for sample in samples), 2)
    errors = sum(len(sample.errors) for sample in samples)
    return {"measure": measure, "server": server, "rate": rate, "unit": samples[0].unit, **figures, "errors": errors}


def score(one: dict[str, Any]) -> float:
    """Return a figure that is larger when it is better: a rate, or one over a time or a size."""
    if one["unit"] in ("s", "MiB"):
        return 1 / float(one["rate"])
    return float(one["rate"]) if one["rate"] else 1 / float(one["p50_ms"])


class Benchmark:
    """The servers, and what they are asked."""

    def __init__(self, options: argparse.Namespace, servers: list[Server], report: Report) -> None:
        self.options, self.servers, self.report = options, servers, report
        self.console = Console(stderr=True)

    def run(self) -> None:
        """Measure what the options name."""
        sections: dict[str, Callable[[], None]] = {
            "start": self.starts,
            "log_metric": lambda: self.turns(log_metric),
            "log_batch": lambda: self.turns(log_batch),
            "create_run": lambda: self.turns(create_run),
            "search": self.searches,
            "history": self.histories,
            "mixed": lambda: self.turns(mixed, rounds=1, seconds=self.options.mixed_seconds),
            "kill": self.kills,
        }
        for name in self.options.only:
            self.console.log(name)
            sections[name]()

    def starts(self) -> None:
        """Start each server anew, and look at its memory when nothing is asked of it."""
        for server in self.servers:
            server.freeze()
        for server in self.servers:
            for _ in range(self.options.rounds):
                server.stop()
                self.report.add(server, Sample("start to first answer", "s", server.start()))
            time.sleep(self.options.idle_seconds)
            self.report.add(server, Sample("idle memory of all processes (PSS)", "MiB", server.pss_mib()))
            server.freeze()

    def turns(
        self,
        measure: Callable[..., Iterator[Sample]],
        *more: Any,
        rounds: int | None = None,
        seconds: float | None = None,
    ) -> None:
        """Let the servers take turns; the others are frozen meanwhile."""
        for number in range(rounds or self.options.rounds):
            for server in self.servers[:: 1 if number % 2 == 0 else -1]:
                self.alone(server, lambda one, n=number: self.take(measure, one, n, seconds, *more))

    def alone(self, server: Server, work: Callable[[Server], None]) -> None:
        """Let one server run, warm, while it works."""
        for other in self.servers:
            (other.thaw if other is server else other.freeze)()
        wire = Wire(server)
        for _ in range(20):
            wire.post(server.spaces[0], "runs/search", experiment_ids=[server.spaces[0].experiment_id], max_results=1)
        wire.close()
        work(server)

    def take(
        self, measure: Callable[..., Iterator[Sample]], server: Server, number: int, seconds: float | None, *more: Any
    ) -> None:
        """Measure one server for one round."""
        for sample in measure(server, number, seconds or self.options.seconds, *more):
            self.report.add(server, sample)
            rate = f"{sample.rate:,.0f} {sample.unit}" if sample.rate else f"p50 {quantile_ms(sample.took, 0.5):.2f} ms"
            self.console.log(f"  {sample.measure}, {server.name}: {rate}", *sample.errors[:1])

    def searches(self) -> None:
        """Fill a space of each server with the same runs and search them."""
        size = self.options.runs
        for server in self.servers:
            self.alone(server, lambda one: self.fill(one, size))
        self.turns(search, size)

    def fill(self, server: Server, size: int) -> None:
        """Give a server its runs, and see that searches find the right ones."""
        if isinstance(server, Mlflow):
            fill_mlflow_runs(server, server.filled, range(size))
        else:
            seconds = fill_runs(server, server.filled, range(size))
            self.report.notes.append(f"{size:,} runs were made through the wire at {size / seconds:,.0f} a second")
            analyze(server.database_url)
        wrong = check_searches(server, 1, size)
        self.report.add(server, Sample(f"search {size:,} runs: newest first", "", 0, [], wrong))

    def histories(self) -> None:
        """Give each server the same long histories and read them."""
        known: dict[str, dict[int, str]] = {}
        for server in self.servers:
            self.alone(server, lambda one: known.update({one.name: self.long_runs(one)}))
        self.turns(history, known)

    def long_runs(self, server: Server) -> dict[int, str]:
        """Return runs by the number of points of their metric m0."""
        made, wire = {}, Wire(server)
        for size in self.options.points:
            made[size] = wire.create_run(server.filled, start_time=1)
            if isinstance(server, Mlflow):
                fill_mlflow_history(server, made[size], "m0", range(size))
            else:
                fill_history(server, server.filled, made[size], "m0", range(size))
        wire.close()
        return made

    def kills(self) -> None:
        """Kill Modelyard while clients log."""
        server = self.servers[0]
        self.alone(server, lambda one: None)
        answered, wrong = killed(server, self.options.seconds)
        self.report.notes.append(f"killed with 16 clients logging: {answered:,} points were answered, all are there")
        self.report.add(server, Sample("killed", "", answered, [], wrong))


def show(report: Report, console: Console) -> None:
    """Print the report for people."""
    console.print(f"{report.database}, {report.machine}; " + ", ".join(f"{k} {v}" for k, v in report.settings.items()))
    for name, limit in report.limits.items():
        console.print(f"{name}: {limit:,.0f} a second")
    table = Table()
    for column in ("measure", "server", "rate", "p50 ms", "p95 ms", "p99 ms", "errors", "ratio"):
        table.add_column(column, justify="left" if column in ("measure", "server") else "right")
    for one in report.rows():
        rate = f"{one['rate']:,.1f} {one['unit']}" if one["rate"] else ""
        times = (f"{one[name]:,.2f}" if one[name] is not None else "" for name in ("p50_ms", "p95_ms", "p99_ms"))
        ratio = f"{one['ratio']:,.1f} x" if one["ratio"] else ""
        table.add_row(one["measure"], one["server"], rate, *times, str(one["errors"]), ratio)
    console.print(table)
    for note in [*report.notes, *report.errors[:10]]:
        console.print(note)


def figure(one: dict[str, Any] | None) -> str:
    """Write what a server showed, for a table."""
    if one is None:
        return ""
    times = f"{one['p50_ms']:,.1f} / {one['p95_ms']:,.1f} ms" if one["p50_ms"] is not None else ""
    digits = 1 if one["unit"] == "s" else 0
    rate = (
        f"{one['rate']:,.{digits}f} {one['unit'].partition('/')[0]}{'/s' * ('/' in one['unit'])}" if one["unit"] else ""
    )
    return ", ".join(part for part in (rate, times) if part)


def markdown(report: Report) -> str:
    """Write the report as a table, a line for each measure: rates, and medians and 95th percentiles of the answers."""
    names = ("mlflow", "mlflow tuned", "modelyard")
    lines = [f"| measure | {' | '.join(names)} | ratio |", "|---|" + "---:|" * (len(names) + 1)]
    rows = list(report.rows())
    for measure in report.samples:
        by_name = {one["server"]: one for one in rows if one["measure"] == measure}
        ratio = by_name.get("modelyard", {}).get("ratio")
        cells = [measure, *(figure(by_name.get(name)) for name in names), f"{ratio:,.1f} x" if ratio else ""]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Measure what the options say; 1 if anything was refused, lost or doubled."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--postgresql", default="", metavar="URL", help="a server whose user may create databases")
    parser.add_argument("--only", nargs="+", choices=ALL, default=list(ALL))
    parser.add_argument("--without-mlflow", action="store_true", help="measure Modelyard alone")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5, help="how long each measure lasts in each round")
    parser.add_argument("--mixed-seconds", type=float, default=60, help="how long writers and readers are mixed")
    parser.add_argument(
        "--idle-seconds", type=float, default=10, help="how long a server idles before its memory is read"
    )
    parser.add_argument("--runs", type=int, default=20_000, help="how many runs are searched")
    parser.add_argument("--points", type=int, nargs="+", default=[100_000, 1_000_000], help="lengths of histories")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the report here too")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write its table here")
    options = parser.parse_args()
    sys.setswitchinterval(0.001)
    report = Report(
        "PostgreSQL" if options.postgresql else "SQLite", f"{os.cpu_count()} cores, Python {platform.python_version()}"
    )
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        postgresql = options.postgresql.rstrip("/")
        own = stack.enter_context(database_of(postgresql, folder, "modelyard"))
        report.settings = settings(own)
        ours = Modelyard(folder / "modelyard", own)
        report.limits = database_limits(own, folder, options.seconds)
        report.limits["bare answers to one client"] = bare_answers(folder / "bare", ours.environment, options.seconds)
        servers: list[Server] = [ours]
        if not options.without_mlflow:
            url = stack.enter_context(database_of(postgresql, folder, "mlflow"))
            plain = Mlflow("mlflow", folder / "plain", url, *PLAIN)
            servers += [plain, Mlflow("mlflow tuned", folder / "tuned", url, *TUNED)]
        for server in servers:
            stack.callback(server.stop)
            server.start()
            server.fill()
        Benchmark(options, servers, report).run()
    show(report, Console(width=150))
    if options.markdown:
        options.markdown.write_text(markdown(report))
    if options.json:
        said = {"database": report.database, "machine": report.machine, "settings": report.settings}
        said |= {"limits": report.limits, "rows": list(report.rows()), "notes": report.notes, "errors": report.errors}
        options.json.write_text(json.dumps(said, indent=2) + "\n")
    return 1 if report.errors else 0


if __name__ == "__main__":
    sys.exit(main())
