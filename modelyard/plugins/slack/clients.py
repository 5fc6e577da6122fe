"""slack_sdk's two clients, with its retries, over connections that may not lead inside of our own network.

slack_sdk has no seam for a transport: each client opens its connection in one method, and that is replaced here.
"""

from __future__ import annotations

import logging
from email.message import Message
from io import BytesIO
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request

from slack_sdk.http_retry import (
    ConnectionErrorRetryHandler,
    FixedValueRetryIntervalCalculator,
    RateLimitErrorRetryHandler,
    RetryHandler,
)
from slack_sdk.http_retry.builtin_handlers import ServerErrorRetryHandler
from slack_sdk.http_retry.request import HttpRequest
from slack_sdk.http_retry.response import HttpResponse
from slack_sdk.http_retry.state import RetryState
from slack_sdk.web import WebClient
from slack_sdk.webhook import WebhookClient, WebhookResponse

from modelyard.core import outgoing

LONGEST_WAIT_SECONDS = 4
"""What is waited for within one attempt when Slack limits the rate; a longer pause is the delivery's."""

_silent = logging.Logger("slack_sdk of modelyard", level=logging.CRITICAL + 1)  # theirs writes addresses, our secrets


class ShortWaits(RateLimitErrorRetryHandler):
    """Waits as Slack asks where that is short; otherwise the answer stands and says how long to wait."""

    def _can_retry(
        self,
        *,
        state: RetryState,
        request: HttpRequest,
        response: HttpResponse | None = None,
        error: Exception | None = None,
    ) -> bool:
        if response is None or not super()._can_retry(state=state, request=request, response=response, error=error):
            return False
        asked = [value[0] for name, value in response.headers.items() if name.lower() == "retry-after"]
        return bool(asked) and asked[0].isdecimal() and int(asked[0]) <= LONGEST_WAIT_SECONDS


def retry_handlers() -> list[RetryHandler]:
    """Make the handlers of one client: between them they try once more, soon; later tries are the delivery's."""
    soon = FixedValueRetryIntervalCalculator(0.3)
    return [ShortWaits(), ServerErrorRetryHandler(interval_calculator=soon), ConnectionErrorRetryHandler(1, soon)]


class GuardedWebhookClient(WebhookClient):
    """Posts to an incoming webhook."""

    def __init__(self, url: str, *, timeout_seconds: float) -> None:
        super().__init__(url, logger=_silent, retry_handlers=retry_handlers())
        self._timeout_seconds = timeout_seconds

    def _perform_http_request_internal(self, url: str, req: Request) -> WebhookResponse:
        answer = _ask(req, self._timeout_seconds)
        body = answer.body.decode("utf-8", "replace")
        return WebhookResponse(url=url, status_code=answer.status, body=body, headers=dict(answer.headers))


class GuardedWebClient(WebClient):
    """Calls Slack's Web API with a bot token."""

    def __init__(self, token: str, base_url: str, *, timeout_seconds: float, retries: bool = True) -> None:
        handlers = retry_handlers() if retries else []
        super().__init__(token, base_url, logger=_silent, retry_handlers=handlers)
        self._timeout_seconds = timeout_seconds

    def _perform_urllib_http_request_internal(self, url: str, req: Request) -> dict[str, Any]:
        answer = _ask(req, self._timeout_seconds)
        return {
            "status": answer.status,
            "headers": dict(answer.headers),
            "body": answer.body.decode("utf-8", "replace"),
        }


def _ask(request: Request, timeout_seconds: float) -> outgoing.Answer:
    """Send it; raises urllib's own errors, which slack_sdk's handlers know, and `AddressRefused`."""
    body = request.data if isinstance(request.data, bytes) else None
    headers = dict(request.header_items())
    try:
        answer = outgoing.request(
            request.get_method(), request.full_url, body=body, headers=headers, timeout_seconds=timeout_seconds
        )
    except outgoing.Unreachable as exc:
        raise URLError(exc.message) from None
    if answer.status < 300:
        return answer
    told = Message()
    for name, value in answer.headers.items():
        if name.lower() != "content-type":  # it may name a charset that nobody can decode
            told[name] = value
    raise HTTPError("https://slack", answer.status, "", told, BytesIO(answer.body.decode("utf-8", "replace").encode()))
