"""The tags by which a repeated import finds what is there: all of an import's state, and it is in the project alone.

`ORIGIN` and `ID` go with the request that makes a thing, so that no thing is without them. `STATE` is set when all of
the thing is there; its value is a digest of what the source showed, by which a later change there is seen.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from modelyard.client.resource import Json

PREFIX = "modelyard.import."
ORIGIN = PREFIX + "source"
ID = PREFIX + "id"
STATE = PREFIX + "state"
CREATED = PREFIX + "created_at"
CREATED_BY = PREFIX + "created_by"
NUMBER = PREFIX + "version"
WITH_ARTIFACTS = "+artifacts"

_IDS = re.compile(r"(?<![0-9A-Za-z_-])(?:m-)?[0-9a-f]{32}(?![0-9A-Za-z_-])")


def birth_marks(url: str, identity: str, *, created_ms: Any = None, user: str = "") -> dict[str, str]:
    """Return the tags that a thing is made with; `url` never holds a secret."""
    marks = {ORIGIN: url, ID: identity}
    if created_ms:
        made = datetime.fromtimestamp(int(created_ms) / 1000, UTC)
        marks[CREATED] = made.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if user:
        marks[CREATED_BY] = user
    return marks


def tags_of(thing: Mapping[str, Any]) -> dict[str, str]:
    """Return the tags of what either server answered."""
    return {tag["key"]: tag.get("value", "") for tag in thing.get("tags", ())}


def own_tags(thing: Mapping[str, Any]) -> dict[str, str]:
    """Return the tags of a thing without those of an import: the source may have been filled by one."""
    return {key: value for key, value in tags_of(thing).items() if not key.startswith(PREFIX)}


def pairs(values: Mapping[str, str]) -> list[Json]:
    """Write tags or params the way the wire has them."""
    return [{"key": key, "value": value} for key, value in values.items()]


def digest(*parts: Any) -> str:
    """Return a short digest of what the source showed; the order in lists does not count."""
    text = json.dumps([_ordered(part) for part in parts], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def is_done(state: str, wanted: str, *, artifacts: bool) -> bool:
    """Say whether the state that a thing has covers all that is wanted of it."""
    return state == wanted + WITH_ARTIFACTS or (not artifacts and state == wanted)


def with_ids(text: str, ours: Callable[[str], str | None]) -> str:
    """Return a text with the ids of the source's runs and logged models replaced by those that `ours` knows."""
    return _IDS.sub(lambda found: ours(found[0]) or found[0], text)


def _ordered(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _ordered(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return sorted((_ordered(inner) for inner in value), key=lambda inner: json.dumps(inner, sort_keys=True))
    return value


def without(thing: Mapping[str, Any], keys: Iterable[str]) -> Json:
    """Return a thing without some of its fields."""
    return {key: value for key, value in thing.items() if key not in set(keys)}
