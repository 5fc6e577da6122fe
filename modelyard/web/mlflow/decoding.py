"""From the bytes of a request to a typed struct, with the leniency of protobuf's JSON.

Well-formed requests are decoded in one pass. Only when that fails is the request read again the lenient way: null is
absent, and numbers may be texts (``"12"``, ``"NaN"``) or have ``.0``. Unknown fields are ignored in both. NUL, which
PostgreSQL cannot store, is refused, as are lone surrogates, which are no valid JSON to begin with.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, get_origin

import msgspec
from msgspec import Meta, Struct
from werkzeug.datastructures import MultiDict

from modelyard.core.errors import InvalidInput

Int64 = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
Required = Annotated[str, Meta(min_length=1)]
"""A text that must be there; an empty one is as good as none, as in protobuf."""

_FIELD = re.compile(r" - at `(?:key in )?\$\.?(?P<path>.*)`$")
_MISSING = re.compile(r"Object missing required field `(?P<name>[^`]+)`")


class Request(Struct, kw_only=True):
    """What all requests share."""


class Decoder:
    """Decodes requests of one type."""

    def __init__(self, request_type: type[Request]) -> None:
        self._type = request_type
        self._json = msgspec.json.Decoder(request_type)
        self._lists = {
            field.encode_name for field in msgspec.structs.fields(request_type) if get_origin(field.type) is list
        }

    def body(self, data: bytes, extra: Mapping[str, str]) -> Any:
        """Decode a JSON body; `extra` are fields that the address gives."""
        _refuse_nul(dict(extra))
        if not data:
            return self.values(dict(extra))
        if b"\\u0000" in data:
            try:
                _refuse_nul(_plain(data))
            except RecursionError:
                raise _too_deep() from None
        if not extra:
            try:
                return self._json.decode(data)
            except msgspec.ValidationError:
                return self.values(_plain(data))
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                raise _malformed(error) from None
        return self.values({**_plain(data), **extra})

    def query(self, arguments: MultiDict[str, str], extra: Mapping[str, str]) -> Any:
        """Decode a query string; a field that is a list takes every value of its name."""
        given: dict[str, Any] = {
            name: arguments.getlist(name) if name in self._lists else arguments[name] for name in arguments
        }
        given |= extra
        _refuse_nul(given)
        return self.values(given)

    def values(self, values: Any) -> Any:
        """Make the struct of plain values, leniently."""
        try:
            return msgspec.convert(_without_null(values), self._type, strict=False)
        except msgspec.ValidationError as error:
            raise _refusal(str(error)) from None
        except RecursionError:
            raise _too_deep() from None


def _plain(data: bytes) -> dict[str, Any]:
    try:
        values = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _malformed(error) from None
    if not isinstance(values, dict):
        raise InvalidInput("The request body must be a JSON object.")
    return values


def _malformed(error: Exception) -> InvalidInput:
    return InvalidInput(f"The request body is not valid JSON: {error}.")


def _too_deep() -> InvalidInput:
    return InvalidInput("The request body is nested too deep.")


def _without_null(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_null(inner) for key, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [_without_null(inner) for inner in value]
    return value


def _refuse_nul(value: Any, path: str = "") -> None:
    if isinstance(value, dict):
        for key, inner in value.items():
            _refuse_nul(key, path)
            _refuse_nul(inner, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            _refuse_nul(inner, f"{path}[{index}]")
    elif isinstance(value, str) and "\0" in value:
        raise InvalidInput(f"The parameter '{path}' contains NUL.".replace("\0", "\\0"))


def _refusal(message: str) -> InvalidInput:
    """Say it in MLflow's words, with the field's name."""
    found = _FIELD.search(message)
    path = found["path"] if found else ""
    what = message[: found.start()] if found else message
    missing = _MISSING.search(what)
    if missing:
        name = f"{path}.{missing['name']}" if path else missing["name"]
        return InvalidInput(f"Missing value for required parameter '{name}'.")
    if what == "Expected `str` of length >= 1":
        return InvalidInput(f"Missing value for required parameter '{path}'.")
    return InvalidInput(f"Invalid value for parameter '{path}': {what.lower()}.")
