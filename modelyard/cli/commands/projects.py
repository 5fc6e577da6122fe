"""`modelyard projects`."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from modelyard.cli.api import (
    confirm_option,
    connect,
    deleted_option,
    in_project,
    open_project,
    output_option,
    profile_name,
    search_option,
    split_project,
    typed_slug,
)
from modelyard.cli.commands.connections import find_connection, secret_option, set_option, settings_of
from modelyard.cli.commands.members import add_members_commands
from modelyard.cli.commands.organizations import NO_ORGANIZATION, find_deleted
from modelyard.cli.output import Column, done, show_list, show_one, size
from modelyard.cli.profile import load_profile, save_profile

if TYPE_CHECKING:
    from modelyard.client import Client, Project

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
    ("Tracker connection", "tracker_connection_id"),
]
DELETED_COLUMNS: list[Column] = [
    COLUMNS[0],
    ("Name", "name"),
    ("Id", "id"),
    ("Deleted", "deleted_at"),
    ("Purged", "purge_at"),
]
USAGE_COLUMNS: list[Column] = [
    ("Runs", "runs"),
    ("Runs at most", lambda usage: usage["quotas"]["max_runs"]),
    ("Deployments", "deployments"),
    ("Deployments at most", lambda usage: usage["quotas"]["max_deployments"]),
    ("Artifacts", lambda usage: size(usage["artifact_bytes"])),
    ("Artifacts at most", lambda usage: size(usage["quotas"]["max_artifact_bytes"])),
]
NO_QUOTA = "none"
OWN = "own"


class Quota(click.ParamType[Any]):
    """A count, or `none`."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Read it; a usage error for anything else."""
        if value == NO_QUOTA or isinstance(value, int):
            return value
        if not value.isdecimal():
            self.fail(f"{value!r} is neither a number nor `{NO_QUOTA}`.", param, ctx)
        return int(value)


QUOTA = Quota()
reference = click.argument("reference", metavar="[ORG/PROJECT]", required=False, envvar="MODELYARD_PROJECT")
named = click.argument("reference", metavar="ORG/PROJECT")


@click.group()
def projects() -> None:
    """Projects and their members."""


@projects.command("list")
@click.option("--organization", metavar="ORG", help="Only this organization's; default: all that you are a member of.")
@search_option
@click.option("--archived/--active", default=None, help="Only those that are archived, or that are not.")
@deleted_option
@output_option
def list_projects(organization: str | None, q: str | None, archived: bool | None, deleted: bool, output: str) -> None:
    """List the projects that you may see."""
    client = connect()
    if deleted:
        slugs = [organization] if organization else _administered(client)
        gone = (project for slug in slugs for project in client.projects.list(slug, q=q, deleted=True))
        show_list(gone, DELETED_COLUMNS, output, empty="There is no deleted project that you could restore.")
        return
    slugs = [organization] if organization else [found["slug"] for found in client.organizations.list()]
    found = (project for slug in slugs for project in client.projects.list(slug, q=q, archived=archived))
    narrowed = q is not None or archived is not None
    show_list(found, COLUMNS, output, empty="No project is like that." if narrowed else _no_project(slugs))


def _administered(client: Client) -> list[str]:
    return [found["slug"] for found in client.organizations.list() if found["role"] in {"owner", "admin"}]


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
@click.option("--tracker", metavar="PROVIDER", help="Track with this provider, such as mlflow; its settings follow.")
@set_option
@secret_option
@output_option
def create(
    reference: str,
    name: str | None,
    description: str | None,
    tracker: str | None,
    plain: tuple[str, ...],
    secret: tuple[str, ...],
    output: str,
) -> None:
    """Make a project in an organization that you administer."""
    organization, slug = split_project(reference)
    if tracker is None and (plain or secret):
        raise click.UsageError("--set and --secret are settings of a --tracker.")
    with_tracker = None if tracker is None else {"provider": tracker, "settings": settings_of(plain, secret)}
    made = connect().projects.create(organization, slug, name=name, description=description, tracker=with_tracker)
    done(made, output, f"Made the project {reference}.")


