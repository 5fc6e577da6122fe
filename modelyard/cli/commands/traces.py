"""`modelyard traces`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from modelyard.cli.api import in_project, limit_option, output_option, yes_option
from modelyard.cli.output import Column, as_json, cell, show_list, show_one, show_rows

if TYPE_CHECKING:
    from modelyard.client import Project

COLUMNS: list[Column] = [
    ("Trace", "id"),
    ("Name", "name"),
    ("Status", "status"),
    ("Experiment", "experiment"),
    ("Started", "started_at"),
    ("Seconds", "duration_seconds"),
    ("Request", "request_preview"),
]
DETAILS: list[Column] = [*COLUMNS, ("Response", "response_preview"), ("Tags", "tags"), ("Metadata", "metadata")]
NO_TRACE = (
    "The project has no traces. Send some with MLflow: set MLFLOW_TRACKING_URI to the address that "
    "`modelyard projects show` prints, and decorate a function with `@mlflow.trace`."
)


@click.group()
def traces() -> None:
    """Traces of requests, with their spans."""


@traces.command("list")
@in_project
@click.option("--experiment", metavar="ID", help="Only this experiment's.")
@click.option("--filter", "filter_", help="Only those that fit, such as \"attributes.status = 'ERROR'\".")
@click.option("--order-by", help="Such as `execution_time_ms DESC`; default: the newest first.")
@limit_option
@output_option
def list_traces(
    project: Project, experiment: str | None, filter_: str | None, order_by: str | None, limit: int, output: str
) -> None:
    """List traces."""
    found = project.traces.list(experiment=experiment, filter=filter_, order_by=order_by, limit=limit + 1)
    chosen = experiment or filter_
    empty = "No traces fit. `modelyard traces list` without conditions shows all." if chosen else NO_TRACE
    show_list(found, COLUMNS, output, limit=limit, empty=empty)


@traces.command()
@in_project
@click.argument("trace_id", metavar="TRACE")
@output_option
def show(project: Project, trace_id: str, output: str) -> None:
    """Show one trace with the tree of its spans; JSON has their inputs and outputs."""
    trace = project.traces.get(trace_id)
    if output == "json":
        click.echo(as_json(trace))
        return
    show_one(trace, DETAILS, output)
    click.echo()
    show_rows(["Span", "Type", "Status", "Seconds"], [_span(span) for span in trace["spans"]])


def _span(span: dict[str, Any]) -> list[str]:
    name = "  " * min(span["depth"], 20) + cell(span["name"])
    return [name, cell(span["type"]), cell(span["status"]), cell(span["duration_seconds"])]


@traces.command()
@in_project
@click.argument("trace_id", metavar="TRACE")
@yes_option
def delete(project: Project, trace_id: str, yes: bool) -> None:
    """Delete a trace for good."""
    if not yes:
        click.confirm(f"Delete the trace {trace_id} for good?", abort=True, err=True)
    project.traces.delete(trace_id)
    click.echo(f"Deleted the trace {trace_id}.")
