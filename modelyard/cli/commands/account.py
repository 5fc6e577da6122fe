"""`modelyard account`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from modelyard.cli.api import connect, first_line_of_stdin, make_client, output_option, warn_in_clear
from modelyard.cli.output import Column, done, show_list

if TYPE_CHECKING:
    from modelyard.client import Client

COLUMNS: list[Column] = [
    ("Id", "id"),
    ("Address", "address"),
    ("Browser", "user_agent"),
    ("Created", "created_at"),
    ("Last seen", "last_seen_at"),
    ("Expires", "expires_at"),
    ("This one", "is_current"),
]


@click.group()
def account() -> None:
    """Your own account: name, password, sessions."""


@account.command()
@click.option("--display-name", help="The name that others see.")
@click.option("--email", help="The e-mail address; empty for none.")
@output_option
def edit(display_name: str | None, email: str | None, output: str) -> None:
    """Change your name or e-mail address."""
    client = connect()
    wish = {"display_name": display_name, "email": email}
    changes = {name: value for name, value in wish.items() if value is not None}
    done(client.users.edit(client.session.get()["user"]["username"], **changes), output, "Changed your account.")


@account.command()
@click.option("--password-stdin", is_flag=True, help="Read the current and the new password from two lines of stdin.")
def password(password_stdin: bool) -> None:
    """Change your password; all your sessions in browsers end."""
    client = connect()
    current = first_line_of_stdin() if password_stdin else click.prompt("Current password", hide_input=True, err=True)
    client.account.set_password(current, _new_password(password_stdin))
    click.echo("Changed your password.")


@account.command("reset-password")
@click.argument("link")
@click.option("--password-stdin", is_flag=True, help="Read the new password from the first line of stdin.")
def reset_password(link: str, password_stdin: bool) -> None:
    """Set your password by a LINK that an instance administrator gave you."""
    client, link_token = _open_link(link, "reset-password")
    client.account.reset_password(link_token, _new_password(password_stdin))
    click.echo(f"Your password is set. Sign in: `modelyard login {client.url}`.")


@account.command("set-up")
@click.argument("link")
@click.argument("username")
@click.option("--password-stdin", is_flag=True, help="Read the password from the first line of stdin.")
@output_option
def set_up(link: str, username: str, password_stdin: bool, output: str) -> None:
    """Make a new server's first administrator by the LINK that `modelyard serve` printed."""
    client, link_token = _open_link(link, "setup")
    made = client.account.set_up(link_token, username, _new_password(password_stdin))
    done(made, output, f"Made the instance administrator {username}. Sign in: `modelyard login {client.url}`.")


@account.group()
def sessions() -> None:
    """Where you are signed in by browser."""


@sessions.command("list")
@output_option
def list_sessions(output: str) -> None:
    """List your sessions, newest first."""
    empty = "You are signed in nowhere by browser. Programs use tokens: `modelyard tokens list`."
    show_list(connect().account.sessions(), COLUMNS, output, empty=empty)


@sessions.command()
@click.argument("session_id")
def end(session_id: str) -> None:
    """End one session at once."""
    connect().account.end_session(session_id)
    click.echo(f"Ended {session_id}.")


@sessions.command("end-all")
def end_all() -> None:
    """Sign out of all browsers."""
    connect().account.end_other_sessions()
    click.echo("All your sessions have ended.")


def _new_password(from_stdin: bool) -> str:
    if from_stdin:
        return first_line_of_stdin()
    return str(click.prompt("New password", hide_input=True, confirmation_prompt=True, err=True))


def _open_link(link: str, page: str) -> tuple[Client, str]:
    """Split a link into its server and its token; a usage error for what is none."""
    from modelyard.client import sends_in_clear

    url, found, link_token = link.partition(f"/{page}/")
    if not found or not link_token:
        raise click.UsageError(f"This is no link of that kind; it reads https://HOST/{page}/...")
    if sends_in_clear(url):
        warn_in_clear(url)
    return make_client(url, ""), link_token
