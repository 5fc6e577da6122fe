"""`modelyard plugins`."""

from __future__ import annotations

import click

from modelyard.cli.api import connect, output_option
from modelyard.cli.output import Column, show_list, show_one

COLUMNS: list[Column] = [
    ("Plugin", "name"),
    ("Version", "version"),
    ("State", "state"),
    ("Providers", lambda plugin: [f"{each['kind']}:{each['name']}" for each in plugin["providers"]]),
    ("Reason", "error"),
]
DETAILS: list[Column] = [
    ("Plugin", "name"),
    ("Distribution", "distribution"),
    ("Version", "version"),
    ("State", "state"),
    ("Reason", "error"),
    ("What to do", "hint"),
    ("Providers", lambda plugin: [f"{each['kind']}:{each['name']}" for each in plugin["providers"]]),
    ("Moments", "moments"),
]
PROVIDER_COLUMNS: list[Column] = [
    ("Kind", "kind"),
    ("Provider", "name"),
    ("Title", "title"),
    ("Capabilities", "capabilities"),
]
MEND = "See on its machine whether they are switched off: `modelyard config show`."


@click.group()
def plugins() -> None:
    """The server's plugins and the providers that they bring."""


@plugins.command("list")
@output_option
def list_plugins(output: str) -> None:
    """List the plugins, those that failed with their reason."""
    show_list(connect().plugins.list(), COLUMNS, output, empty=f"The server has no plugins. {MEND}")


@plugins.command()
@click.argument("plugin")
@output_option
def show(plugin: str, output: str) -> None:
    """Show one plugin, and what to do where it failed."""
    show_one(connect().plugins.get(plugin), DETAILS, output)


@plugins.command()
@output_option
def providers(output: str) -> None:
    """List what connections can be made of; JSON has the schema of each one's settings."""
    show_list(connect().plugins.providers(), PROVIDER_COLUMNS, output, empty=f"The server has no providers. {MEND}")
