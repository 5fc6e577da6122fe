"""`modelyard admin plugins`: begin a plugin, and find out what is wrong with those that are installed."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from modelyard.cli.api import output_option
from modelyard.cli.errors import UNEXPECTED
from modelyard.cli.output import Column, Json, done, show_list

COLUMNS: list[Column] = [
    ("Plugin", "name"),
    ("Version", "version"),
    ("Import", lambda found: "" if found["import_seconds"] is None else f"{found['import_seconds']:.3f} s"),
    ("Hook API", "hook_api"),
    ("Brings", lambda found: found["providers"] or found["hooks"]),
    ("Problems", lambda found: _texts(found["problems"]) or "none"),
    ("Advice", lambda found: _texts(found["advice"])),
]
KINDS = ["notifier", "storage", "deployment_target", "tracker"]


@click.group()
def plugins() -> None:
    """Plugins on this machine."""


@plugins.command()
@click.argument("name", required=False)
@output_option
@click.pass_context
def doctor(ctx: click.Context, name: str | None, output: str) -> None:
    """Load each plugin, or the named one, in a process of its own and say what is wrong; ends with 1 if anything is."""
    from modelyard.core.plugin_doctor import examine, installed

    seconds = ctx.obj().plugins.load_deadline_seconds
    found = [asdict(examine(source, deadline_seconds=seconds)) for source in installed(name)]
    show_list(found, COLUMNS, output, empty="No plugins are installed, not even the built-in ones.")
    if any(each["problems"] for each in found):
        raise click.exceptions.Exit(UNEXPECTED)


@plugins.command()
@click.argument("name")
@click.option("--kind", type=click.Choice(KINDS), required=True, help="What it is to bring.")
@click.option("--into", type=click.Path(path_type=Path, file_okay=False), help="Folder to make it in; default: here.")
@output_option
def new(name: str, kind: str, into: Path | None, output: str) -> None:
    """Write a distribution with a provider that works, its tests and a README, in the new folder modelyard-NAME."""
    from modelyard.cli.scaffold import write_plugin

    folder = write_plugin(name, kind, into or Path())
    files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    told = f"Wrote {folder}. Next: pip install -e '{folder}[test]', then pytest {folder}."
    done({"folder": str(folder), "files": files}, output, told)


def _texts(problems: list[Json]) -> str:
    return " ".join(f"{each['what']} {each['mend']}".strip() for each in problems)
