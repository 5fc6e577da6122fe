"""`modelyard projects`."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from modelyard.cli.api import connect, in_project, open_project, output_option, profile_name, split_project
from modelyard.cli.commands.connections import find_connection
from modelyard.cli.commands.members import add_members_commands
from modelyard.cli.commands.organizations import NO_ORGANIZATION
from modelyard.cli.output import Column, done, show_list, show_one
from modelyard.cli.profile import load_profile, save_profile

if TYPE_CHECKING:
    from modelyard.client import Project

COLUMNS: list[Column] = [
    ("Project", lambda project: f"{project['organization']}/{project['slug']}"),
    ("Name", "name"),
    ("Your role", "role"),
    ("Created", "created_at"),
    ("Archived", "archived_at"),
]
DETAILS: list[Column] = [
    *COLUMNS,
    ("Description", "description"),
    ("Local deployments", "allow_local_deployments"),
    ("MLflow address", "mlflow_uri"),
]
reference = click.argument("reference", metavar="[ORG/PROJECT]", required=False, envvar="MODELYARD_PROJECT")
named = click.argument("reference", metavar="ORG/PROJECT")


@click.group()
def projects() -> None:
    """Projects and their members."""


@projects.command("list")
@click.option("--organization", metavar="ORG", help="Only this organization's; default: all that you are a member of.")
@output_option
def list_projects(organization: str | None, output: str) -> None:
    """List the projects that you may see."""
    client = connect()
    slugs = [organization] if organization else [found["slug"] for found in client.organizations.list()]
    found = (project for slug in slugs for project in client.projects.list(slug))
    show_list(found, COLUMNS, output, empty=_no_project(slugs))


def _no_project(organizations: Sequence[str]) -> str:
    if not organizations:
        return NO_ORGANIZATION
    place = organizations[0] if len(organizations) == 1 else "ORG"
    return (
        f"There are no projects for you in {', '.join(organizations)}. Make one: "
        f"`modelyard projects create {place}/PROJECT`; or ask an administrator of the organization to do so."
    )


@projects.command()
@reference
@output_option
def show(reference: str | None, output: str) -> None:
    """Show a project and the address for MLflow clients."""
    show_one(open_project(reference).get(), DETAILS, output)


@projects.command()
@named
@click.option("--name", help="The name that people read; default: the slug.")
@click.option("--description", help="What it is for.")
@output_option
def create(reference: str, name: str | None, description: str | None, output: str) -> None:
    """Make a project in an organization that you administer."""
    organization, slug = split_project(reference)
    made = connect().projects.create(organization, slug, name=name, description=description)
    done(made, output, f"Made the project {reference}.")


@projects.command()
@named
@click.option("--name", help="A new name.")
@click.option("--description", help="A new description.")
@click.option("--storage", metavar="CONNECTION", help="Keep artifacts there; before the first run only.")
@click.option(
    "--allow-local-deployments/--forbid-local-deployments",
    default=None,
    help="Whether its models may run on the server's host; instance administrators say.",
)
@output_option
def edit(
    reference: str,
    name: str | None,
    description: str | None,
    storage: str | None,
    allow_local_deployments: bool | None,
    output: str,
) -> None:
    """Change what is given of a project."""
    project = open_project(reference)
    edited = project.edit(
        name=name,
        description=description,
        allow_local_deployments=allow_local_deployments,
        storage_connection_id=find_connection(project.connections, storage)["id"] if storage else None,
    )
    done(edited, output, f"Changed {reference}.")


@projects.command()
@named
@output_option
def archive(reference: str, output: str) -> None:
    """Make a project read-only."""
    done(open_project(reference).edit(archived=True), output, f"Archived {reference}; `restore` brings it back.")


@projects.command()
@named
@output_option
def restore(reference: str, output: str) -> None:
    """Make an archived project writable again."""
    done(open_project(reference).edit(archived=False), output, f"Restored {reference}.")


@projects.command()
@named
def use(reference: str) -> None:
    """Make a project the one that commands work in unless told otherwise."""
    profile = load_profile(profile_name())
    if profile is None:
        raise click.UsageError("There is no profile to keep it in: `modelyard login URL`, or set MODELYARD_PROJECT.")
    open_project(reference).get()
    save_profile(profile_name(), replace(profile, project=reference))
    click.echo(f"Commands work in {reference} now.")


def _in_project(command: Callable[..., Any]) -> Any:
    @in_project
    @functools.wraps(command)
    def opened(*args: Any, project: Project, **kwargs: Any) -> Any:
        return command(*args, members=project.members, **kwargs)

    return opened


add_members_commands(projects, _in_project, ("viewer", "editor", "admin"), "a project")
