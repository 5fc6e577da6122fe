"""`modelyard config`: the server's settings as this process would take them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from modelyard.cli.api import output_option
from modelyard.cli.output import Column, show_list

COLUMNS: list[Column] = [
    ("Setting", "setting"),
    ("Type", "type"),
    ("Value", "value"),
    ("From", "origin"),
    ("Description", "description"),
]
file_option = click.option("--config", "file", type=click.Path(path_type=Path, dir_okay=False), help="Settings file.")


@click.group()
def config() -> None:
    """Show and check the server's settings."""


@config.command()
@file_option
@output_option
def show(file: Path | None, output: str) -> None:
    """Show every setting, its type, its value and where that came from; secrets are masked."""
    from modelyard.config.sources import load_settings

    described = (
        {
            "setting": setting.key,
            "environment": setting.variable,
            "type": setting.type,
            "value": _plain(setting.value),
            "default": _plain(setting.default),
            "origin": setting.origin,
            "description": setting.description,
        }
        for setting in load_settings(file=file).described()
    )
    show_list(described, COLUMNS, output, empty="There are no settings.")


@config.command()
@file_option
def check(file: Path | None) -> None:
    """Check the settings; ends with 8 and names all that is wrong. What is dangerous is told, and is no error."""
    from modelyard.config.sources import load_settings
    from modelyard.core.errors import ConfigurationError
    from modelyard.core.settings_check import dangers, problems

    settings = load_settings(file=file)
    if found := problems(settings):
        raise ConfigurationError("\n".join(str(problem) for problem in found))
    for danger in dangers(settings):
        click.echo(f"{click.style('Warning:', fg='yellow', bold=True)} {danger}", err=True)
    click.echo("The settings are good.")


def _plain(value: Any) -> Any:
    """Turn a path or tuple into what JSON has."""
    if isinstance(value, Path):
        return str(value)
    return list(value) if isinstance(value, tuple) else value
