"""All commands of the command line."""

from __future__ import annotations

from collections.abc import Iterator

import click

from modelyard.cli.main import cli


def all_commands(command: click.Command = cli, path: str = "modelyard") -> Iterator[tuple[str, click.Command]]:
    """Yield the path and the command itself, groups before what is in them."""
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from all_commands(inner, f"{path} {name}")


LEAVES = [path for path, command in all_commands() if not isinstance(command, click.Group)]
