"""`make demo`, second part: the whole main job on one machine, step by step, each shown with what it did."""

from __future__ import annotations

import argparse
import os
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table
from steps import Tour

STEPS: tuple[tuple[str, Callable[[Tour, Callable[[float, str], None]], str]], ...] = (
    ("Start the server and its worker", Tour.start_server),
    ("Create user, organization, project, token", Tour.create_tenant),
    ("Connect a log and a webhook", Tour.connect_notifiers),
    ("Train and log 20 models", Tour.train),
    ("Find the best, register and promote it", Tour.register),
    ("Deploy it and wait for its health", Tour.deploy),
    ("Send real rows, compare the answers", Tour.predict),
    ("Check that the notifications came", Tour.check_notifications),
    ("Install a third-party plugin, restart", Tour.install_plugin),
    ("Use its notifier and its storage", Tour.use_plugin),
)


@dataclass(frozen=True, slots=True)
class Done:
    """One step that held."""

    title: str
    seconds: float
    result: str


def main() -> int:
    """Run all steps; 0 only if every one held. Leaves the server running unless MODELYARD_DEMO_EXIT is set."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--directory", type=Path, required=True)
    parser.add_argument("--installed-in", type=float, default=0.0)
    arguments = parser.parse_args()
    console = Console()
    tour = Tour(arguments.directory)
    done = [Done("Make the environment, install Modelyard", arguments.installed_in, sys.prefix)]
    leaving = os.environ.get("MODELYARD_DEMO_EXIT") == "1"
    try:
        with progress_bars(console) as progress:
            done += [run_step(progress, tour, *step) for step in STEPS]
    except Exception as error:
        console.print(f"\n[bold red]The tour ended here:[/] {type(error).__name__}: {error}", highlight=False)
        (arguments.directory / "error.log").write_text(traceback.format_exc())
        console.print(f"More: {arguments.directory / 'error.log'} and {tour.server.log}")
        tour.leave()
        return 1
    console.print(summary(done))
    if leaving:
        tour.leave()
        console.print("The server is stopped.")
        return 0
    show_address(console, tour)
    return 0


def progress_bars(console: Console) -> Progress:
    """Make the bars: one line for each step."""
    return Progress(
        SpinnerColumn(finished_text="[green]✓"),
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TimeElapsedColumn(),
        TextColumn("[dim]{task.fields[detail]}"),
        console=console,
    )


def run_step(
    progress: Progress, tour: Tour, title: str, work: Callable[[Tour, Callable[[float, str], None]], str]
) -> Done:
    """Run one step under its own bar; `work` reports a share from 0 to 1 and what it does."""
    bar: TaskID = progress.add_task(f"{title:<44}", total=1.0, detail="")
    began = time.monotonic()

    def report(share: float, detail: str) -> None:
        progress.update(bar, completed=min(share, 0.99), detail=detail)

    result = work(tour, report)
    progress.update(bar, completed=1.0, detail=result)
    if not progress.console.is_terminal:
        progress.console.print(f"✓ {title}: {result}", highlight=False)
    return Done(title, time.monotonic() - began, result)


def summary(done: list[Done]) -> Table:
    """Make the table of what was made and how long it took."""
    table = Table(title="What was made", show_footer=True)
    table.add_column("Step", footer="All of it")
    table.add_column("Result")
    table.add_column("Seconds", justify="right", footer=f"{sum(step.seconds for step in done):.1f}")
    for step in done:
        table.add_row(step.title, step.result, f"{step.seconds:.1f}")
    return table


def show_address(console: Console, tour: Tour) -> None:
    """Say where to go on: the password is shown here and nowhere else."""
    table = Table(title="Open it", show_header=False)
    for name, value in (
        ("Address", tour.server.url),
        ("User", tour.username),
        ("Password", tour.password),
        ("Project", f"{tour.server.url}/{tour.place}"),
        ("MLflow clients", f"MLFLOW_TRACKING_URI={tour.server.url}/mlflow/{tour.place}"),
        ("Stop it", f"kill {(tour.server.data / 'serve.lock').read_text()}"),
    ):
        table.add_row(name, value)
    console.print(table)


if __name__ == "__main__":
    sys.exit(main())
