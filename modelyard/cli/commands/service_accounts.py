"""`modelyard service-accounts`."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from modelyard.cli.api import confirm_by_name, connect, list_options, output_option, yes_option
from modelyard.cli.commands.tokens import COLUMNS as TOKEN_COLUMNS
from modelyard.cli.commands.tokens import expiry_option, scope_option, show_new_token
from modelyard.cli.output import Column, Json, done, show_list, show_one

if TYPE_CHECKING:
    from modelyard.client import ServiceAccounts

COLUMNS: list[Column] = [
    ("Name", "name"),
    ("Username", "username"),
    ("Description", "display_name"),
    ("Disabled", "disabled"),
    ("Created", "created_at"),
]


def _in_organization(command: Callable[..., Any]) -> Any:
    @click.argument("organization")
    @functools.wraps(command)
    def opened(*args: Any, organization: str, **kwargs: Any) -> Any:
        return command(*args, accounts=connect().organizations.service_accounts(organization), **kwargs)

    return opened


@click.group("service-accounts")
def service_accounts() -> None:
    """Programs as members of an organization, and their tokens."""


@service_accounts.command("list")
@_in_organization
@list_options
@output_option
def list_accounts(accounts: ServiceAccounts, limit: int, query: Json, output: str) -> None:
    """List an organization's service accounts."""
    empty = "The organization has no service accounts. Make one: `modelyard service-accounts create ORG NAME`."
    show_list(accounts.list(**query), COLUMNS, output, limit=limit, empty=empty)


@service_accounts.command()
@_in_organization
@click.argument("name")
@output_option
def show(accounts: ServiceAccounts, name: str, output: str) -> None:
    """Show one service account."""
    show_one(accounts.get(name), COLUMNS, output)


@service_accounts.command()
@_in_organization
@click.argument("name")
@click.option("--description", help="What it is for.")
@output_option
def create(accounts: ServiceAccounts, name: str, description: str | None, output: str) -> None:
    """Make a service account; give it roles as you do to members."""
    made = accounts.create(name, display_name=description)
    username = made.get("username", name)
    done(made, output, f"Made {username}. Give it a role: `modelyard projects members set {username} editor`.")


@service_accounts.command()
@_in_organization
@click.argument("name")
@click.option("--description", required=True, help="What it is for.")
@output_option
def edit(accounts: ServiceAccounts, name: str, description: str, output: str) -> None:
    """Change what a service account is described as."""
    done(accounts.edit(name, display_name=description), output, f"Changed {name}.")


@service_accounts.command()
@_in_organization
@click.argument("name")
@output_option
def disable(accounts: ServiceAccounts, name: str, output: str) -> None:
    """Refuse a service account's tokens from now on."""
    done(accounts.edit(name, disabled=True), output, f"{name} is disabled.")


@service_accounts.command()
@_in_organization
@click.argument("name")
@output_option
def enable(accounts: ServiceAccounts, name: str, output: str) -> None:
    """Let a disabled service account in again."""
    done(accounts.edit(name, disabled=False), output, f"{name} is enabled.")


@service_accounts.command()
@_in_organization
@click.argument("name")
@yes_option
def delete(accounts: ServiceAccounts, name: str, yes: bool) -> None:
    """Delete a service account with its roles and tokens."""
    confirm_by_name(name, f"the service account {name}", yes=yes)
    accounts.delete(name)
    click.echo(f"Deleted {name}.")


@service_accounts.group()
def tokens() -> None:
    """Tokens of a service account."""


@tokens.command("list")
@_in_organization
@click.argument("name")
@list_options
@output_option
def list_tokens(accounts: ServiceAccounts, name: str, limit: int, query: Json, output: str) -> None:
    """List a service account's tokens, without their secrets."""
    empty = "It has no tokens. Make one: `modelyard service-accounts tokens create ORG NAME TOKEN_NAME`."
    show_list(accounts.tokens(name, **query), TOKEN_COLUMNS, output, limit=limit, empty=empty)


@tokens.command("create")
@_in_organization
@click.argument("name")
@click.argument("token_name")
@scope_option
@expiry_option
@click.option("--for-project", metavar="PROJECT", help="Bind it to this project of the organization.")
@output_option
def create_token(
    accounts: ServiceAccounts,
    name: str,
    token_name: str,
    scopes: tuple[str, ...],
    expires_in_days: int | None,
    for_project: str | None,
    output: str,
) -> None:
    """Make a token for a service account and print it, this once."""
    made = accounts.create_token(name, token_name, scopes, expires_in_days=expires_in_days, project=for_project)
    show_new_token(made, output)


@tokens.command("revoke")
@_in_organization
@click.argument("name")
@click.argument("token_id")
def revoke_token(accounts: ServiceAccounts, name: str, token_id: str) -> None:
    """End a service account's token at once."""
    accounts.revoke_token(name, token_id)
    click.echo(f"Revoked {token_id}.")
