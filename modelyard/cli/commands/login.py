"""`modelyard login`, `logout` and `whoami`."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import click

from modelyard.cli.api import connect, first_line_of_stdin, make_client, output_option, profile_name, warn_in_clear
from modelyard.cli.output import Json, show_one
from modelyard.cli.profile import Profile, load_profile, remove_profile, save_profile

if TYPE_CHECKING:
    from modelyard.client import Client

SCOPES = ("admin", "deploy", "read", "write")


@click.command()
@click.argument("url")
@click.option("--username", help="Sign in as this user; asked for if it is not given.")
@click.option("--password-stdin", is_flag=True, help="Read the password from the first line of stdin.")
@click.option("--token-stdin", is_flag=True, help="Read a token from stdin in place of a password.")
@click.option("--token", help="Use this token. Others on this machine may see it: --token-stdin is safer.")
@click.option("--expires-in-days", type=click.IntRange(min=1), help="Let the new token end after so many days.")
@click.option("--profile", metavar="NAME", help="Keep it in this profile; the same as before the command.")
@click.pass_context
def login(
    ctx: click.Context,
    url: str,
    username: str | None,
    password_stdin: bool,
    token_stdin: bool,
    token: str | None,
    expires_in_days: int | None,
    profile: str | None,
) -> None:
    """Sign in to the server at URL and keep a token for it in the profile.

    With a password, an API token is made that is named after this machine; the password is not kept.
    """
    if sum((password_stdin, token_stdin, token is not None)) > 1:
        raise click.UsageError("Give one of --password-stdin, --token-stdin and --token.")
    ctx.find_root().obj = profile or ctx.find_root().obj
    if token_stdin:
        token = first_line_of_stdin().strip()
    token = token if token is not None else _token_by_password(url, username, password_stdin, expires_in_days)
    client = make_client(url, token)
    user = client.session.get()["user"]
    before = load_profile(profile_name())
    kept = before.project if before and before.url == client.url else ""
    file = save_profile(profile_name(), Profile(client.url, token, user["username"], kept))
    click.echo(f"Signed in to {client.url} as {user['username']}; the token is in {file}.")


def _token_by_password(url: str, username: str | None, password_stdin: bool, expires_in_days: int | None) -> str:
    """Sign in, make a token, sign out, and return the token."""
    from modelyard.client import sends_in_clear

    client = make_client(url, "")
    if sends_in_clear(client.url):
        warn_in_clear(client.url)
    username = username or click.prompt("Username", err=True)
    password = first_line_of_stdin() if password_stdin else click.prompt("Password", hide_input=True, err=True)
    client.session.create(username, password)
    try:
        return str(_make_token(client, expires_in_days)["token"])
    finally:
        client.session.delete()


def _make_token(client: Client, expires_in_days: int | None) -> Json:
    return client.tokens.create(
        f"modelyard command line on {socket.gethostname()}", SCOPES, expires_in_days=expires_in_days
    )


@click.command()
def logout() -> None:
    """Revoke the kept token and forget it."""
    from modelyard.client import ClientError

    profile = load_profile(profile_name())
    if profile is None or not profile.token:
        click.echo("Nobody was signed in.", err=True)
        return
    try:
        make_client(profile.url, profile.token).tokens.revoke(_id_of(profile.token))
    except ClientError as error:
        click.echo(f"The token is forgotten here, but {profile.url} did not revoke it: {error}", err=True)
    remove_profile(profile_name())
    click.echo(f"Signed out of {profile.url}.")


def _id_of(token: str) -> str:
    """Return the id in `my_<id>_<secret>`."""
    parts = token.split("_", 2)
    return parts[1] if len(parts) == 3 and parts[1] else "unknown"


@click.command()
@output_option
def whoami(output: str) -> None:
    """Show who is signed in, and where."""
    client = connect()
    profile = load_profile(profile_name())
    session = client.session.get()
    item = {"server": client.url, "profile": profile_name(), "project": profile.project if profile else "", **session}
    show_one(
        item,
        [
            ("Server", "server"),
            ("User", lambda item: item["user"]["username"]),
            ("Instance administrator", lambda item: item["user"]["is_instance_admin"]),
            ("By", "kind"),
            ("Scopes", "scopes"),
            ("Profile", "profile"),
            ("Project", "project"),
        ],
        output,
    )
