"""`modelyard runs` and `modelyard experiments`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from modelyard.cli.api import in_project, limit_option, output_option, yes_option
from modelyard.cli.download import download_artifacts
from modelyard.cli.output import Column, as_json, cell, done, show_list, show_one, show_rows, size
from modelyard.cli.sparkline import sparkline

if TYPE_CHECKING:
    from modelyard.client import Project

COLUMNS: list[Column] = [
    ("Run", "id"),
    ("Name", "name"),
    ("Status", "status"),
    ("Experiment", "experiment"),
    ("By", "user"),
    ("Started", "started_at"),
    ("Seconds", "duration_seconds"),
    ("Metrics", "metrics"),
]
DETAILS: list[Column] = [*COLUMNS[:5], ("Started", "started_at"), ("Ended", "ended_at"), *COLUMNS[6:]]
DETAILS += [("Params", "params"), ("Tags", "tags")]
ARTIFACT_COLUMNS: list[Column] = [
    ("Path", lambda artifact: artifact["path"] + ("/" if artifact["is_directory"] else "")),
    ("Size", lambda artifact: size(artifact.get("size_bytes"))),
]
NO_RUN = (
    "The project has no runs. Log one with MLflow: set MLFLOW_TRACKING_URI to the address that "
    "`modelyard projects show` prints, and MLFLOW_TRACKING_TOKEN to a token from `modelyard tokens create NAME`."
)


@click.group()
def experiments() -> None:
    """Experiments of a project."""


@experiments.command("list")
@in_project
@limit_option
@output_option
def list_experiments(project: Project, limit: int, output: str) -> None:
    """List the experiments."""
    columns: list[Column] = [("Id", "id"), ("Experiment", "name")]
    found = project.experiments(limit=limit + 1)
    empty = "The project has no experiments. Make one: `modelyard experiments create NAME`."
    show_list(found, columns, output, limit=limit, empty=empty)


@experiments.command()
@in_project
@click.argument("name")
@output_option
def create(project: Project, name: str, output: str) -> None:
    """Make an experiment."""
    made = project.create_experiment(name)
    done(made, output, f"Made the experiment {name} with the id {made['id']}.")


@experiments.command("purge")
@in_project
@click.argument("experiment_id", metavar="EXPERIMENT")
@yes_option
def purge_experiment(project: Project, experiment_id: str, yes: bool) -> None:
    """Remove a deleted experiment for good, with all its runs."""
    if not yes:
        click.confirm(f"Remove the experiment {experiment_id} with all its runs for good?", abort=True, err=True)
    project.purge_experiment(experiment_id)
    click.echo(f"The experiment {experiment_id} is being removed.")


@click.group()
def runs() -> None:
    """Runs, their metrics and artifacts."""


@runs.command("list")
@in_project
@click.option("--experiment", metavar="ID", help="Only this experiment's.")
@click.option("--status", help="Only those in this state, such as FINISHED.")
@click.option("--filter", "filter_", help="Only those that fit, such as \"metrics.auc > 0.9 and params.depth = '4'\".")
@click.option("--order-by", help="Such as `metrics.auc DESC`; default: the newest first.")
@limit_option
@output_option
def list_runs(
    project: Project,
    experiment: str | None,
    status: str | None,
    filter_: str | None,
    order_by: str | None,
    limit: int,
    output: str,
) -> None:
    """List runs."""
    found = project.runs.list(experiment=experiment, status=status, filter=filter_, order_by=order_by, limit=limit + 1)
    chosen = experiment or status or filter_
    empty = "No runs fit. `modelyard runs list` without conditions shows all." if chosen else NO_RUN
    show_list(found, COLUMNS, output, limit=limit, empty=empty)


@runs.command()
@in_project
@click.argument("run_id", metavar="RUN")
@output_option
def show(project: Project, run_id: str, output: str) -> None:
    """Show one run with its params, metrics and tags."""
    show_one(project.runs.get(run_id), DETAILS, output)


@runs.command()
@in_project
@click.argument("run_id", metavar="RUN")
@click.argument("key")
@click.option("--last", type=click.IntRange(min=0), default=10, show_default=True, help="Points in the table.")
@output_option
def metrics(project: Project, run_id: str, key: str, last: int, output: str) -> None:
    """Show the history of the metric KEY: its curve and its last points; JSON has all of them."""
    points = list(project.runs.metric_history(run_id, key))
    if output == "json":
        click.echo(as_json(points))
        return
    if not points:
        click.echo(f"The run has no points of {key}. `modelyard runs show {run_id}` lists its metrics.", err=True)
        return
    click.echo(f"{cell(key)}  {sparkline([float(point['value']) for point in points])}")
    shown = points[-last:] if last else []
    if shown:
        show_rows(
            ["Step", "Time", "Value"],
            [[cell(point["step"]), cell(point["timestamp"]), cell(point["value"])] for point in shown],
        )


@runs.command()
@in_project
@click.argument("run_id", metavar="RUN")
@yes_option
def delete(project: Project, run_id: str, yes: bool) -> None:
    """Move a run to the deleted ones; `restore` brings it back."""
    if not yes:
        click.confirm(f"Delete the run {run_id}?", abort=True, err=True)
    project.runs.delete(run_id)
    click.echo(f"Deleted the run {run_id}.")


@runs.command()
@in_project
@click.argument("run_id", metavar="RUN")
@output_option
def restore(project: Project, run_id: str, output: str) -> None:
    """Bring a deleted run back."""
    done(project.runs.restore(run_id), output, f"Restored the run {run_id}.")


@runs.command()
@in_project
@click.argument("run_id", metavar="RUN")
@yes_option
def purge(project: Project, run_id: str, yes: bool) -> None:
    """Remove a deleted run for good, with its artifacts."""
    if not yes:
        click.confirm(f"Remove the run {run_id} for good?", abort=True, err=True)
    project.runs.purge(run_id)
    click.echo(f"The run {run_id} is being removed.")


@runs.group()
def artifacts() -> None:
    """Files that a run kept."""


@artifacts.command("list")
@in_project
@click.argument("run_id", metavar="RUN")
@click.argument("path", default="")
@output_option
def list_artifacts(project: Project, run_id: str, path: str, output: str) -> None:
    """List what lies in the folder PATH, without it at the top."""
    found = project.runs.artifacts(run_id, path)
    empty = f"The run has no artifacts. `modelyard runs show {run_id}` shows what it has."
    if path:
        empty = f"Nothing lies in a folder {path!r}. `modelyard runs artifacts list {run_id}` shows what there is."
    show_list(found, ARTIFACT_COLUMNS, output, empty=empty)


@artifacts.command()
@in_project
@click.argument("run_id", metavar="RUN")
@click.argument("path", default="")
@click.option(
    "--to",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    help="Folder to put them in; default: the current one.",
)
@output_option
def download(project: Project, run_id: str, path: str, to: Path, output: str) -> None:
    """Download the file or folder PATH, without it everything."""
    saved = [str(file) for file in download_artifacts(project.runs, run_id, path, to)]
    if output == "json":
        click.echo(as_json({"files": saved}))
    else:
        click.echo(f"Saved {len(saved)} {'file' if len(saved) == 1 else 'files'} in {to}.")
