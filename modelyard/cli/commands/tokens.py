"""`modelyard tokens`."""

from __future__ import annotations

import click

from modelyard.cli.api import connect, list_options, output_option, split_project
from modelyard.cli.output import Column, Json, as_json, show_list

COLUMNS: list[Column] = [
    ("Id", "id"),
    ("Name", "name"),
    ("Begins", "prefix"),
    ("Scopes", "scopes"),
    ("Project", "project"),
    ("Created", "created_at"),
    ("Expires", "expires_at"),
    ("Last used", "last_used_at"),
]

scope_option = click.option(
    "--scope",
    "scopes",
    multiple=True,
    default=["read", "write"],
    show_default=True,
    type=click.Choice(["read", "write", "deploy", "admin", "metrics"]),
    help="What it may do, as far as its user's roles go; may be given several times.",
)
expiry_option = click.option("--expires-in-days", type=click.IntRange(min=1), help="Let it end after so many days.")


@click.group()
def tokens() -> None:
    """Your API tokens: passwords for programs."""


@tokens.command("list")
@list_options
@output_option
def list_tokens(limit: int, query: Json, output: str) -> None:
    """List your tokens, without their secrets."""
    empty = "You have no tokens. Make one: `modelyard tokens create NAME`."
    show_list(connect().tokens.list(**query), COLUMNS, output, limit=limit, empty=empty)


@tokens.command()
@click.argument("name")
@scope_option
@expiry_option
@click.option("--for-project", metavar="ORG/PROJECT", help="Bind it to this project.")
@output_option
def create(
    name: str, scopes: tuple[str, ...], expires_in_days: int | None, for_project: str | None, output: str
) -> None:
    """Make a token and print it, this once."""
    organization, project = split_project(for_project) if for_project else (None, None)
    made = connect().tokens.create(
        name, scopes, expires_in_days=expires_in_days, organization=organization, project=project
    )
    show_new_token(made, output)


def show_new_token(made: Json, output: str) -> None:
    """Print a token, alone on stdout."""
    click.echo(as_json(made) if output == "json" else made["token"])
    if output != "json":
        click.echo("Keep it now: it is not shown again.", err=True)


@tokens.command()
@click.argument("token_id")
def revoke(token_id: str) -> None:
    """End a token at once."""
    connect().tokens.revoke(token_id)
    click.echo(f"Revoked {token_id}.")
