"""What `modelyard runs` does with metrics and with several runs: metrics, tail, compare, export."""

from __future__ import annotations

import json
from typing import IO, TYPE_CHECKING, Any

import click

from modelyard.cli.api import in_project, output_option, pairs
from modelyard.cli.commands.experiments import LIFECYCLES
from modelyard.cli.output import Column, Json, as_json, cell, show_list, show_rows
from modelyard.cli.sparkline import sparkline

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelyard.client import Project

SUMMARY_COLUMNS: list[Column] = [
    ("Metric", "key"),
    ("Last", "last"),
    ("Step", "last_step"),
    ("Least", "min"),
    ("At step", "min_step"),
    ("Greatest", "max"),
    ("At step", "max_step"),
    ("Points", "count"),
]
DRAWN_POINTS = 2000
MOST_FOLLOWED = 50


@click.command()
@in_project
@click.argument("run_id", metavar="RUN")
@click.argument("key", required=False)
@click.option("--last", type=click.IntRange(min=0), default=10, show_default=True, help="Points in the table.")
@click.option("--prefix", help="Without KEY: only metrics whose names begin so.")
@click.option("--format", "form", type=click.Choice(["csv", "ndjson"]), help="Write the whole history of KEY instead.")
@output_option
def metrics(
    project: Project, run_id: str, key: str | None, last: int, prefix: str | None, form: str | None, output: str
) -> None:
    """List a run's metrics, or show the history of the metric KEY: its curve and its last points; JSON has all."""
    if key is None:
        if form:
            raise click.UsageError("--format writes one metric: name its KEY.")
        found = project.runs.metrics(run_id, prefix=prefix)
        empty = f"The run has no such metrics. `modelyard runs show {run_id}` shows what it has."
        show_list(found, SUMMARY_COLUMNS, output, empty=empty)
    elif form:
        stdout = click.open_file("-", "wb")
        for chunk in project.runs.export_metric(run_id, key, form):
            stdout.write(chunk)
    elif output == "json":
        click.echo(as_json(list(project.runs.metric_history(run_id, key))))
    else:
        _draw(project, run_id, key, last)


def _draw(project: Project, run_id: str, key: str, last: int) -> None:
    points = list(project.runs.metric_history(run_id, key, max_points=DRAWN_POINTS))
    if not points:
        click.echo(f"The run has no points of {key}. `modelyard runs metrics {run_id}` lists its metrics.", err=True)
        return
    click.echo(f"{cell(key)}  {sparkline([float(point['value']) for point in points])}")
    if last:
        whole = points if len(points) < DRAWN_POINTS else _last_points(project, run_id, key, points, last)
        _show_points(whole[-last:])


def _last_points(project: Project, run_id: str, key: str, sampled: Sequence[Json], last: int) -> list[Json]:
    """Return the true end of a long history: a sample has left points out."""
    start = sampled[-min(len(sampled), last)]["step"]
    return list(project.runs.metric_history(run_id, key, start_step=start))


def _show_points(points: Sequence[Json]) -> None:
    rows = [[cell(point["step"]), cell(point["timestamp"]), cell(point["value"])] for point in points]
    show_rows(["Step", "Time", "Value"], rows)


@click.command()
@in_project
@click.argument("run_id", metavar="RUN")
@click.argument("keys", metavar="[KEY]...", nargs=-1)
@click.option("--once", is_flag=True, help="Show what there is and end, instead of waiting for more.")
@output_option
def tail(project: Project, run_id: str, keys: tuple[str, ...], once: bool, output: str) -> None:
    """Print the points of a run's metrics as they come, until it ends; JSON is one object on each line.

    A metric with points that come late is printed anew.
    """
    wanted = keys or [summary["key"] for summary in project.runs.metrics(run_id, limit=MOST_FOLLOWED)]
    if not wanted:
        click.echo(f"The run {run_id} has no metrics yet.", err=True)
        return
    new = project.runs.metric_tails(run_id, wanted)["items"] if once else project.runs.follow_metrics(run_id, wanted)
    seen: set[str] = set()
    for item in new:
        if item["replace"] and item["key"] in seen:
            click.echo(f"{cell(item['key'])}: some points came late; all again.", err=True)
        seen.add(item["key"])
        for point in item["points"]:
            line = {"key": item["key"], **{name: point[name] for name in ("step", "timestamp", "value")}}
            click.echo(json.dumps(line) if output == "json" else "  ".join(cell(part) for part in line.values()))


