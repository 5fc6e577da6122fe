"""`modelyard plugins`."""

from __future__ import annotations

from collections.abc import Callable

import click

from modelyard.cli.api import connect, output_option
from modelyard.cli.output import Column, Json, done, show_list, show_one


def _state(plugin: Json) -> str:
    hold = plugin.get("hold")
    if not hold:
        return str(plugin["state"])
    return "quarantine" if hold["until"] else "blocked"


def _hold(plugin: Json) -> str:
    hold = plugin.get("hold")
    if not hold:
        return ""
    until = f" until {hold['until']}" if hold["until"] else ""
    return f"{hold['reason']} ({hold['by']}, since {hold['since']}{until})"


def _lines(field: str, text: str) -> Callable[[Json], list[str]]:
    """Make the column that writes each item of a field by a format."""
    return lambda plugin: [text.format(**item) for item in plugin.get(field, [])]


COLUMNS: list[Column] = [
    ("Plugin", "name"),
    ("Version", "version"),
    ("State", _state),
    ("Providers", lambda plugin: [f"{each['kind']}:{each['name']}" for each in plugin["providers"]]),
    ("Reason", lambda plugin: _hold(plugin) or plugin["error"]),
]
DETAILS: list[Column] = [
    ("Plugin", "name"),
    ("Distribution", "distribution"),
    ("Version", "version"),
    ("State", "state"),
    ("Not called", _hold),
    ("Reason", "error"),
    ("What to do", "hint"),
    ("Providers", lambda plugin: [f"{each['kind']}:{each['name']}" for each in plugin["providers"]]),
    ("Moments", "moments"),
    ("Calls", _lines("calls", "{operation} {outcome} {count}")),
    ("Left alone", _lines("breakers", "{connection}: {reason}")),
    ("Last failures", _lines("last_failures", "{at} {operation}: {error}")),
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
@click.argument("plugin")
@click.option("--reason", required=True, help="Why; everybody who meets the block is told.")
@click.option("--force", is_flag=True, help="Also where the settings select it for all projects.")
@output_option
def block(plugin: str, reason: str, force: bool, output: str) -> None:
    """Have no process of the server call a plugin any more; what it is to be told waits."""
    done(connect().plugins.block(plugin, reason, force=force), output, f"Blocked the plugin {plugin}.")


@plugins.command()
@click.argument("plugin")
def unblock(plugin: str) -> None:
    """Lift a block, or end a quarantine before its time."""
    connect().plugins.unblock(plugin)
    click.echo(f"The plugin {plugin} is called again.")


@plugins.command()
@output_option
def providers(output: str) -> None:
    """List what connections can be made of; JSON has the schema of each one's settings."""
    show_list(connect().plugins.providers(), PROVIDER_COLUMNS, output, empty=f"The server has no providers. {MEND}")
