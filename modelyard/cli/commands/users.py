"""`modelyard users`."""

from __future__ import annotations

import click

from modelyard.cli.api import confirm_by_name, connect, first_line_of_stdin, list_options, output_option, yes_option
from modelyard.cli.commands.tokens import COLUMNS as TOKEN_COLUMNS
from modelyard.cli.output import Column, Json, as_json, done, show_list, show_one

COLUMNS: list[Column] = [
    ("Username", "username"),
    ("Name", "display_name"),
    ("E-mail", "email"),
    ("Kind", "kind"),
    ("Instance administrator", "is_instance_admin"),
    ("Disabled", "disabled"),
    ("Created", "created_at"),
]


@click.group()
def users() -> None:
    """Users of the server, for instance administrators."""


@users.command("list")
@list_options
@output_option
def list_users(limit: int, query: Json, output: str) -> None:
    """List the users of the server."""
    empty = "There is no such user. Make one: `modelyard users create USERNAME`."
    show_list(connect().users.list(**query), COLUMNS, output, limit=limit, empty=empty)


@users.command()
@click.argument("username")
@output_option
def show(username: str, output: str) -> None:
    """Show one user."""
    show_one(connect().users.get(username), COLUMNS, output)


@users.command()
@click.argument("username")
@click.option("--display-name", help="The name that others see.")
@click.option("--email", help="The e-mail address.")
@click.option("--admin", "is_admin", is_flag=True, help="Make an instance administrator.")
@click.option("--password-stdin", is_flag=True, help="Read the password from the first line of stdin.")
@output_option
def create(
    username: str, display_name: str | None, email: str | None, is_admin: bool, password_stdin: bool, output: str
) -> None:
    """Make a user and print the link by which they set a password, this once."""
    made = connect().users.create(
        username,
        first_line_of_stdin() if password_stdin else None,
        display_name=display_name,
        email=email,
        is_instance_admin=is_admin or None,
    )
    done(made, output, f"Made the user {username}.")
    if output != "json" and made.get("password_link"):
        _tell_link(made["password_link"])


@users.command()
@click.argument("username")
@click.option("--display-name", help="The name that others see.")
@click.option("--email", help="The e-mail address; empty for none.")
@click.option("--admin/--no-admin", "is_admin", default=None, help="Whether they administer the server.")
@output_option
def edit(username: str, display_name: str | None, email: str | None, is_admin: bool | None, output: str) -> None:
    """Change a user."""
    wish = {"display_name": display_name, "email": email, "is_instance_admin": is_admin}
    changes = {name: value for name, value in wish.items() if value is not None}
    done(connect().users.edit(username, **changes), output, f"Changed {username}.")


@users.command()
@click.argument("username")
@output_option
def disable(username: str, output: str) -> None:
    """Refuse a user's sessions and tokens from now on."""
    done(connect().users.edit(username, disabled=True), output, f"{username} is disabled.")


@users.command()
@click.argument("username")
@output_option
def enable(username: str, output: str) -> None:
    """Let a disabled user in again."""
    done(connect().users.edit(username, disabled=False), output, f"{username} is enabled.")


@users.command("reset-password")
@click.argument("username")
@output_option
def reset_password(username: str, output: str) -> None:
    """Print a link by which a user sets a new password, once, within 24 hours."""
    link = connect().users.create_password_link(username)
    if output == "json":
        click.echo(as_json(link))
    else:
        _tell_link(link)


@users.command("end-sessions")
@click.argument("username")
def end_sessions(username: str) -> None:
    """Sign a user out of all browsers."""
    connect().users.end_sessions(username)
    click.echo(f"All sessions of {username} have ended.")


@users.group()
def tokens() -> None:
    """API tokens of a user."""


@tokens.command("list")
@click.argument("username")
@list_options
@output_option
def list_tokens(username: str, limit: int, query: Json, output: str) -> None:
    """List a user's API tokens, without their secrets."""
    empty = f"{username} has no tokens. Everybody makes their own: `modelyard tokens create NAME`."
    show_list(connect().users.tokens(username, **query), TOKEN_COLUMNS, output, limit=limit, empty=empty)


@tokens.command("revoke")
@click.argument("username")
@click.argument("token_id")
def revoke_token(username: str, token_id: str) -> None:
    """End a user's API token at once."""
    connect().users.revoke_token(username, token_id)
    click.echo(f"Revoked {token_id}.")


@users.command()
@click.argument("username")
@yes_option
def delete(username: str, yes: bool) -> None:
    """Delete a user with their roles, sessions and tokens."""
    confirm_by_name(username, f"the user {username}", yes=yes)
    connect().users.delete(username)
    click.echo(f"Deleted {username}.")


def _tell_link(link: Json) -> None:
    click.echo(link["url"])
    click.echo(f"It works once, until {link['expires_at']}, and is not shown again.", err=True)