@click.command()
@in_project
@click.argument("run_ids", metavar="RUN...", nargs=-1, required=True)
@click.option("--all", "everything", is_flag=True, help="Also what is the same in all runs.")
@click.option("--best", multiple=True, metavar="METRIC=max|min", help="Mark the best run; may be given several times.")
@click.option("--curve", "curves", multiple=True, metavar="METRIC", help="Draw this metric of each run as well.")
@output_option
def compare(
    project: Project,
    run_ids: tuple[str, ...],
    everything: bool,
    best: tuple[str, ...],
    curves: tuple[str, ...],
    output: str,
) -> None:
    """Lay runs side by side: the params that differ and the last values of the metrics."""
    found = project.runs.compare(run_ids, dict(pairs(best, "--best")) or None)
    drawn = project.runs.sample(run_ids, curves)["items"] if curves else []
    if output == "json":
        click.echo(as_json({**found, **({"curves": drawn} if curves else {})}))
        return
    names = [run["name"] for run in found["runs"]]
    rows = [["attribute", row["key"], *row["values"]] for row in found["attributes"] if everything or row["differs"]]
    rows += [["param", row["key"], *row["values"]] for row in found["params"] if everything or row["differs"]]
    rows += [["metric", row["key"], *_values(found["runs"], row)] for row in found["metrics"]]
    show_rows(["Kind", "Key", *names], [[cell(part) for part in row] for row in rows])
    for curve in drawn:
        name = next(run["name"] for run in found["runs"] if run["id"] == curve["run_id"])
        click.echo(f"{cell(curve['key'])}  {cell(name)}  {sparkline([float(value) for value in curve['values']])}")


def _values(runs: Sequence[Json], row: Json) -> list[str]:
    """Write the last value of each run; a star marks the best."""
    best = set(row["best"].get("last", ()))
    texts = ["" if value is None else cell(value["last"]) for value in row["values"]]
    return [f"{text} *" if run["id"] in best else text for run, text in zip(runs, texts, strict=True)]


@click.command()
@in_project
@click.argument("run_ids", metavar="[RUN]...", nargs=-1)
@click.option("--experiment", metavar="ID", help="Only this experiment's; several with commas.")
@click.option("--filter", "filter_", help='Only those that fit, such as "metrics.auc > 0.9".')
@click.option("--order-by", help="Such as `metrics.auc DESC`; default: the earliest start first.")
@click.option("--lifecycle", type=LIFECYCLES, help="Deleted ones, or all; default: active.")
@click.option("--column", "columns", multiple=True, help="Such as name or params.depth; default: all there are.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["csv", "json", "ndjson", "parquet"]),
    default="csv",
    show_default=True,
    help="Form of the file.",
)
@click.option("--to", type=click.File("wb", lazy=True, atomic=True), default="-", help="The file; default: stdout.")
def export(
    project: Project,
    run_ids: tuple[str, ...],
    filter_: str | None,
    columns: tuple[str, ...],
    form: str,
    to: IO[bytes],
    **search: Any,
) -> None:
    """Write a table of runs into a file, a row for each: of those that are named, else of all that fit."""
    if run_ids and (filter_ or any(search.values())):
        raise click.UsageError("Name runs or say which fit, not both.")
    if run_ids:
        chunks = project.runs.export_compared(run_ids, form, columns=columns)
    else:
        chunks = project.runs.export(form, columns=columns, filter=filter_, **search)
    for chunk in chunks:
        to.write(chunk)
