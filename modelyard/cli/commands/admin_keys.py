"""`modelyard admin keys`: the keys of stored secrets."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from modelyard.cli.api import output_option
from modelyard.cli.output import Column, done, show_list

if TYPE_CHECKING:
    from modelyard.core.secret_keys import SecretKeys

COLUMNS: list[Column] = [
    ("Key", "id"),
    ("Newest", "is_newest"),
    ("There", "is_known"),
    ("Values", "values"),
]


@click.group()
def keys() -> None:
    """The keys that stored secrets are encrypted with; a key itself is never shown."""


@keys.command("list")
@output_option
@click.pass_context
def list_keys(ctx: click.Context, output: str) -> None:
    """List the keys, newest first, and how many stored values each seals."""
    show_list(map(asdict, _keys(ctx).uses()), COLUMNS, output, empty="There are no keys yet: no server has started.")


@keys.command()
@click.option("--resume", is_flag=True, help="Make no new key; seal what older ones sealed with the newest.")
@output_option
@click.pass_context
def rotate(ctx: click.Context, resume: bool, output: str) -> None:
    """Make a new key and seal everything anew with it, also while servers run; the old keys stay until `prune`."""
    found = _keys(ctx)
    made = None if resume else found.add()
    count = 0
    with click.progressbar(length=1, label="Sealing", file=sys.stderr) as bar:
        for finished, everything in found.reseal():
            bar.length, bar.pos = everything, min(finished, everything)
            bar.update(0)
            count = max(count, finished)
    answer = {"new_key": made, "values": count}
    done(answer, output, f"Sealed {count} values anew{f' with the new key {made}' if made else ''}.")


@keys.command()
@output_option
@click.pass_context
def prune(ctx: click.Context, output: str) -> None:
    """Forget keys that seal nothing any more; ten minutes after a rotation at the earliest."""
    gone = _keys(ctx).prune()
    done({"removed": gone}, output, f"Removed {', '.join(gone)}." if gone else "Every key is needed.")


def _keys(ctx: click.Context) -> SecretKeys:
    from modelyard.core.bootstrap import secret_keys

    found: SecretKeys = secret_keys(ctx.obj())
    return found
