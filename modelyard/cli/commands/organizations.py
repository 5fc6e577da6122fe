"""`modelyard organizations`."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any

import click

from modelyard.cli.api import confirm_option, connect, deleted_option, output_option, search_option, typed_slug
from modelyard.cli.commands.invitations import invitations
from modelyard.cli.commands.members import add_members_commands
from modelyard.cli.output import Column, done, show_list, show_one

COLUMNS: list[Column] = [("Organization", "slug"), ("Name", "name"), ("Your role", "role"), ("Created", "created_at")]
ALL_COLUMNS: list[Column] = [*COLUMNS, ("Members", "member_count")]
DELETED_COLUMNS: list[Column] = [
    ("Organization", "slug"),
    ("Name", "name"),
    ("Id", "id"),
    ("Deleted", "deleted_at"),
    ("Purged", "purge_at"),
]
NO_ORGANIZATION = (
    "You are a member of no organization. Ask an owner of one to add you, or, as an instance administrator, make one: "
    "`modelyard organizations create SLUG`."
)


@click.group()
def organizations() -> None:
    """Organizations and their members."""


@organizations.command("list")
@search_option
@deleted_option
@click.option("--all", "every", is_flag=True, help="All of this server; instance administrators may.")
@output_option
def list_organizations(q: str | None, deleted: bool, every: bool, output: str) -> None:
    """List the organizations that you are a member of."""
    found = connect().organizations.list(q=q, deleted=deleted, every=every)
    if deleted:
        show_list(found, DELETED_COLUMNS, output, empty="There is no deleted organization that you could restore.")
    else:
        empty = f"No organization has {q!r} in slug or name." if q else NO_ORGANIZATION
        show_list(found, ALL_COLUMNS if every else COLUMNS, output, empty=empty)


@organizations.command()
@click.argument("organization")
@output_option
def show(organization: str, output: str) -> None:
    """Show one organization."""
    show_one(connect().organizations.get(organization), COLUMNS, output)


@organizations.command()
@click.argument("slug")
@click.option("--name", help="The name that people read; default: the slug.")
@click.option("--owner", metavar="USERNAME", help="Its first owner; default: you.")
@output_option
def create(slug: str, name: str | None, owner: str | None, output: str) -> None:
    """Make an organization; instance administrators may."""
    done(connect().organizations.create(slug, name=name, owner=owner), output, f"Made the organization {slug}.")


@organizations.command()
@click.argument("organization")
@click.option("--name", required=True, help="A new name.")
@output_option
def edit(organization: str, name: str, output: str) -> None:
    """Change an organization that you own."""
    done(connect().organizations.edit(organization, name=name), output, f"Changed {organization}.")


@organizations.command()
@click.argument("organization")
@click.argument("slug")
@output_option
def rename(organization: str, slug: str, output: str) -> None:
    """Give an organization another slug; links with the old one go on to work."""
    done(connect().organizations.edit(organization, slug=slug), output, f"{organization} is {slug} now.")


@organizations.command()
@click.argument("organization")
@click.argument("username")
@click.option(
    "--keep-role",
    type=click.Choice(["admin", "member", "none"]),
    default="admin",
    show_default=True,
    help="What you stay as; `none` to leave.",
)
@output_option
def transfer(organization: str, username: str, keep_role: str, output: str) -> None:
    """Make another member the owner in your place."""
    kept = None if keep_role == "none" else keep_role
    handed_over = connect().organizations.transfer(organization, username, keep_role=kept)
    done(handed_over, output, f"{username} owns {organization} now.")


@organizations.command()
@click.argument("organization")
@confirm_option
def delete(organization: str, confirm: str | None) -> None:
    """Delete an organization with all in it; `restore` brings it back for some time."""
    places = connect().organizations
    slug = places.get(organization)["slug"]
    places.delete(slug, confirm=typed_slug(slug, f"the organization {slug} with all its projects", confirm))
    click.echo(f"Deleted {slug}; `modelyard organizations restore {slug}` brings it back.")


@organizations.command()
@click.argument("organization")
@click.option("--slug", help="Another slug, where its own was taken meanwhile.")
@output_option
def restore(organization: str, slug: str | None, output: str) -> None:
    """Bring a deleted organization of yours back, by its slug or id."""
    places = connect().organizations
    restored = places.restore(find_deleted(places.list(deleted=True), organization), slug=slug)
    done(restored, output, f"Restored {slug or organization}.")


def find_deleted(items: Iterable[dict[str, Any]], named: str) -> str:
    """Return the id of the deleted item of that slug or id, the one that was deleted last; else what was given."""
    found = [item for item in items if named in {item["slug"], item["id"]}]
    return str(max(found, key=lambda item: item["deleted_at"])["id"]) if found else named


def _in_organization(command: Callable[..., Any]) -> Any:
    @click.argument("organization")
    @functools.wraps(command)
    def opened(*args: Any, organization: str, **kwargs: Any) -> Any:
        return command(*args, members=connect().organizations.members(organization), **kwargs)

    return opened


add_members_commands(organizations, _in_organization, ("member", "admin", "owner"), "an organization")
organizations.add_command(invitations)
