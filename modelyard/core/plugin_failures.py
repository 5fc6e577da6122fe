"""What becomes of an exception that a plugin raised: one of our own errors, short, without secrets, free of the first.

A plugin's exception is foreign code: its `str` may raise, hang, be huge or hold a password, and its traceback keeps
every frame alive. So it is described where it was raised, under the guard, and dropped; no error here is chained to it.
"""

from __future__ import annotations

import json
import re
import traceback
from collections.abc import Collection, Mapping
from itertools import islice
from types import TracebackType
from typing import Any
from urllib.parse import quote

from modelyard.core.errors import (
    AlreadyExists,
    Conflict,
    InvalidInput,
    InvalidTransition,
    ModelyardError,
    NotFound,
    PluginContractError,
    PluginError,
    PluginLoadError,
    PluginNotFound,
    PluginRefused,
    PluginTimeout,
    PluginUnavailable,
    TooLarge,
)

MAX_TEXT = 500
MASK = "***"

_PLUGIN_ERRORS = frozenset(
    {PluginError, PluginLoadError, PluginNotFound, PluginTimeout, PluginUnavailable, PluginRefused, PluginContractError}
)
_ANSWERS = frozenset({NotFound, InvalidInput, Conflict, AlreadyExists, InvalidTransition, TooLarge})


def strip_secrets(text: str, secrets: Collection[str], *, limit: int = MAX_TEXT) -> str:
    """Return at most about `limit` characters of the text, each secret replaced by ``***``, also where it is quoted.

    A secret that begins before the limit is replaced whole, and only the beginning of a huge text is ever touched.
    NUL and lone surrogates, which no database takes, are replaced too.
    """
    forms = _written_forms(secrets)
    longest = max(map(len, forms), default=0)
    window = str.__getitem__(text, slice(0, limit + longest))
    pattern = re.compile("|".join(map(re.escape, forms))) if forms else None
    parts: list[str] = []
    position = 0
    for match in pattern.finditer(window) if pattern else ():
        if match.start() >= limit:
            break
        parts += window[position : match.start()], MASK
        position = match.end()
    parts.append(window[position:limit])
    clean = "".join(parts).replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()
    return clean + "…" if str.__len__(text) > max(limit, position) else clean


def _written_forms(secrets: Collection[str]) -> list[str]:
    """Every secret as it is, in a URL, in JSON and in a `repr`; the longest first, so that no part of one is left."""
    forms: set[str] = set()
    for secret in secrets:
        if secret.strip():
            forms |= {secret, quote(secret, safe=""), json.dumps(secret)[1:-1], repr(secret)[1:-1]}
    return sorted(forms, key=len, reverse=True)


def describe(exception: BaseException, *, plugin: str, operation: str, secrets: Collection[str] = ()) -> ModelyardError:
    """Return the error to raise instead: answers such as `NotFound` stay what they are, all else is a `PluginError`.

    Runs foreign code: call it on the plugin's thread.
    """
    kind = next((cls for cls in type(exception).__mro__ if cls in _PLUGIN_ERRORS or cls in _ANSWERS), None)
    if kind is None:
        name = strip_secrets(type(exception).__name__, secrets, limit=100)
        text = strip_secrets(_text_of(exception), secrets)
        said = f"{name}: {text}" if text else name
        message = f"The plugin '{plugin}' failed in '{operation}': {said}"
        return PluginError(message, plugin=plugin, operation=operation)
    hint = getattr(exception, "hint", None)
    clean_hint = strip_secrets(str(hint), secrets) if hint else None
    message = strip_secrets(_text_of(exception), secrets)
    if kind is PluginUnavailable:
        later = _seconds(getattr(exception, "retry_after_seconds", None))
        return PluginUnavailable(
            message, plugin=plugin, operation=operation, hint=clean_hint, retry_after_seconds=later
        )
    if kind in _PLUGIN_ERRORS:
        return kind(message, plugin=plugin, operation=operation, hint=clean_hint)
    return kind(message, hint=clean_hint, **_plain_details(exception, secrets))


def _text_of(exception: BaseException) -> str:
    text = getattr(exception, "message", None) if isinstance(exception, ModelyardError) else None
    return text if isinstance(text, str) else str(exception)


def _seconds(value: object) -> float | None:
    """Return a plain number of seconds; None for anything else that a plugin may have put there."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value < float("inf") else None


def _plain_details(exception: BaseException, secrets: Collection[str]) -> dict[str, Any]:
    details = getattr(exception, "details", None)
    if not isinstance(details, Mapping):
        return {}
    plain: dict[str, Any] = {}
    for name, value in islice(details.items(), 20):
        if isinstance(name, str) and name.isidentifier() and name not in ("message", "hint", "self"):
            if isinstance(value, str):
                plain[name] = strip_secrets(value, secrets)
            elif isinstance(value, bool | int | float | None):
                plain[name] = value
            elif name == "errors" and isinstance(value, Mapping):
                plain[name] = _plain_errors(value, secrets)
    return plain


def _plain_errors(errors: Mapping[Any, Any], secrets: Collection[str]) -> dict[str, str]:
    """What is wrong, by field: at most 50 of them, each short."""
    return {
        strip_secrets(name, secrets, limit=100): strip_secrets(problem, secrets)
        for name, problem in islice(errors.items(), 50)
        if isinstance(name, str) and isinstance(problem, str)
    }


def places(trace: TracebackType | None, *, last: int = 6) -> list[str]:
    """The last frames as ``file:line function``: where it went wrong, without a word of what was in the variables."""
    frames = [f"{frame.f_code.co_filename}:{line} {frame.f_code.co_name}" for frame, line in traceback.walk_tb(trace)]
    return frames[-last:]
