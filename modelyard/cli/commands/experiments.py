"""`modelyard experiments`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from modelyard.cli.api import in_project, limit_option, output_option, pairs, yes_option
from modelyard.cli.output import Column, done, show_list, show_one

if TYPE_CHECKING:
    from modelyard.client import Project

COLUMNS: list[Column] = [
    ("Id", "id"),
    ("Experiment", "name"),
    ("State", "lifecycle_stage"),
    ("Runs", "runs_count"),
    ("Updated", "updated_at"),
]
DETAILS: list[Column] = [
    *COLUMNS,
    ("Created", "created_at"),
    ("Artifacts", "artifact_location"),
    ("Note", "note"),
    ("Tags", "tags"),
]
LIFECYCLES = click.Choice(["active", "deleted", "all"])
tag_option = click.option("--tag", "tags", multiple=True, metavar="KEY=VALUE", help="May be given several times.")
remove_tag_option = click.option(
    "--remove-tag", "removed", multiple=True, metavar="KEY", help="A tag to remove; may be given several times."
)


def tag_changes(tags: tuple[str, ...], removed: tuple[str, ...]) -> dict[str, str | None]:
    """Return what `--tag` and `--remove-tag` say together."""
    return {**dict(pairs(tags, "--tag")), **dict.fromkeys(removed)}


@click.group()
def experiments() -> None:
    """Experiments of a project."""


@experiments.command("list")
@in_project
@click.option("--search", metavar="TEXT", help="Only those with this in their name.")
@click.option("--filter", "filter_", help="Only those that fit, such as \"tags.team = 'growth'\".")
@click.option("--order-by", help="Such as `name`; default: the newest first.")
@click.option("--lifecycle", type=LIFECYCLES, help="Deleted ones, or all; default: active.")
@click.option("--counts", is_flag=True, help="Count the runs of each.")
@limit_option
@output_option
def list_experiments(
    project: Project,
    search: str | None,
    filter_: str | None,
    order_by: str | None,
    lifecycle: str | None,
    counts: bool,
    limit: int,
    output: str,
) -> None:
    """List the experiments."""
    query: dict[str, Any] = {"q": search, "filter": filter_, "order_by": order_by, "lifecycle": lifecycle}
    found = project.experiments.list(**query, runs_count=counts, limit=limit + 1)
    columns = COLUMNS if counts else [column for column in COLUMNS if column[0] != "Runs"]
    empty = "The project has no experiments. Make one: `modelyard experiments create NAME`."
    if any(query.values()):
        empty = "No experiments fit. `modelyard experiments list` without conditions shows those that are not deleted."
    show_list(found, columns, output, limit=limit, empty=empty)


@experiments.command()
@in_project
@click.argument("experiment_id", metavar="EXPERIMENT")
@output_option
def show(project: Project, experiment_id: str, output: str) -> None:
    """Show one experiment by its id."""
    show_one(project.experiments.get(experiment_id, runs_count=True), DETAILS, output)


@experiments.command()
@in_project
@click.argument("name")
@click.option("--note", help="What it is about.")
@click.option("--artifact-location", metavar="URI", help="Where its artifacts go, if not to the server.")
@tag_option
@output_option
def create(
    project: Project, name: str, note: str | None, artifact_location: str | None, tags: tuple[str, ...], output: str
) -> None:
    """Make an experiment."""
    more = {"note": note, "artifact_location": artifact_location}
    made = project.experiments.create(name, tags=dict(pairs(tags, "--tag")) or None, **more)
    done(made, output, f"Made the experiment {name} with the id {made['id']}.")


@experiments.command()
@in_project
@click.argument("experiment_id", metavar="EXPERIMENT")
@click.option("--name", help="A new name.")
@click.option("--note", help="What it is about; an empty one removes the note.")
@tag_option
@remove_tag_option
@output_option
def edit(
    project: Project,
    experiment_id: str,
    name: str | None,
    note: str | None,
    tags: tuple[str, ...],
    removed: tuple[str, ...],
    output: str,
) -> None:
    """Rename an experiment, describe it, set or remove tags."""
    given: dict[str, Any] = {"name": name, "note": note, "tags": tag_changes(tags, removed) or None}
    changes = {key: value for key, value in given.items() if value is not None}
    if not changes:
        raise click.UsageError("Nothing to change was given.")
    done(project.experiments.edit(experiment_id, **changes), output, f"Changed the experiment {experiment_id}.")


@experiments.command()
@in_project
@click.argument("experiment_id", metavar="EXPERIMENT")
@yes_option
def delete(project: Project, experiment_id: str, yes: bool) -> None:
    """Move an experiment with its runs to the deleted ones; `restore` brings them back."""
    if not yes:
        click.confirm(f"Delete the experiment {experiment_id} with all its runs?", abort=True, err=True)
    project.experiments.delete(experiment_id)
    click.echo(f"Deleted the experiment {experiment_id}.")


@experiments.command()
@in_project
@click.argument("experiment_id", metavar="EXPERIMENT")
@output_option
def restore(project: Project, experiment_id: str, output: str) -> None:
    """Bring a deleted experiment back with all its runs."""
    done(project.experiments.restore(experiment_id), output, f"Restored the experiment {experiment_id}.")


@experiments.command()
@in_project
@click.argument("experiment_id", metavar="EXPERIMENT")
@yes_option
def purge(project: Project, experiment_id: str, yes: bool) -> None:
    """Remove a deleted experiment for good, with all its runs."""
    if not yes:
        click.confirm(f"Remove the experiment {experiment_id} with all its runs for good?", abort=True, err=True)
    project.experiments.purge(experiment_id)
    click.echo(f"The experiment {experiment_id} is being removed.")
