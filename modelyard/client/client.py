"""The client: one server, one identity, and how a request is sent and sent again."""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

from modelyard import __version__
from modelyard.client.addresses import checked_url, segments, warn_in_clear
from modelyard.client.audit import AuditLog
from modelyard.client.errors import InvalidInputError, NotConfiguredError, UnexpectedAnswerError
from modelyard.client.failures import failure_of, unreachable
from modelyard.client.instance import Plugins, Sessions, Tokens
from modelyard.client.invitations import Invitations
from modelyard.client.organizations import Organizations, Projects
from modelyard.client.people import Account, Users
from modelyard.client.project import Project
from modelyard.client.resource import PAGE_SIZE, Json, given
from modelyard.client.transport import HttpTransport, Request, Response, Transport, Upload

MAX_ATTEMPTS = 4
MAX_RETRY_WAIT_SECONDS = 10.0
KEY_HEADER = "Idempotency-Key"


class Client:
    """One server and one identity.

    `url` and `token` default to MODELYARD_URL and MODELYARD_TOKEN. A request is tried up to four times when nobody
    answers or the answer is 429 or 503, honouring Retry-After up to ten seconds. That is safe for changes too: each
    goes under an `Idempotency-Key` of its own, by which the server does it once. What no key can be given for, such as
    a sign-in or a prediction, is sent once. `transport` may replace the network, for example by Flask's test client;
    `sleep` is what waiting calls.
    """

    def __init__(
        self,
        url: str | None = None,
        token: str | None = None,
        *,
        timeout_seconds: float = 30,
        transport: Transport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        url = url or os.environ.get("MODELYARD_URL", "")
        if not url:
            raise NotConfiguredError(
                "No server is named.", hint="Run `modelyard login URL`, set MODELYARD_URL, or pass `url`."
            )
        self.url = checked_url(url)
        self._token = _checked_token(os.environ.get("MODELYARD_TOKEN", "") if token is None else token)
        self.timeout_seconds = timeout_seconds
        self._transport = transport or HttpTransport()
        self.sleep = sleep
        if self._token:
            warn_in_clear(self.url)
        self.session = Sessions(self)
        self.account = Account(self)
        self.tokens = Tokens(self)
        self.users = Users(self)
        self.organizations = Organizations(self)
        self.invitations = Invitations(self)
        self.projects = Projects(self)
        self.plugins = Plugins(self)
        self.audit = AuditLog(self)

    def __repr__(self) -> str:
        return f"Client({self.url!r})"

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let the connections go."""
        close = getattr(self._transport, "close", None)
        if close is not None:
            close()

    def project(self, organization: str, project: str) -> Project:
        """Name a project; nothing is asked of the server yet."""
        return Project(self, organization, project)

    def predict(self, organization: str, project: str, deployment: str, data: Any) -> Any:
        """Ask a deployment for predictions through its `/invocations`.

        `data` is CSV as bytes or text, a list of rows, or a body in MLflow's form such as ``{"dataframe_split": ...}``.
        """
        path = "/serve" + segments(organization, project, deployment) + "/invocations"
        if isinstance(data, str | bytes):
            content = data.encode() if isinstance(data, str) else data
            return self.send("POST", path, data=content, content_type="text/csv").json()
        return self.call("POST", path, json=_invocation(data))

    def infer(self, organization: str, project: str, deployment: str, model: str, inputs: Sequence[Json] | Json) -> Any:
        """Ask a deployment by the Open Inference Protocol v2; `inputs` are its tensors, or a whole request of it."""
        body = dict(inputs) if isinstance(inputs, Mapping) else {"inputs": list(inputs)}
        path = "/serve" + segments(organization, project, deployment) + "/v2/models" + segments(model) + "/infer"
        return self.call("POST", path, json=body)

    def call(self, method: str, path: str, *, params: Mapping[str, Any] | None = None, json: Any = None) -> Any:
        """Send and return the decoded answer, None for one without a body."""
        response = self.send(method, path, params=params, json=json)
        return response.json() if response.read() else None

    def pages(
        self,
        path: str,
        params: Mapping[str, Any] | None = None,
        *,
        limit: int | None = None,
        page_size: int = PAGE_SIZE,
    ) -> Iterator[Json]:
        """Yield the items of a list, asking for a page when the one before is used up; at most `limit` of them."""
        left = limit
        cursor: str | None = None
        while left is None or left > 0:
            size = page_size if left is None else min(left, page_size)
            page = self.call("GET", path, params={**(params or {}), "limit": size, "cursor": cursor})
            if not isinstance(page, dict) or not isinstance(page.get("items"), list):
                raise UnexpectedAnswerError(f"{self.url}{path} answered without a list of items.", status=200)
            items = page["items"] if left is None else page["items"][:left]
            yield from items
            left = None if left is None else left - len(items)
            if not page.get("next_cursor") or page["next_cursor"] == cursor:
                return
            cursor = page["next_cursor"]

    def send(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        data: bytes | Upload | None = None,
        content_type: str = "application/octet-stream",
        headers: Mapping[str, str] | None = None,
        stream: bool = False,
    ) -> Response:
        """Send one request, again where that is safe, and return the answer; raises a `ClientError` for 300 and above.

        `headers` are added, such as ``{"If-Match": response.headers["etag"]}``. With `stream` the body is left to the
        caller, who must close the response. An `Upload` is sent once: its chunks are gone then.
        """
        request = self._request(method, path, params, json, data, content_type, headers or {})
        may_repeat = (method == "GET" or KEY_HEADER in request.headers) and not isinstance(data, Upload)
        for attempt in range(1, MAX_ATTEMPTS + 1):
            last = not may_repeat or attempt == MAX_ATTEMPTS
            try:
                response = self._attempt(request, stream=stream)
            except OSError as error:
                if last:
                    raise unreachable(self.url, error) from error
                self.sleep(_pause(attempt))
                continue
            if response.status < 300:
                return response
            failure = failure_of(request, response)
            wait = _pause(attempt) if failure.retry_after_seconds is None else failure.retry_after_seconds
            if last or response.status not in {429, 503} or wait > MAX_RETRY_WAIT_SECONDS:
                raise failure
            self.sleep(wait)
        raise AssertionError("the last attempt returns or raises")  # pragma: no cover

    def _attempt(self, request: Request, *, stream: bool) -> Response:
        response = self._transport(request)
        response.url = response.url or request.url
        if not stream or response.status >= 300:
            response.read()
        return response

    def _request(
        self,
        method: str,
        path: str,
        params: Mapping[str, Any] | None,
        body: Any,
        data: bytes | Upload | None,
        content_type: str,
        more: Mapping[str, str],
    ) -> Request:
        # The server takes a change by cookie only with a header that another site's page cannot set.
        headers = {
            "Accept": "application/json",
            "User-Agent": f"modelyard/{__version__}",
            "X-Requested-With": "modelyard",
        }
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
            if method != "GET" and path.startswith("/api/v1/"):
                headers[KEY_HEADER] = uuid4().hex
        if body is not None:
            try:
                data = json.dumps(body, allow_nan=False).encode()
            except (TypeError, ValueError) as error:
                raise InvalidInputError(f"This cannot be sent as JSON: {error}", code="invalid_input") from None
            content_type = "application/json"
        if data is not None:
            headers["Content-Type"] = content_type
        headers |= more
        query = urlencode(given(**(params or {})), doseq=True)
        url = f"{self.url}{path}?{query}" if query else self.url + path
        return Request(method, url, headers, data, self.timeout_seconds)


def _checked_token(token: str) -> str:
    token = token.strip()
    if not token.isascii() or not token.isprintable() or " " in token:
        raise NotConfiguredError(
            "The token holds a space or a character that no token has.", hint="Copy it again, whole and alone."
        )
    return token


def _invocation(data: Any) -> Any:
    if not isinstance(data, list):
        return data
    of_objects = bool(data) and all(isinstance(row, Mapping) for row in data)
    return {"dataframe_records": data} if of_objects else {"inputs": data}


def _pause(attempt: int) -> float:
    return float(0.2 * 2 ** (attempt - 1) * random.uniform(0.75, 1.25))  # noqa: S311 - only spreads the retries
