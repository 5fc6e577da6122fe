"""Pages of lists: opaque cursors, the `Link` header, and one envelope for all."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any
from urllib.parse import quote, urlencode

from flask import request
from marshmallow import Schema, fields, validate
from peewee import IntegerField

from modelyard.core.errors import InvalidInput

LONGEST_PAGE = 200
LARGEST_KEY = 2**63 - 1


class PageArguments(Schema):
    """The query of every list."""

    limit = fields.Integer(
        load_default=50,
        validate=validate.Range(1, LONGEST_PAGE),
        metadata={"description": "Items on a page, 1 to 200."},
    )
    cursor = fields.String(load_default=None, metadata={"description": "`next_cursor` of the page before."})


@cache
def page_schema(item: type[Schema]) -> type[Schema]:
    """Return the envelope `{items, next_cursor}` of a list of `item`."""
    return Schema.from_dict(
        {
            "items": fields.List(fields.Nested(item), required=True),
            "next_cursor": fields.String(allow_none=True, required=True),
        },
        name=item.__name__.removesuffix("Schema") + "PageSchema",
    )


def encode_cursor(position: int | str) -> str:
    """Make an opaque cursor of the present list for the row after `position`."""
    return base64.urlsafe_b64encode(json.dumps([_list_name(), position]).encode()).decode().rstrip("=")


def decode_cursor(cursor: str, kind: type[int] | type[str]) -> Any:
    """Read what `encode_cursor` made for this list; raises `InvalidInput` for anything else."""
    try:
        name, position = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
    except (ValueError, TypeError, RecursionError, binascii.Error):
        name, position = "", None
    if name != _list_name() or type(position) is not kind or not _can_be_compared(position):
        raise InvalidInput(f"cursor {cursor[:40]!r} is none of this list.", hint="Leave it out.", field="cursor")
    return position


def _list_name() -> str:
    """Name the list that is asked for, so that no cursor of another one is taken for its own."""
    return hashlib.blake2s(request.path.rstrip("/").encode("utf-8", "replace"), digest_size=6).hexdigest()


def _can_be_compared(position: int | str) -> bool:
    if isinstance(position, int):
        return abs(position) <= LARGEST_KEY
    return "\0" not in position and not any("\ud800" <= letter <= "\udfff" for letter in position)


def page_of(
    query: Any,
    arguments: Mapping[str, Any],
    *,
    key: Any,
    descending: bool = False,
    show: Callable[[Any], Any] = lambda row: row,
) -> tuple[dict[str, Any], int, dict[str, str]]:
    """Return a page of a query that is ordered by the unique column `key`, with its `Link` header.

    The cursor holds the last key: a row that comes or goes elsewhere neither repeats nor hides another.
    """
    if arguments["cursor"]:
        after = decode_cursor(arguments["cursor"], int if isinstance(key, IntegerField) else str)
        query = query.where(key < after if descending else key > after)
    rows = list(query.limit(arguments["limit"] + 1))
    more = len(rows) > arguments["limit"]
    rows = rows[: arguments["limit"]]
    cursor = encode_cursor(_key_of(rows[-1], key)) if more else None
    return envelope([show(row) for row in rows], cursor)


def envelope(items: list[Any], cursor: str | None) -> tuple[dict[str, Any], int, dict[str, str]]:
    """Return the envelope of a page, its status, and a `Link` to the next one where there is one."""
    headers = {}
    if cursor is not None:
        query = urlencode({**request.args.to_dict(), "cursor": cursor})
        headers["Link"] = f'<{quote(request.path)}?{query}>; rel="next"'
    return {"items": items, "next_cursor": cursor}, 200, headers


def _key_of(row: Any, key: Any) -> Any:
    holder = row if key.model is type(row) else next(v for v in row.__rel__.values() if isinstance(v, key.model))
    return getattr(holder, key.name)
