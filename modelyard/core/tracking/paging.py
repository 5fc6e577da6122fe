"""Page tokens: opaque to clients, bound to the search that they continue."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec

from modelyard.core.errors import InvalidInput

Offset = tuple[Annotated[int, msgspec.Meta(ge=0, le=2**62)]]
_Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
_RunId = Annotated[str, msgspec.Meta(pattern="^[^\\x00]*$")]
RunPosition = tuple[Literal[0, 1, 2], float | Literal["Infinity", "-Infinity"] | None, _Int64, _RunId]
"""Part of the list, value in it, start time and id, of the last run of a page."""

PointPosition = tuple[_Int64, _Int64, float | Literal["Infinity", "-Infinity"], Literal[0, 1]]
"""Step, timestamp, value and whether it is NaN, of the last point of a page of a metric's history."""


def fingerprint(*parts: Any) -> str:
    """Name a search, so that its token is not taken for another search's."""
    return hashlib.blake2s(msgspec.json.encode(parts), digest_size=6).hexdigest()


def make_token(search: str, position: Sequence[Any]) -> str:
    """Make the token for going on at `position` in the search of that fingerprint."""
    return base64.urlsafe_b64encode(msgspec.json.encode([search, *position])).decode()


def read_token(token: str, search: str, position_type: Any) -> Any:
    """Return the position as the given tuple type; refuses a token that is not ours or is of another search."""
    try:
        found, *position = msgspec.json.decode(
            base64.b64decode(token.encode(), altchars=b"-_", validate=True), type=list
        )
        read = msgspec.convert(position, position_type)
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        raise InvalidInput(f"Invalid page token {token!r}.") from None
    if found != search:
        raise InvalidInput(
            "The page token belongs to another search.", hint="Repeat the search with the same parameters."
        )
    return read
