"""`modelyard profiles`: the logins that are kept on this machine."""

from __future__ import annotations

import click

from modelyard.cli.api import output_option, profile_name
from modelyard.cli.output import Column, show_list
from modelyard.cli.profile import load_profiles, remove_profile, use_profile

COLUMNS: list[Column] = [
    ("Profile", "name"),
    ("In use", "in_use"),
    ("Server", "url"),
    ("User", "username"),
    ("Project", "project"),
]


@click.group()
def profiles() -> None:
    """Choose among the servers that you signed in to."""


@profiles.command("list")
@output_option
def list_profiles(output: str) -> None:
    """List the profiles, and which one commands use; tokens are not shown."""
    in_use = profile_name()
    items = (
        {
            "name": name,
            "in_use": name == in_use,
            "url": profile.url,
            "username": profile.username,
            "project": profile.project,
        }
        for name, profile in load_profiles().items()
    )
    show_list(items, COLUMNS, output, empty="There are no profiles; `modelyard login URL` makes one.")


@profiles.command()
@click.argument("name")
def use(name: str) -> None:
    """Let commands use the profile NAME from now on."""
    profile = use_profile(name)
    click.echo(f"Commands now go to {profile.url} as {profile.username or 'nobody'}.")


@profiles.command()
@click.argument("name")
def remove(name: str) -> None:
    """Forget the profile NAME; its token stays good until `modelyard logout` or its end."""
    if name not in load_profiles():
        raise click.UsageError(f"There is no profile {name!r}; `modelyard profiles list` shows them.")
    remove_profile(name)
    click.echo(f"The profile {name} is forgotten.")
