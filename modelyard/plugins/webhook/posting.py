"""One POST to an address of the user's, and what its answer means."""

from __future__ import annotations

import re
from collections.abc import Mapping

from marshmallow import validate

from modelyard import Health, PluginRefused, PluginUnavailable
from modelyard.core import outgoing

PLUGIN = "webhook"
SCHEMES = {"http", "https"}
WITHOUT_USER = validate.Regexp(r"https?://[^/@]*(?:/|\Z)", re.IGNORECASE, error="Give no user or password in it.")
TRY_AGAIN = frozenset({408, 425, 429})


def probe(url: str) -> Health:
    """Say whether a connection, TLS included, can be made; nothing is sent."""
    try:
        outgoing.probe(url, timeout_seconds=4.0)
    except (outgoing.AddressRefused, outgoing.Unreachable) as exc:
        return Health(False, str(exc))
    return Health(True)


def post(url: str, body: bytes, headers: Mapping[str, str], *, timeout_seconds: float) -> None:
    """Send it and take any 2xx for success.

    408, 425, 429, 5xx and a connection that fails are `PluginUnavailable`, which is tried again; a redirect and any
    other answer are `PluginRefused`, which is shown as it is and final.
    """
    try:
        answer = outgoing.request("POST", url, body=body, headers=headers, timeout_seconds=timeout_seconds)
    except outgoing.Unreachable as exc:
        raise PluginUnavailable(exc.message, plugin=PLUGIN, operation="send") from None
    _check(answer)


def _check(answer: outgoing.Answer) -> None:
    status = answer.status
    if 200 <= status < 300:
        return
    text = " ".join(answer.body[:300].decode("utf-8", "replace").split())
    said = f"The webhook answered {status}{f': {text}' if text else ''}"
    if 300 <= status < 400:
        place = next((value for name, value in answer.headers.items() if name.lower() == "location"), "nowhere")
        said = f"The webhook answered {status}, a redirect to {place:.200}, which is not followed"
        raise PluginRefused(said, plugin=PLUGIN, operation="send", hint="Give the address that it leads to.")
    if status in TRY_AGAIN or status >= 500:
        later = answer.retry_after_seconds
        raise PluginUnavailable(said, plugin=PLUGIN, operation="send", retry_after_seconds=later)
    raise PluginRefused(said, plugin=PLUGIN, operation="send", hint="Check the address and the token.")
