"""`modelyard organizations`."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import click

from modelyard.cli.api import connect, output_option
from modelyard.cli.commands.members import add_members_commands
from modelyard.cli.output import Column, done, show_list, show_one

COLUMNS: list[Column] = [("Organization", "slug"), ("Name", "name"), ("Your role", "role"), ("Created", "created_at")]
NO_ORGANIZATION = (
    "You are a member of no organization. Ask an owner of one to add you, or, as an instance administrator, make one: "
    "`modelyard organizations create SLUG`."
)


@click.group()
def organizations() -> None:
    """Organizations and their members."""


@organizations.command("list")
@output_option
def list_organizations(output: str) -> None:
    """List the organizations that you are a member of."""
    show_list(connect().organizations.list(), COLUMNS, output, empty=NO_ORGANIZATION)


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


def _in_organization(command: Callable[..., Any]) -> Any:
    @click.argument("organization")
    @functools.wraps(command)
    def opened(*args: Any, organization: str, **kwargs: Any) -> Any:
        return command(*args, members=connect().organizations.members(organization), **kwargs)

    return opened


add_members_commands(organizations, _in_organization, ("member", "admin", "owner"), "an organization")
