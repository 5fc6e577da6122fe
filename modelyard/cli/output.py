"""What commands print: JSON for programs, a table for people.

On a terminal tables are drawn by rich; into a pipe or file they are plain aligned text without colours or folding. JSON
is what the API answers, keys sorted; it does not depend on the terminal. Both go to stdout, everything else to stderr.
"""

from __future__ import annotations

import json
import re
import sys
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

import click

from modelyard.cli.errors import visible

Json = dict[str, Any]
Column = tuple[str, str | Callable[[Json], Any]]

# Inside JSON strings these may be escaped; on a terminal they would act, and half a surrogate pair cannot be written.
_UNSAFE_IN_JSON = re.compile("[\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.\d+)?Z")


def on_terminal() -> bool:
    """Say whether people look at stdout."""
    return sys.stdout.isatty()


def as_json(value: Any) -> str:
    """Write a value as JSON with sorted keys, safe for a terminal."""
    text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False)
    return _UNSAFE_IN_JSON.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def cell(value: Any) -> str:
    """Write one value on one line: nothing for None, names for things, `a=1` for mappings, times without their T."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, Mapping):
        if "name" in value:
            return cell(value["name"])
        return ", ".join(f"{cell(str(key))}={cell(inner)}" for key, inner in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(cell(item) for item in value)
    text = _TIME.sub(r"\1 \2Z", str(value))
    return visible(" ".join(text.split("\n"))).replace("\t", " ")


def size(count: Any) -> str:
    """Write a size in bytes for people."""
    if count is None:
        return ""
    number = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if number < 1024:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1024
    return f"{number:.1f} TiB"


def show_list(
    items: Iterable[Json], columns: Sequence[Column], output: str, *, empty: str, limit: int | None = None
) -> None:
    """Print a list; `empty` goes to stderr where a table would have no row.

    At most `limit` items are shown; where `items` has more, stderr says so.
    """
    left = iter(items)
    shown = list(islice(left, limit))
    if output == "json":
        click.echo(as_json(shown))
    elif shown:
        rows = [[cell(_value(item, source)) for _, source in columns] for item in shown]
        show_rows([title for title, _ in columns], rows)
    else:
        click.echo(visible(empty), err=True)
    if limit is not None and next(left, None) is not None:
        click.echo(f"There are more than these {limit}; --limit shows more.", err=True)


def show_one(item: Json, columns: Sequence[Column], output: str) -> None:
    """Print one thing: its fields below each other."""
    if output == "json":
        click.echo(as_json(item))
        return
    pairs = [(title, cell(_value(item, source))) for title, source in columns]
    width = max(_width(title) for title, _ in pairs)
    for title, text in pairs:
        gap = " " * (width - _width(title) + 2) if text else ""
        click.echo(f"{click.style(title, bold=True)}{gap}{text}")


def show_rows(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table of texts."""
    if on_terminal():
        _show_rich(titles, rows)
        return
    widths = [max(_width(text) for text in column) for column in zip(titles, *rows, strict=True)]
    for row in ([title.upper() for title in titles], *rows):
        padded = (text + " " * (width - _width(text)) for text, width in zip(row, widths, strict=True))
        click.echo("  ".join(padded).rstrip())


def done(item: Json, output: str, message: str) -> None:
    """Print the outcome of a change: the thing as JSON, or a sentence."""
    click.echo(as_json(item) if output == "json" else visible(message))


def _value(item: Json, source: str | Callable[[Json], Any]) -> Any:
    return item.get(source) if isinstance(source, str) else source(item)


def _width(text: str) -> int:
    """Count the cells that a terminal takes for a text."""
    return sum(
        0 if unicodedata.combining(letter) else 2 if unicodedata.east_asian_width(letter) in "WF" else 1
        for letter in text
    )


def _show_rich(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for title in titles:
        table.add_column(Text(title), overflow="fold")
    for row in rows:
        table.add_row(*(Text(text) for text in row))
    Console().print(table)