@projects.command()
@named
@click.option("--name", help="A new name.")
@click.option("--description", help="A new description.")
@click.option("--storage", metavar="CONNECTION", help="Keep artifacts there; before the first run only.")
@click.option("--tracker", metavar="CONNECTION", help=f"Keep experiments and runs there; `{OWN}` is the server's own.")
@click.option("--confirm", metavar="SLUG", help="The project's slug, where runs stay behind in the tracker before.")
@click.option(
    "--allow-local-deployments/--forbid-local-deployments",
    default=None,
    help="Whether its models may run on the server's host; instance administrators say.",
)
@click.option("--max-runs", type=QUOTA, help="Runs at most, or `none`; instance administrators say.")
@click.option("--max-deployments", type=QUOTA, help="Deployments at most, or `none`; instance administrators say.")
@click.option(
    "--max-artifact-bytes", type=QUOTA, help="Bytes of artifacts at most, or `none`; instance administrators say."
)
@output_option
def edit(
    reference: str,
    name: str | None,
    description: str | None,
    storage: str | None,
    tracker: str | None,
    confirm: str | None,
    allow_local_deployments: bool | None,
    output: str,
    **quotas: int | str | None,
) -> None:
    """Change what is given of a project."""
    project = open_project(reference)
    edited = project.edit(
        name=name,
        description=description,
        allow_local_deployments=allow_local_deployments,
        storage_connection_id=find_connection(project.connections, storage)["id"] if storage else None,
        tracker_connection_id=_tracker_id(project, tracker),
        confirm=confirm,
        quotas=_quotas(quotas) or None,
    )
    done(edited, output, f"Changed {reference}.")


def _tracker_id(project: Project, tracker: str | None) -> str | None:
    if tracker is None or tracker == OWN:
        return tracker and ""
    named: str = find_connection(project.connections, tracker)["id"]
    return named


def _quotas(given: Mapping[str, int | str | None]) -> dict[str, Any]:
    return {name: None if value == NO_QUOTA else value for name, value in given.items() if value is not None}


@projects.command()
@named
@click.argument("slug")
@output_option
def rename(reference: str, slug: str, output: str) -> None:
    """Give a project another slug; links and tracking addresses with the old one go on to work."""
    done(open_project(reference).edit(slug=slug), output, f"{reference} is {split_project(reference)[0]}/{slug} now.")


@projects.command()
@named
@output_option
def archive(reference: str, output: str) -> None:
    """Make a project read-only; deployments that run are to be stopped first."""
    done(open_project(reference).edit(archived=True), output, f"Archived {reference}; `restore` brings it back.")


@projects.command()
@named
@confirm_option
def delete(reference: str, confirm: str | None) -> None:
    """Delete a project with all in it; `restore` brings it back for some time."""
    found = open_project(reference).get()
    slug, place = found["slug"], f"{found['organization']}/{found['slug']}"
    typed = typed_slug(slug, f"the project {place} with all in it", confirm)
    connect().projects.delete(found["organization"], slug, confirm=typed)
    click.echo(f"Deleted {place}; `modelyard projects restore {place}` brings it back.")


@projects.command()
@click.argument("reference", metavar="ORG/PROJECT-OR-ID")
@click.option("--slug", help="Another slug, where its own was taken meanwhile.")
@output_option
def restore(reference: str, slug: str | None, output: str) -> None:
    """Make an archived project writable again, or bring a deleted one back."""
    from modelyard.client import NotFoundError

    organization, named = split_project(reference)
    projects = connect().projects
    project = None if slug else open_project(reference)
    try:
        restored = project.edit(archived=False) if project else None
    except NotFoundError:
        restored = None
    if restored is None:
        found = find_deleted(projects.list(organization, deleted=True), named)
        restored = projects.restore(organization, found, slug=slug)
    done(restored, output, f"Restored {organization}/{restored.get('slug', named)}.")


@projects.command()
@reference
@output_option
def usage(reference: str | None, output: str) -> None:
    """Show how much a project has of what its quotas are about."""
    show_one(open_project(reference).usage(), USAGE_COLUMNS, output)


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
