"""`modelyard import`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from modelyard.cli.api import in_project, output_option, warn_in_clear
from modelyard.cli.errors import visible
from modelyard.cli.import_progress import counted, drawn
from modelyard.cli.output import as_json, show_rows

if TYPE_CHECKING:
    from modelyard.client import Project
    from modelyard.client.mlflow_import import Report


@click.group("import")
def import_() -> None:
    """Bring what another tracking server has into a project."""


@import_.command()
@click.argument("uri")
@in_project
@click.option("--experiment", "experiments", multiple=True, metavar="NAME", help="Only this one; may be repeated.")
@click.option("--models/--no-models", default=True, show_default=True, help="With the model registry.")
@click.option("--artifacts/--no-artifacts", default=True, show_default=True, help="With the files.")
@click.option("--deleted", is_flag=True, help="With deleted experiments and runs, which are deleted here too.")
@click.option("--dry-run", is_flag=True, help="Only count what would be brought.")
@click.option("--jobs", type=click.IntRange(1, 32), default=4, show_default=True, help="Transfers at a time.")
@output_option
def mlflow(project: Project, uri: str, output: str, **chosen: Any) -> None:
    """Bring experiments, runs, artifacts and models of the MLflow server at URI.

    Credentials for it are MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD. If it is
    ended at any point, the same command goes on there; repeated, it brings what is new.
    """
    from modelyard.client import sends_in_clear
    from modelyard.client.mlflow_import import Options, Source, import_mlflow

    source = Source(uri, os.environ)
    if source.sends_secret and sends_in_clear(source.url):
        warn_in_clear(source.url)
    with drawn() as progress:
        report = import_mlflow(project, source, Options(**chosen), progress=progress)
    if output == "json":
        click.echo(as_json(report.as_json()))
    else:
        _show(report)


def _show(report: Report) -> None:
    verb = "Would bring" if report.dry_run else "Brought"
    click.echo(f"{verb} from {report.source} to {report.project}: {counted(report.brought) or 'nothing'}.")
    if report.present:
        click.echo(f"There already: {counted(report.present)}.")
    for note in report.notes:
        click.echo(visible(note))
    if report.not_brought:
        click.echo("Not brought:")
        rows = [
            [
                entry.kind.replace("_", " "),
                str(entry.count),
                visible(entry.reason),
                visible(", ".join(entry.examples[:3])),
            ]
            for entry in report.not_brought
        ]
        show_rows(["What", "How many", "Why", "Such as"], rows)
