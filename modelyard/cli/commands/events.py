"""`modelyard events`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from modelyard.cli.api import in_project, limit_option, output_option
from modelyard.cli.output import Column, show_list

if TYPE_CHECKING:
    from modelyard.client import Project

COLUMNS: list[Column] = [
    ("Time", "occurred_at"),
    ("Action", "action"),
    ("Object", "object"),
    ("By", "actor"),
    ("After", "after"),
]
DELIVERY_COLUMNS: list[Column] = [
    ("Time", "created_at"),
    ("Action", "action"),
    ("To", "subscriber"),
    ("State", "state"),
    ("Attempts", "attempts"),
    ("Error", "last_error"),
]


@click.group()
def events() -> None:
    """What happened in a project, and who was told."""


@events.command("list")
@in_project
@limit_option
@output_option
def list_events(project: Project, limit: int, output: str) -> None:
    """List what happened, newest first."""
    empty = "Nothing has happened in the project yet. `modelyard projects show` has the address to log runs to."
    show_list(project.events(limit=limit + 1), COLUMNS, output, limit=limit, empty=empty)


@events.command()
@in_project
@limit_option
@output_option
def deliveries(project: Project, limit: int, output: str) -> None:
    """List who was told of what, newest first, with the error of what failed."""
    empty = "Nobody was told of anything yet. To be told: `modelyard connections create notifier PROVIDER NAME`."
    show_list(project.deliveries(limit=limit + 1), DELIVERY_COLUMNS, output, limit=limit, empty=empty)
