"""`modelyard deliveries`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from modelyard.cli.api import limit_option, output_option
from modelyard.cli.commands.events import in_scope
from modelyard.cli.output import Column, done, show_list, show_one

if TYPE_CHECKING:
    from modelyard.client import DeliveryLog

COLUMNS: list[Column] = [
    ("Id", "id"),
    ("Time", "created_at"),
    ("Action", "action"),
    ("To", "subscriber"),
    ("State", "state"),
    ("Attempts", "attempts"),
    ("Error", "last_error"),
]
MORE_COLUMNS: list[Column] = [
    *COLUMNS,
    ("Event", "event_id"),
    ("Next attempt", "next_attempt_at"),
    ("Delivered", "delivered_at"),
]


ATTEMPT_COLUMNS: list[Column] = [
    ("Attempt", "started_at"),
    ("Seconds", "duration_seconds"),
    ("Outcome", "outcome"),
    ("Error", "error"),
]


@click.group()
def deliveries() -> None:
    """Who was told of what happened: by which notifier or plugin, and how it went."""


@deliveries.command("list")
@in_scope(with_instance=False)
@click.option("--state", type=click.Choice(["queued", "running", "done", "failed"]), help="Only those that are so.")
@click.option("--subscriber", metavar="NAME", help="Only those to this connection or plugin.")
@click.option("--action", help="Only those of this action, such as `model.created`.")
@limit_option
@output_option
def list_deliveries(
    log: DeliveryLog, state: str | None, subscriber: str | None, action: str | None, limit: int, output: str
) -> None:
    """List who was told of what, newest first, with the error of what failed."""
    empty = "Nobody was told of anything yet. To be told: `modelyard connections create notifier PROVIDER NAME`."
    found = log.deliveries(limit=limit + 1, state=state, subscriber=subscriber, action=action)
    show_list(found, COLUMNS, output, limit=limit, empty=empty)


@deliveries.command()
@in_scope(with_instance=False)
@click.argument("delivery")
@output_option
def show(log: DeliveryLog, delivery: str, output: str) -> None:
    """Show one delivery with its attempts."""
    found = log.delivery(delivery)
    show_one(found, MORE_COLUMNS, output)
    if output == "table" and found["log"]:
        click.echo()
        show_list(found["log"], ATTEMPT_COLUMNS, output, empty="")


@deliveries.command()
@in_scope(with_instance=False)
@click.argument("delivery")
@output_option
def redeliver(log: DeliveryLog, delivery: str, output: str) -> None:
    """Tell the subscriber of a delivery again."""
    told = log.redeliver(delivery)
    done(told, output, f"{told['subscriber']} is told again; `modelyard deliveries show {delivery}` says how it goes.")
