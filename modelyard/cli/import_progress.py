"""How far an import is, on stderr: bars on a terminal, elsewhere a line when something begins and every few seconds."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import click

from modelyard.cli.errors import visible
from modelyard.cli.output import size

if TYPE_CHECKING:
    from modelyard.client.mlflow_import import Progress, Report

SECONDS_BETWEEN_LINES = 5.0
KINDS = (
    "experiments", "runs", "metrics", "metric_points", "params", "tags", "datasets", "artifacts", "artifact_bytes",
    "logged_models", "model_metrics", "registered_models", "model_versions", "aliases", "stages",
)  # fmt: skip


def counted(counts: Mapping[str, int]) -> str:
    """Write counts as a list for people."""
    known = [kind for kind in KINDS if counts.get(kind)]
    return ", ".join(_counted(kind, counts[kind]) for kind in known)


def _counted(kind: str, count: int) -> str:
    if kind == "artifact_bytes":
        return f"{size(count)} of artifacts"
    text = kind.replace("_", " ")
    return f"{count:,} {text.removesuffix('es' if kind == 'aliases' else 's') if count == 1 else text}"


@contextlib.contextmanager
def drawn() -> Iterator[Progress]:
    """Return what shows the progress while the block runs."""
    if not sys.stderr.isatty():
        yield Lines()
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[counts]}", markup=False),
    )
    with Progress(*columns, console=Console(stderr=True)) as shown:
        yield Bars(shown)


class Lines:
    """Writes plain lines."""

    report: Report

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._what, self._total, self._done = "", 0, 0
        self._said_at = time.monotonic()

    def begin(self, what: str, total: int | None) -> None:
        """Say what begins."""
        with self._lock:
            self._what, self._total, self._done = what, total or 0, 0
            if total != 0:
                self._say(f"{what}: {total:,}" if total else what)

    def advance(self) -> None:
        """Say how far it is, unless that was said just now."""
        with self._lock:
            self._done += 1
            if time.monotonic() - self._said_at >= SECONDS_BETWEEN_LINES:
                of = f" of {self._total:,}" if self._total else ""
                self._say(
                    f"{self._what}: {self._done:,}{of}; brought {counted(dict(self.report.brought)) or 'nothing yet'}"
                )

    def _say(self, text: str) -> None:
        self._said_at = time.monotonic()
        click.echo(visible(text), err=True)


class Bars:
    """Draws a bar for each step; those whose length nobody knew go when they end."""

    report: Report

    def __init__(self, shown: Any) -> None:
        self._shown = shown
        self._task: Any = None
        self._is_measured = False

    def begin(self, what: str, total: int | None) -> None:
        """Begin a bar below the others; one without an end moves to and fro, and nothing has none."""
        if total == 0:
            return
        if self._task is not None and not self._is_measured:
            self._shown.remove_task(self._task)
        self._task = self._shown.add_task(visible(what), total=total, counts="")
        self._is_measured = total is not None

    def advance(self) -> None:
        """Move the bar, and show what was brought by now."""
        brought = self.report.brought
        points, files, sent = brought["metric_points"], brought["artifacts"], size(brought["artifact_bytes"])
        self._shown.update(self._task, advance=1, counts=f"{points:,} points, {files:,} files, {sent}")
