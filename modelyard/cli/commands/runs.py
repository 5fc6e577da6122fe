"""`modelyard runs`, but for what is in `run_metrics`."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from modelyard.cli.api import in_project, limit_option, output_option, pairs, yes_option
from modelyard.cli.commands import run_metrics
from modelyard.cli.commands.experiments import LIFECYCLES, remove_tag_option, tag_changes, tag_option
from modelyard.cli.download import download_artifacts
from modelyard.cli.output import Column, as_json, done, show_list, show_one, size

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
DETAILS += [("Params", "params"), ("Tags", "tags"), ("Note", "note"), ("Parent", "parent_run_id")]
DETAILS += [("Children", "children"), ("Datasets", "datasets"), ("Models made", "model_outputs")]
STATUSES = ["RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED"]
ARTIFACT_COLUMNS: list[Column] = [
    ("Path", lambda artifact: artifact["path"] + ("/" if artifact["is_directory"] else "")),
    ("Size", lambda artifact: size(artifact.get("size_bytes"))),
]
NO_RUN = (
    "The project has no runs. Log one with MLflow: set MLFLOW_TRACKING_URI to the address that "
    "`modelyard projects show` prints, and MLFLOW_TRACKING_TOKEN to a token from `modelyard tokens create NAME`."
)


@click.group()
def runs() -> None:
    """Runs, their metrics and artifacts."""


for command in (run_metrics.metrics, run_metrics.tail, run_metrics.compare, run_metrics.export):
    runs.add_command(command)


@runs.command("list")
@in_project
@click.option("--experiment", metavar="ID", help="Only this experiment's; several with commas.")
@click.option("--status", help="Only those in this state, such as FINISHED.")
@click.option("--filter", "filter_", help="Only those that fit, such as \"metrics.auc > 0.9 and params.depth = '4'\".")
@click.option("--order-by", help="Such as `metrics.auc DESC`; default: the newest first.")
@click.option("--lifecycle", type=LIFECYCLES, help="Deleted ones, or all; default: active.")
@click.option("--parent", metavar="RUN", help="Only those nested in this run.")
@limit_option
@output_option
def list_runs(project: Project, filter_: str | None, limit: int, output: str, **conditions: Any) -> None:
    """List runs."""
    found = project.runs.list(filter=filter_, limit=limit + 1, **conditions)
    chosen = filter_ or any(value for name, value in conditions.items() if name != "order_by")
    empty = "No runs fit. `modelyard runs list` without conditions shows all." if chosen else NO_RUN
    show_list(found, COLUMNS, output, limit=limit, empty=empty)


@runs.command()
@in_project
@click.argument("run_id", metavar="RUN")
@output_option
def show(project: Project, run_id: str, output: str) -> None:
    """Show one run with its params, metrics, tags, datasets and nested runs."""
    show_one(project.runs.get(run_id, children=True), DETAILS, output)


@runs.command()
@in_project
@click.option("--experiment", "experiment_id", metavar="ID", help="The experiment; default: Default's.")
@click.option("--name", help="Without one, it gets one that is easy to say.")
@click.option("--parent", "parent_run_id", metavar="RUN", help="The run that it is nested in.")
@click.option("--note", help="What it is about.")
@tag_option
@output_option
def create(project: Project, tags: tuple[str, ...], output: str, **given: Any) -> None:
    """Make a running run, for `log` to log to."""
    made = project.runs.create(tags=dict(pairs(tags, "--tag")) or None, **given)
    done(made, output, f"Made the run {made['name']} with the id {made['id']}.")


@runs.command()
@in_project
@click.argument("run_id", metavar="RUN")
@click.option("--name", help="A new name.")
@click.option("--status", type=click.Choice(STATUSES, case_sensitive=False), help="Where it stands.")
@click.option("--note", help="What it is about; an empty one removes the note.")
@tag_option
@remove_tag_option
@output_option
def edit(
    project: Project, run_id: str, tags: tuple[str, ...], removed: tuple[str, ...], output: str, **given: Any
) -> None:
    """Rename or end a run, describe it, set or remove tags."""
    given["tags"] = tag_changes(tags, removed) or None
    changes = {key: value for key, value in given.items() if value is not None}
    if not changes:
        raise click.UsageError("Nothing to change was given.")
    done(project.runs.edit(run_id, **changes), output, f"Changed the run {run_id}.")


@runs.command()
@in_project
@click.argument("run_id", metavar="RUN")
@click.option("--metric", "metrics", multiple=True, metavar="KEY=NUMBER", help="May be given several times.")
@click.option("--step", type=int, default=0, show_default=True, help="The step of the metrics.")
@click.option("--param", "params", multiple=True, metavar="KEY=VALUE", help="May be given several times.")
@tag_option
def log(
    project: Project,
    run_id: str,
    metrics: tuple[str, ...],
    step: int,
    params: tuple[str, ...],
    tags: tuple[str, ...],
) -> None:
    """Log metrics, params and tags to a run: all of it, or nothing."""
    points = [{"key": key, "value": _number(text), "step": step} for key, text in pairs(metrics, "--metric")]
    more = {"params": dict(pairs(params, "--param")), "tags": dict(pairs(tags, "--tag"))}
    project.runs.log(run_id, metrics=points, **more)
    click.echo(f"Logged {len(points) + len(params) + len(tags)} values to the run {run_id}.")


def _number(text: str) -> float | str:
    try:
        value = float(text)
    except ValueError:
        raise click.UsageError(f"--metric: {text!r} is no number.") from None
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


@runs.command()
@in_project
@click.argument("run_ids", metavar="RUN...", nargs=-1, required=True)
@tag_option
@remove_tag_option
@output_option
def tag(
    project: Project, run_ids: tuple[str, ...], tags: tuple[str, ...], removed: tuple[str, ...], output: str
) -> None:
    """Set or remove the same tags of up to 1000 runs: of all of them, or of none."""
    changes = tag_changes(tags, removed)
    if not changes:
        raise click.UsageError("No tag was given.")
    count = project.runs.tag_many(run_ids, changes)
    done({"changed_count": count}, output, f"Tagged {_runs(count)}.")


@runs.command()
@in_project
@click.argument("run_ids", metavar="RUN...", nargs=-1, required=True)
@yes_option
def delete(project: Project, run_ids: tuple[str, ...], yes: bool) -> None:
    """Move runs to the deleted ones, all of them or none; `restore` brings them back."""
    what = f"the run {run_ids[0]}" if len(run_ids) == 1 else _runs(len(run_ids))
    if not yes:
        click.confirm(f"Delete {what}?", abort=True, err=True)
    if len(run_ids) == 1:
        project.runs.delete(run_ids[0])
    else:
        what = _runs(project.runs.delete_many(run_ids))
    click.echo(f"Deleted {what}.")


@runs.command()
@in_project
@click.argument("run_ids", metavar="RUN...", nargs=-1, required=True)
@output_option
def restore(project: Project, run_ids: tuple[str, ...], output: str) -> None:
    """Bring deleted runs back, all of them or none."""
    if len(run_ids) == 1:
        done(project.runs.restore(run_ids[0]), output, f"Restored the run {run_ids[0]}.")
    else:
        count = project.runs.restore_many(run_ids)
        done({"changed_count": count}, output, f"Restored {_runs(count)}.")


def _runs(count: int) -> str:
    return f"{count} {'run' if count == 1 else 'runs'}"


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
