"""`modelyard events`."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import IO, TYPE_CHECKING, Any

import click

from modelyard.cli.api import connect, limit_option, open_project, output_option
from modelyard.cli.output import Column, Json, show_list

if TYPE_CHECKING:
    from modelyard.client import AuditLog

COLUMNS: list[Column] = [
    ("Time", "occurred_at"),
    ("Action", "action"),
    ("Object", "object"),
    ("Where", lambda event: _place(event)),
    ("By", "actor"),
    ("From", "address"),
    ("Before", "before"),
    ("After", "after"),
]
FILTERS = [
    click.option("--actor", help="Only what this user or token did, by name or id."),
    click.option("--action", help="Only this: `model.created`, or `model.*` for all of a noun."),
    click.option("--object-kind", metavar="KIND", help="Only what was done to things of this kind."),
    click.option("--object-id", metavar="ID", help="Only what was done to this thing."),
    click.option("--since", metavar="TIME", help="From this time on, such as 2026-03-01T00:00:00Z."),
    click.option("--until", metavar="TIME", help="Before this time."),
    click.option("--address", help="Only what was done from this address; for admins."),
    click.option("--request-id", metavar="ID", help="Only what this request did."),
]


def filtered(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the filters and hand them to the command together as `filters`."""

    @functools.wraps(command)
    def narrowed(*args: Any, **options: Any) -> Any:
        names = ("actor", "action", "object_kind", "object_id", "since", "until", "address", "request_id")
        filters = {name: options.pop(name) for name in names}
        return command(*args, filters=filters, **options)

    for option in reversed(FILTERS):
        narrowed = option(narrowed)
    return narrowed


def in_scope(*, with_instance: bool) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add `--project`, `--organization` and, if asked for, `--instance`; hand the command what they name as `log`."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @click.option("--project", envvar="MODELYARD_PROJECT", metavar="ORG/PROJECT", help="Default: the profile's.")
        @click.option("--organization", metavar="ORG", help="All of an organization instead; for its admins.")
        @functools.wraps(command)
        def opened(
            *args: Any, project: str | None, organization: str | None, instance: bool = False, **options: Any
        ) -> Any:
            if instance and organization:
                raise click.UsageError("--organization and --instance do not go together.")
            log: Any
            if instance:
                log = connect().audit
            elif organization:
                log = connect().organizations.audit(organization)
            else:
                log = open_project(project).audit
            return command(*args, log=log, **options)

        if with_instance:
            what = "What happened to users and organizations instead; for instance administrators."
            return click.option("--instance", is_flag=True, help=what)(opened)
        return opened

    return decorate


def _place(event: Json) -> str:
    return "/".join(part for part in (event.get("organization"), event.get("project")) if part)


@click.group()
def events() -> None:
    """Who did what, when and from where: the audit log."""


@events.command("list")
@in_scope(with_instance=True)
@filtered
@limit_option
@output_option
def list_events(log: AuditLog, filters: dict[str, Any], limit: int, output: str) -> None:
    """List what happened, newest first."""
    empty = "Nothing of that kind has happened. `modelyard projects show` has the address to log runs to."
    show_list(log.events(limit=limit + 1, **filters), COLUMNS, output, limit=limit, empty=empty)


@events.command()
@in_scope(with_instance=True)
@filtered
@click.option("--format", "form", type=click.Choice(["ndjson", "csv"]), default="ndjson", help="Form of the file.")
@click.option("--to", type=click.File("wb", lazy=True, atomic=True), default="-", help="The file; default: stdout.")
def export(log: AuditLog, filters: dict[str, Any], form: str, to: IO[bytes]) -> None:
    """Write all of what happened into a file, newest first."""
    for chunk in log.export_events(form, **filters):
        to.write(chunk)
