"""The members' commands that organizations and projects share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from modelyard.cli.api import list_options, output_option, yes_option
from modelyard.cli.output import Column, Json, done, show_list

if TYPE_CHECKING:
    from modelyard.client import Members

COLUMNS: list[Column] = [
    ("Username", "username"),
    ("Name", "display_name"),
    ("Kind", "kind"),
    ("Role", "role"),
    ("Since", "created_at"),
]


def add_members_commands(
    group: click.Group, place: Callable[[Callable[..., Any]], Any], roles: Sequence[str], where: str
) -> None:
    """Add `members list|set|remove` and `leave` to a group; `place` hands a command its `members`."""

    @group.group()
    def members() -> None:
        pass

    members.help = f"Who has which role in {where}."

    @members.command("list", help=f"List the members of {where} and their roles.")
    @place
    @list_options
    @output_option
    def list_members(members: Members, limit: int, query: Json, output: str) -> None:
        empty = f"Nobody has a role of their own in {where}. Give one: `modelyard {group.name} members set --help`."
        show_list(members.list(**query), COLUMNS, output, limit=limit, empty=empty)

    @members.command("set", help=f"Give USERNAME a role in {where}, in place of the one before.")
    @place
    @click.argument("username")
    @click.argument("role", type=click.Choice(roles))
    @output_option
    def set_member(members: Members, username: str, role: str, output: str) -> None:
        done(members.set(username, role), output, f"{username} is {role} now.")

    @members.command("remove", help=f"Take USERNAME out of {where}.")
    @place
    @click.argument("username")
    @yes_option
    def remove_member(members: Members, username: str, yes: bool) -> None:
        if not yes:
            click.confirm(f"Take {username} out?", abort=True, err=True)
        members.remove(username)
        click.echo(f"{username} is no member any more.")

    @group.command(help=f"Give your own roles in {where} up.")
    @place
    @yes_option
    def leave(members: Members, yes: bool) -> None:
        if not yes:
            click.confirm(f"Leave {where}? Only others can let you in again.", abort=True, err=True)
        members.leave()
        click.echo("You have left.")
