"""`modelyard models`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from modelyard.cli.api import confirm_by_name, in_project, list_options, output_option, pairs, yes_option
from modelyard.cli.output import Column, Json, done, show_list, show_one

if TYPE_CHECKING:
    from modelyard.client import Project

COLUMNS: list[Column] = [
    ("Model", "name"),
    ("Latest", "latest_version"),
    ("Versions", "versions_count"),
    ("Stages", "stages"),
    ("Aliases", "aliases"),
    ("Updated", "updated_at"),
]
VERSION_COLUMNS: list[Column] = [
    ("Version", "version"),
    ("Stage", "stage"),
    ("Status", "status"),
    ("Aliases", "aliases"),
    ("Run", "run_id"),
    ("By", "created_by"),
    ("Created", "created_at"),
]
CHANGE_COLUMNS: list[Column] = [
    ("Time", "changed_at"),
    ("Version", "version"),
    ("From", "from_stage"),
    ("To", "to_stage"),
    ("By", "actor"),
    ("Reason", "reason"),
]
NO_MODEL = (
    "The project has no models. Register one from a run with MLflow, or make one here: `modelyard models create NAME`, "
    "then `modelyard models register NAME --source runs:/RUN/model`."
)
STAGES = ["None", "Staging", "Production", "Archived"]
tag_option = click.option("--tag", "tags", multiple=True, metavar="KEY=VALUE", help="May be given several times.")


@click.group()
def models() -> None:
    """Registered models, their versions and stages."""


@models.command("list")
@in_project
@list_options
@output_option
def list_models(project: Project, limit: int, query: Json, output: str) -> None:
    """List the models."""
    found = project.models.list(**query)
    show_list(found, COLUMNS, output, limit=limit, empty=NO_MODEL)


@models.command()
@in_project
@click.argument("model")
@output_option
def show(project: Project, model: str, output: str) -> None:
    """Show one model."""
    details: list[Column] = [*COLUMNS, ("Created", "created_at"), ("Description", "description"), ("Tags", "tags")]
    show_one(project.models.get(model), details, output)


@models.command()
@in_project
@click.argument("name")
@click.option("--description", help="What it predicts, for whom.")
@tag_option
@output_option
def create(project: Project, name: str, description: str | None, tags: tuple[str, ...], output: str) -> None:
    """Make a model without versions."""
    made = project.models.create(name, description=description, tags=dict(pairs(tags, "--tag")) or None)
    done(made, output, f"Made the model {name}.")


@models.command()
@in_project
@click.argument("model")
@click.option("--name", help="A new name.")
@click.option("--description", help="A new description.")
@output_option
def edit(project: Project, model: str, name: str | None, description: str | None, output: str) -> None:
    """Rename or describe a model."""
    changes = {key: text for key, text in (("name", name), ("description", description)) if text is not None}
    if not changes:
        raise click.UsageError("Nothing to change was given.")
    done(project.models.edit(model, **changes), output, f"Changed the model {model}.")


@models.command()
@in_project
@click.argument("model")
@list_options
@output_option
def versions(project: Project, model: str, limit: int, query: Json, output: str) -> None:
    """List the versions of a model."""
    found = project.models.versions(model, **query)
    empty = f"The model {model} has no versions. Register one: `modelyard models register {model} --source URI`."
    show_list(found, VERSION_COLUMNS, output, limit=limit, empty=empty)


@models.command()
@in_project
@click.argument("model")
@click.argument("number", metavar="VERSION", type=click.IntRange(min=1))
@output_option
def version(project: Project, model: str, number: int, output: str) -> None:
    """Show one version of a model."""
    details: list[Column] = [
        ("Model", "model"),
        *VERSION_COLUMNS,
        ("Source", "source"),
        ("Description", "description"),
        ("Tags", "tags"),
    ]
    show_one(project.models.version(model, number), details, output)


@models.command()
@in_project
@click.argument("model")
@click.option("--source", required=True, help="Where the model lies, such as runs:/RUN/model.")
@click.option("--run", "run_id", metavar="RUN", help="The run that made it.")
@click.option("--description", help="What is new in it.")
@tag_option
@output_option
def register(
    project: Project,
    model: str,
    source: str,
    run_id: str | None,
    description: str | None,
    tags: tuple[str, ...],
    output: str,
) -> None:
    """Register the next version of a model."""
    made = project.models.create_version(
        model, source, run_id=run_id, description=description, tags=dict(pairs(tags, "--tag")) or None
    )
    done(made, output, f"Registered {model} version {made['version']}.")


@models.command()
@in_project
@click.argument("model")
@click.argument("number", metavar="VERSION", type=click.IntRange(min=1))
@click.option("--stage", required=True, type=click.Choice(STAGES, case_sensitive=False), help="The stage to move to.")
@click.option("--reason", help="Why; it stands in the history.")
@click.option("--keep-existing", is_flag=True, help="Let the versions that hold the stage stay in it.")
@output_option
def promote(
    project: Project, model: str, number: int, stage: str, reason: str | None, keep_existing: bool, output: str
) -> None:
    """Move a version of a model to a stage, and those that hold it now to Archived."""
    moved = project.models.promote(
        model, number, stage, reason=reason, archive_existing=False if keep_existing else None
    )
    done(moved, output, f"{model} version {number} is in {moved['stage']} now.")


@models.command()
@in_project
@click.argument("model")
@list_options
@output_option
def history(project: Project, model: str, limit: int, query: Json, output: str) -> None:
    """List who moved which version to which stage, newest first."""
    found = project.models.stage_changes(model, **query)
    empty = (
        f"No version of {model} has changed its stage. Move one: "
        f"`modelyard models promote {model} VERSION --stage Staging`."
    )
    show_list(found, CHANGE_COLUMNS, output, limit=limit, empty=empty)


@models.command()
@in_project
@click.argument("model")
@yes_option
def delete(project: Project, model: str, yes: bool) -> None:
    """Remove a model with all its versions."""
    confirm_by_name(model, f"the model {model} with all its versions", yes=yes)
    project.models.delete(model)
    click.echo(f"Deleted the model {model}.")


@models.command()
@in_project
@click.argument("model")
@click.argument("number", metavar="VERSION", type=click.IntRange(min=1))
@click.option("--description", required=True, help="What is new in it.")
@output_option
def describe(project: Project, model: str, number: int, description: str, output: str) -> None:
    """Describe a version of a model anew."""
    edited = project.models.edit_version(model, number, description=description)
    done(edited, output, f"Changed {model} version {number}.")


@models.command("delete-version")
@in_project
@click.argument("model")
@click.argument("number", metavar="VERSION", type=click.IntRange(min=1))
@yes_option
def delete_version(project: Project, model: str, number: int, yes: bool) -> None:
    """Remove one version of a model."""
    confirm_by_name(f"{model}/{number}", f"version {number} of the model {model}", yes=yes)
    project.models.delete_version(model, number)
    click.echo(f"Deleted {model} version {number}.")
