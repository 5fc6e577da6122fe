"""Pages of lists, sorted and filtered alike: opaque cursors, the `Link` header, and one envelope for all."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property, reduce
from operator import or_
from typing import Any
from urllib.parse import quote, urlencode

from flask import request
from marshmallow import Schema, fields, validate
from peewee import IntegerField, fn

from modelyard.core.errors import InvalidInput

LONGEST_PAGE = 200
LARGEST_KEY = 2**63 - 1
LONGEST_SEARCH = 200


class PageArguments(Schema):
    """The query of every list."""

    limit = fields.Integer(
        load_default=50,
        validate=validate.Range(1, LONGEST_PAGE),
        metadata={"description": "Items on a page, 1 to 200."},
    )
    cursor = fields.String(load_default=None, metadata={"description": "`next_cursor` of the page before."})


@dataclass(frozen=True, eq=False)
class Listing:
    """How a list of rows is sorted and filtered: the same words for every list.

    `key` is a unique column; the list is in its order unless `order_by` names another of `sort`, and it breaks their
    ties. `search` are the columns that `q` is looked for in; `filters` maps a parameter to its column and its field.
    """

    key: Any
    descending: bool = False
    sort: Mapping[str, Any] = field(default_factory=dict)
    search: Sequence[Any] = ()
    filters: Mapping[str, tuple[Any, fields.Field[Any]]] = field(default_factory=dict)

    @cached_property
    def arguments(self) -> type[Schema]:
        """The schema of the list's query."""
        orders = [text for key in self.sort for text in (key, f"{key} desc")]
        own: dict[str, Any] = {}
        if orders:
            described = "What to sort by; `desc` turns it round."
            own["order_by"] = fields.String(validate=validate.OneOf(orders), metadata={"description": described})
        if self.search:
            names = " or ".join(column.name.replace("_", " ") for column in self.search)
            own["q"] = fields.String(
                validate=validate.Length(1, LONGEST_SEARCH),
                metadata={"description": f"Text that {names} must contain, in whichever case."},
            )
        own |= {parameter: declared for parameter, (_, declared) in self.filters.items()}
        return type("ListArguments", (PageArguments,), own)

    def narrowed(self, query: Any, arguments: Mapping[str, Any]) -> Any:
        """Return the query with the conditions that the arguments name."""
        if arguments.get("q"):
            query = query.where(reduce(or_, (column.contains(arguments["q"]) for column in self.search)))
        for parameter, (column, _) in self.filters.items():
            if arguments.get(parameter) is not None:
                query = query.where(column == arguments[parameter])
        return query

    def order(self, arguments: Mapping[str, Any]) -> tuple[Any, bool]:
        """Return the column to sort by before `key`, None for none, and whether the list is turned round."""
        wanted = arguments.get("order_by")
        if not wanted:
            return None, self.descending
        name, _, direction = wanted.partition(" ")
        column = self.sort[name]
        return (None if column is self.key else column), direction == "desc"


def page_of(
    query: Any, arguments: Mapping[str, Any], listing: Listing, *, show: Callable[[Any], Any] = lambda row: row
) -> tuple[dict[str, Any], int, dict[str, str]]:
    """Return a page of the rows of a query, with its `Link` header.

    The cursor holds the last row's place in the order: a row that comes or goes elsewhere neither repeats nor hides
    another. Rows without a value come first.
    """
    query = listing.narrowed(query, arguments)
    column, descending = listing.order(arguments)
    places = [key for key in (column, listing.key) if key is not None]
    sorted_by = [_without_null(key) for key in places]
    if arguments["cursor"]:
        after = decode_cursor(arguments["cursor"], [_kind_of(key) for key in places])
        query = query.where(_comes_after(sorted_by, after, descending=descending))
    rows = list(
        query.order_by(*(key.desc() if descending else key.asc() for key in sorted_by)).limit(arguments["limit"] + 1)
    )
    more = len(rows) > arguments["limit"]
    rows = rows[: arguments["limit"]]
    cursor = encode_cursor([_value_of(rows[-1], key) for key in places]) if more else None
    return envelope([show(row) for row in rows], cursor)


def _comes_after(sorted_by: Sequence[Any], after: Sequence[Any], *, descending: bool) -> Any:
    """Make the condition of a later place: a later first value, or the same one and a later second."""
    first, *others = sorted_by
    later = first < after[0] if descending else first > after[0]
    if not others:
        return later
    return later | ((first == after[0]) & _comes_after(others, after[1:], descending=descending))


def _kind_of(column: Any) -> type[int] | type[str]:
    return int if isinstance(column, IntegerField) else str


def _without_null(column: Any) -> Any:
    return fn.COALESCE(column, _kind_of(column)()) if column.null else column


def _value_of(row: Any, column: Any) -> Any:
    holder = row if column.model is type(row) else next(v for v in row.__rel__.values() if isinstance(v, column.model))
    value = getattr(holder, column.name)
    return _kind_of(column)() if value is None else value


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


def encode_cursor(position: Sequence[int | str]) -> str:
    """Make an opaque cursor of the present list for the row after `position`."""
    return base64.urlsafe_b64encode(json.dumps([_list_name(), *position]).encode()).decode().rstrip("=")


def decode_cursor(cursor: str, kinds: Sequence[type[int] | type[str]]) -> list[Any]:
    """Read what `encode_cursor` made for this list in this order; raises `InvalidInput` for anything else."""
    position: list[Any]
    try:
        name, *position = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
    except (ValueError, TypeError, RecursionError, binascii.Error):
        name, position = "", []
    fits = [type(value) for value in position] == list(kinds) and all(_can_be_compared(value) for value in position)
    if name != _list_name() or not fits:
        raise InvalidInput(f"cursor {cursor[:40]!r} is none of this list.", hint="Leave it out.", field="cursor")
    return position


def _list_name() -> str:
    """Name the list that is asked for and its order, so that no cursor of another one is taken for its own."""
    named = f"{request.path.rstrip('/')} {request.args.get('order_by', '')}"
    return hashlib.blake2s(named.encode("utf-8", "replace"), digest_size=6).hexdigest()


def _can_be_compared(position: int | str) -> bool:
    if isinstance(position, int):
        return abs(position) <= LARGEST_KEY
    return "\0" not in position and not any("\ud800" <= letter <= "\udfff" for letter in position)


def envelope(items: list[Any], cursor: str | None) -> tuple[dict[str, Any], int, dict[str, str]]:
    """Return the envelope of a page, its status, and a `Link` to the next one where there is one."""
    headers = {}
    if cursor is not None:
        query = urlencode({**request.args.to_dict(), "cursor": cursor})
        headers["Link"] = f'<{quote(request.path)}?{query}>; rel="next"'
    return {"items": items, "next_cursor": cursor}, 200, headers
