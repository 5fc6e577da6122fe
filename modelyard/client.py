"""The Python client of Modelyard's REST API; the command line and users' scripts are built on it.

    client = Client("https://modelyard.example.com", token)      # or MODELYARD_URL and MODELYARD_TOKEN
    for run in client.project("acme", "churn").runs.list(filter="metrics.auc > 0.9"):
        print(run["name"], run["metrics"]["auc"])

Things come back as the dictionaries that the API documents. Every error is a `ClientError`:

    ClientError
    ├── InvalidInputError         a value that cannot be taken; `errors` names the fields
    │   └── TooLargeError         more than a limit allows
    ├── AuthenticationError       no token, or one that is not good
    ├── PermissionDeniedError     the role or the token's scope is too small; the hint names the one needed
    ├── NotFoundError             no such thing for you
    ├── ConflictError             the present state forbids it
    ├── UnavailableError          try again later
    │   ├── RateLimitedError      too many requests
    │   └── ServerUnreachableError     nobody answered at that address
    ├── ServerError               the server failed
    ├── UnexpectedAnswerError     what answered does not speak this API
    ├── NotConfiguredError        no address of a server, or one that cannot be
    └── DeploymentError           waiting for a deployment ended without a ready one
        ├── DeploymentFailedError
        └── DeploymentTimeoutError

This module needs the standard library and, at the first request, `requests`; nothing else of Modelyard.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import random
import time
import uuid
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from modelyard import __version__

Json = dict[str, Any]

MAX_ATTEMPTS = 4
MAX_RETRY_WAIT_SECONDS = 10.0
PAGE_SIZE = 200
HISTORY_PAGE_SIZE = 5000
CHUNK_BYTES = 256 * 1024


class ClientError(Exception):
    """The root. What the server did not say is empty; `status` is 0 where there was no answer."""

    def __init__(
        self,
        detail: str,
        *,
        code: str = "",
        status: int = 0,
        hint: str = "",
        errors: Any = None,
        request_id: str = "",
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code
        self.status = status
        self.hint = hint
        self.errors = errors
        self.request_id = request_id
        self.retry_after_seconds = retry_after_seconds

    def __str__(self) -> str:
        return f"{self.detail} {self.hint}" if self.hint else self.detail


class InvalidInputError(ClientError, ValueError):
    """A value that cannot be taken; `errors` names the fields."""


class TooLargeError(InvalidInputError):
    """More than a limit of the server allows."""


class AuthenticationError(ClientError):
    """There was no token or password, or one that is wrong, expired or revoked."""


class PermissionDeniedError(ClientError):
    """You are known there, but the role or the token's scope is too small."""


class NotFoundError(ClientError, LookupError):
    """There is no such thing for you: it never was, is gone, or is another tenant's."""


class ConflictError(ClientError):
    """A good request that the present state forbids: a name that is taken, a step that does not lead there."""


class UnavailableError(ClientError):
    """The server or something behind it cannot answer now; the same request may succeed later."""


class RateLimitedError(UnavailableError):
    """Too many requests; `retry_after_seconds` says when the next one is welcome."""


class ServerUnreachableError(UnavailableError):
    """Nobody answered at the address, or the connection broke off."""


class ServerError(ClientError):
    """The server failed; its log has more under `request_id`."""


class UnexpectedAnswerError(ClientError):
    """Something answered, but not as this API does: most often the address is another program's."""


class NotConfiguredError(ClientError):
    """There is no address of a server, or the address or token cannot be one."""


class DeploymentError(ClientError):
    """Waiting ended without a ready deployment; `deployment` is how it was last seen."""

    def __init__(self, detail: str, deployment: Json, *, hint: str = "") -> None:
        super().__init__(detail, hint=hint)
        self.deployment = deployment


class DeploymentFailedError(DeploymentError):
    """The deployment failed or was stopped."""


class DeploymentTimeoutError(DeploymentError):
    """The deployment was not ready by the deadline; it may still become so."""


class PlainHttpWarning(UserWarning):
    """A password or token goes over the network where others can read it."""


_ERROR_OF_STATUS: dict[int, type[ClientError]] = {
    400: InvalidInputError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    410: NotFoundError,
    412: ConflictError,
    413: TooLargeError,
    415: InvalidInputError,
    422: InvalidInputError,
    429: RateLimitedError,
    502: UnavailableError,
    503: UnavailableError,
    504: UnavailableError,
}


@dataclass(frozen=True)
class Request:
    """What a transport sends; the headers hold the token and are left out of its repr."""

    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes | None = field(repr=False)
    timeout_seconds: float


@dataclass
class Response:
    """What a transport answers: header names in lower case, the body as chunks that are read at most once."""

    status: int
    headers: Mapping[str, str]
    chunks: Iterable[bytes]
    close: Callable[[], None] = lambda: None
    url: str = ""
    _body: bytes | None = None

    def read(self) -> bytes:
        """Return the whole body and let the connection go."""
        if self._body is None:
            try:
                self._body = b"".join(self.chunks)
            finally:
                self.close()
        return self._body

    def json(self) -> Any:
        """Decode the body; raises `UnexpectedAnswerError` for one that is not JSON."""
        try:
            return json.loads(self.read())
        except ValueError:
            kind = self.headers.get("content-type", "no content type")
            raise UnexpectedAnswerError(
                f"{self.url} answered {self.status} with {kind} in place of JSON.",
                status=self.status,
                hint="Check that the address is a Modelyard server's.",
            ) from None


Transport = Callable[[Request], Response]


class HttpTransport:
    """Sends by `requests`, on kept connections, with cookies. Raises OSError where nobody answers."""

    def __init__(self) -> None:
        self._session: Any = None

    def __call__(self, request: Request) -> Response:
        """Send, following redirects for GET alone: another method would silently become one."""
        session = self._opened()
        answer = session.request(
            request.method,
            request.url,
            headers=dict(request.headers),
            data=request.body,
            timeout=request.timeout_seconds,
            stream=True,
            allow_redirects=request.method == "GET",
            auth=_leave_as_is,
        )
        headers = {name.lower(): value for name, value in answer.headers.items()}
        return Response(answer.status_code, headers, answer.iter_content(CHUNK_BYTES), answer.close, request.url)

    def close(self) -> None:
        """Let all connections go."""
        if self._session is not None:
            self._session.close()

    def _opened(self) -> Any:
        if self._session is None:
            import requests

            self._session = requests.Session()
        return self._session


def _leave_as_is(prepared: Any) -> Any:
    """Keep `requests` from replacing our Authorization header by a login found in ~/.netrc."""
    return prepared


def sends_in_clear(url: str) -> bool:
    """Say whether what is sent to `url` can be read on the network: plain http to another host."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme != "http" or host == "localhost" or host.endswith(".localhost"):
        return False
    try:
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:
        return True


def _checked_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        usable = False
    if not usable:
        raise NotConfiguredError(
            f"{url!r} is no address of a server.", hint="Write it as https://HOST or http://HOST:PORT."
        )
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise NotConfiguredError(
            f"The address of {parts.hostname} holds more than host, port and path.",
            hint="Leave out user, password, `?` and `#`; a token has its own place.",
        )
    return url.rstrip("/")


def _checked_token(token: str) -> str:
    token = token.strip()
    if not token.isascii() or not token.isprintable() or " " in token:
        raise NotConfiguredError(
            "The token holds a space or a character that no token has.", hint="Copy it again, whole and alone."
        )
    return token


def _segments(*parts: object) -> str:
    for part in parts:
        if str(part) in {"", ".", ".."}:
            raise InvalidInputError(f"{str(part)!r} is no name.", code="invalid_input")
    return "".join("/" + quote(str(part), safe="") for part in parts)


def _word(text: str) -> str:
    """Return what may stand between the quotes of a filter."""
    if not text.replace("_", "").isalnum():
        raise InvalidInputError(f"{text!r} is no status.", code="invalid_input")
    return text.upper()


def _given(**values: Any) -> Json:
    """Return the values that were given: None is "not said" everywhere in this client."""
    return {name: value for name, value in values.items() if value is not None}


class Client:
    """One server and one identity.

    `url` and `token` default to MODELYARD_URL and MODELYARD_TOKEN. GETs are tried up to four times when nobody answers
    or the answer is 429 or 503, honouring Retry-After up to ten seconds; nothing else is sent twice. `transport` may
    replace the network, for example by Flask's test client; `sleep` is what waiting calls.
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
        self.url = _checked_url(url)
        self._token = _checked_token(os.environ.get("MODELYARD_TOKEN", "") if token is None else token)
        self.timeout_seconds = timeout_seconds
        self._transport = transport or HttpTransport()
        self.sleep = sleep
        if self._token:
            self._warn_in_clear()
        self.session = Sessions(self)
        self.tokens = Tokens(self)
        self.organizations = Organizations(self)
        self.projects = Projects(self)
        self.plugins = Plugins(self)

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
        path = "/serve" + _segments(organization, project, deployment) + "/invocations"
        if isinstance(data, str | bytes):
            content = data.encode() if isinstance(data, str) else data
            return self.send("POST", path, data=content, content_type="text/csv").json()
        return self.call("POST", path, json=_invocation(data))

    def infer(self, organization: str, project: str, deployment: str, model: str, inputs: Sequence[Json] | Json) -> Any:
        """Ask a deployment by the Open Inference Protocol v2; `inputs` are its tensors, or a whole request of it."""
        body = dict(inputs) if isinstance(inputs, Mapping) else {"inputs": list(inputs)}
        path = "/serve" + _segments(organization, project, deployment) + "/v2/models" + _segments(model) + "/infer"
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
        data: bytes | None = None,
        content_type: str = "application/octet-stream",
        stream: bool = False,
    ) -> Response:
        """Send one request, again where that is safe, and return the answer; raises a `ClientError` for 300 and above.

        With `stream` the body is left to the caller, who must close the response.
        """
        request = self._request(method, path, params, json, data, content_type)
        for attempt in range(1, MAX_ATTEMPTS + 1):
            last = method != "GET" or attempt == MAX_ATTEMPTS
            try:
                response = self._attempt(request, stream=stream)
            except OSError as error:
                if last:
                    raise self._unreachable(error) from error
                self.sleep(_pause(attempt))
                continue
            if response.status < 300:
                return response
            failure = _failure(request, response)
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
        data: bytes | None,
        content_type: str,
    ) -> Request:
        # The server takes a change by cookie only with a header that another site's page cannot set.
        headers = {
            "Accept": "application/json",
            "User-Agent": f"modelyard/{__version__}",
            "X-Requested-With": "modelyard",
        }
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        if body is not None:
            try:
                data = json.dumps(body, allow_nan=False).encode()
            except (TypeError, ValueError) as error:
                raise InvalidInputError(f"This cannot be sent as JSON: {error}", code="invalid_input") from None
            content_type = "application/json"
        if data is not None:
            headers["Content-Type"] = content_type
        query = urlencode(_given(**(params or {})), doseq=True)
        url = f"{self.url}{path}?{query}" if query else self.url + path
        return Request(method, url, headers, data, self.timeout_seconds)

    def _unreachable(self, error: OSError) -> ServerUnreachableError:
        reason = "did not answer in time" if "Timeout" in type(error).__name__ else "does not answer"
        if "SSL" in type(error).__name__:
            return ServerUnreachableError(
                f"{self.url} has no certificate that this machine trusts.",
                hint="Check the address; set REQUESTS_CA_BUNDLE to the file of your own authority.",
            )
        return ServerUnreachableError(
            f"The server at {self.url} {reason}.",
            hint="Check that it runs (`modelyard serve`) and that the address and port are right.",
        )

    def _warn_in_clear(self) -> None:
        if sends_in_clear(self.url):
            warnings.warn(
                f"{self.url} is plain http: others on the network can read the token or password. Use https.",
                PlainHttpWarning,
                stacklevel=3,
            )


def _invocation(data: Any) -> Any:
    if not isinstance(data, list):
        return data
    of_objects = bool(data) and all(isinstance(row, Mapping) for row in data)
    return {"dataframe_records": data} if of_objects else {"inputs": data}


def _pause(attempt: int) -> float:
    return float(0.2 * 2 ** (attempt - 1) * random.uniform(0.75, 1.25))  # noqa: S311 - only spreads the retries


def _failure(request: Request, response: Response) -> ClientError:
    """Make the error of an answer: of problem+json, of the model server's two forms, or of the bare status."""
    status = response.status
    if status < 400:
        to = response.headers.get("location", "another address")
        return UnexpectedAnswerError(f"{request.url} sends on to {to}.", status=status, hint="Use that address.")
    try:
        problem = response.json()
    except UnexpectedAnswerError:
        problem = None
    known: Json = problem if isinstance(problem, dict) else {}
    said = [known.get(name) for name in ("detail", "message", "error", "title")]
    detail = str(next((text for text in said if text), ""))
    hint = known.get("hint") or ("" if detail else "Check that the address is a Modelyard server's.")
    error = _ERROR_OF_STATUS.get(status, ServerError if status >= 500 else ClientError)
    return error(
        detail or f"{request.method} {request.url} answered {status}.",
        code=str(known.get("code") or known.get("error_code") or ""),
        status=status,
        hint=str(hint),
        errors=known.get("errors"),
        request_id=str(known.get("request_id") or response.headers.get("x-request-id", "")),
        retry_after_seconds=_seconds(response.headers.get("retry-after", "")),
    )


def _seconds(text: str) -> float | None:
    return float(text) if text.isascii() and text.isdigit() else None


class _Resource:
    """A part of the client: the connection and the path that it works under."""

    def __init__(self, client: Client, path: str = "/api/v1") -> None:
        self._client = client
        self._path = path

    def _call(self, method: str, *parts: object, json: Any = None, **params: Any) -> Any:
        return self._client.call(method, self._path + _segments(*parts), json=json, params=params)

    def _one(self, method: str, *parts: object, json: Any = None, **params: Any) -> Json:
        answer = self._call(method, *parts, json=json, **params)
        if not isinstance(answer, dict):
            raise UnexpectedAnswerError(f"{self._client.url}{self._path}{_segments(*parts)} answered no object.")
        return answer

    def _list(
        self, *parts: object, limit: int | None = None, page_size: int = PAGE_SIZE, **params: Any
    ) -> Iterator[Json]:
        return self._client.pages(self._path + _segments(*parts), params, limit=limit, page_size=page_size)


class Sessions(_Resource):
    """Who am I."""

    def get(self) -> Json:
        """Return `{user, kind}` of the token or sign-in."""
        return self._one("GET", "session")

    def create(self, username: str, password: str) -> Json:
        """Sign in; the transport keeps the cookie. For programs a token is better."""
        self._client._warn_in_clear()
        return self._one("POST", "session", json={"username": username, "password": password})

    def delete(self) -> None:
        """Sign out."""
        self._call("DELETE", "session")


class Tokens(_Resource):
    """One's own API tokens."""

    def list(self) -> Iterator[Json]:
        """Yield the tokens, without their secrets."""
        return self._list("tokens")

    def create(
        self,
        name: str,
        scopes: Iterable[str],
        *,
        expires_in_days: int | None = None,
        organization: str | None = None,
        project: str | None = None,
    ) -> Json:
        """Make a token; `token` in the answer is the whole of it, and is told this once.

        `project` binds it to that project of `organization`.
        """
        body = {"name": name, "scopes": sorted(scopes)}
        body |= _given(expires_in_days=expires_in_days, organization=organization, project=project)
        return self._one("POST", "tokens", json=body)

    def revoke(self, token_id: str) -> None:
        """End a token at once."""
        self._call("DELETE", "tokens", token_id)


class Members(_Resource):
    """Who has which role in one organization or project."""

    def list(self) -> Iterator[Json]:
        """Yield the members with their roles."""
        return self._list("members")

    def set(self, username: str, role: str) -> Json:
        """Give a user a role, in place of the one before."""
        return self._one("PUT", "members", username, json={"role": role})

    def remove(self, username: str) -> None:
        """Take all roles here from a user."""
        self._call("DELETE", "members", username)


class Organizations(_Resource):
    """Organizations that one is a member of."""

    def list(self) -> Iterator[Json]:
        """Yield them."""
        return self._list("organizations")

    def get(self, organization: str) -> Json:
        """Return one by its slug."""
        return self._one("GET", "organizations", organization)

    def create(self, slug: str, *, name: str | None = None, owner: str | None = None) -> Json:
        """Make one; the name is the slug unless given, the owner is oneself."""
        return self._one("POST", "organizations", json={"slug": slug, "name": name or slug, **_given(owner=owner)})

    def members(self, organization: str) -> Members:
        """Return the members' part of one organization."""
        return Members(self._client, self._path + "/organizations" + _segments(organization))


class Projects(_Resource):
    """Projects of an organization; `Client.project` is the way into one."""

    def list(self, organization: str) -> Iterator[Json]:
        """Yield those that one may see."""
        return self._list("organizations", organization, "projects")

    def create(self, organization: str, slug: str, *, name: str | None = None, description: str | None = None) -> Json:
        """Make one; the name is the slug unless given."""
        body = {"slug": slug, "name": name or slug, **_given(description=description)}
        return self._one("POST", "organizations", organization, "projects", json=body)


class Plugins(_Resource):
    """Plugins of the server and the providers that they bring."""

    def list(self) -> Iterator[Json]:
        """Yield every plugin, the failed ones with reason and mend."""
        return self._list("plugins")

    def get(self, plugin: str) -> Json:
        """Return one by name."""
        return self._one("GET", "plugins", plugin)

    def providers(self) -> Iterator[Json]:
        """Yield providers with the JSON Schema of their settings."""
        return self._list("providers")


class Project(_Resource):
    """One project, and the door to all in it."""

    def __init__(self, client: Client, organization: str, project: str) -> None:
        super().__init__(client, "/api/v1/organizations" + _segments(organization) + "/projects" + _segments(project))
        self.organization = organization
        self.name = project
        self.members = Members(client, self._path)
        self.connections = Connections(client, self._path)
        self.runs = Runs(client, self._path)
        self.models = Models(client, self._path)
        self.deployments = Deployments(client, self._path)

    def __repr__(self) -> str:
        return f"Project({self.organization}/{self.name} on {self._client.url})"

    def get(self) -> Json:
        """Return it."""
        return self._one("GET")

    def edit(
        self,
        *,
        name: str | None = None,
        description: str | None = None,
        allow_local_deployments: bool | None = None,
        archived: bool | None = None,
        storage_connection_id: str | None = None,
    ) -> Json:
        """Change what is given; `allow_local_deployments` is the instance administrator's."""
        body = _given(
            name=name,
            description=description,
            allow_local_deployments=allow_local_deployments,
            archived=archived,
            storage_connection_id=storage_connection_id,
        )
        return self._one("PATCH", json=body)

    def experiments(self, *, limit: int | None = None) -> Iterator[Json]:
        """Yield the experiments."""
        return self._list("experiments", limit=limit)

    def create_experiment(self, name: str) -> Json:
        """Make an experiment."""
        return self._one("POST", "experiments", json={"name": name})

    def events(self, *, limit: int | None = None) -> Iterator[Json]:
        """Yield what happened, newest first."""
        return self._list("events", limit=limit)

    def deliveries(self, *, limit: int | None = None) -> Iterator[Json]:
        """Yield who was told of what, newest first."""
        return self._list("deliveries", limit=limit)

    def predict(self, deployment: str, data: Any) -> Any:
        """See `Client.predict`."""
        return self._client.predict(self.organization, self.name, deployment, data)


class Connections(_Resource):
    """Providers with settings. Secrets stand among the settings when they are sent and never come back."""

    def list(self) -> Iterator[Json]:
        """Yield them."""
        return self._list("connections")

    def get(self, connection_id: str) -> Json:
        """Return one."""
        return self._one("GET", "connections", connection_id)

    def create(
        self,
        kind: str,
        provider: str,
        name: str,
        settings: Mapping[str, Any],
        *,
        subscriptions: Sequence[str] | None = None,
    ) -> Json:
        """Save one; `subscriptions` are the actions that a notifier is told of (``model_version.*``), else of all."""
        body = {"kind": kind, "provider": provider, "name": name, "settings": dict(settings)}
        body |= _given(subscriptions=subscriptions)
        return self._one("POST", "connections", json=body)

    def edit(self, connection_id: str, **changes: Any) -> Json:
        """Change what is given: `settings` (whole, but for secrets that stay), `subscriptions`, `enabled`."""
        return self._one("PATCH", "connections", connection_id, json=changes)

    def delete(self, connection_id: str) -> None:
        """Remove one; refused while something uses it."""
        self._call("DELETE", "connections", connection_id)

    def test(self, connection_id: str) -> Json:
        """Ask what stands behind a saved one whether it answers: `{ok, message}`."""
        return self._one("POST", "connections", connection_id, "test")

    def try_out(self, kind: str, provider: str, settings: Mapping[str, Any]) -> Json:
        """Test settings that are not saved: `{ok, message}`."""
        body = {"kind": kind, "provider": provider, "settings": dict(settings)}
        return self._one("POST", "connections", "test", json=body)


class Runs(_Resource):
    """Runs, their metrics and their artifacts."""

    def list(
        self,
        *,
        experiment: str | None = None,
        status: str | None = None,
        filter: str | None = None,  # noqa: A002 - the API's word
        order_by: str | None = None,
        limit: int | None = None,
    ) -> Iterator[Json]:
        """Yield runs; `filter` is in MLflow's language, `order_by` such as ``metrics.auc DESC``.

        `status` is one more condition of the filter.
        """
        if status is not None:
            condition = f"attributes.status = '{_word(status)}'"
            filter = f"{filter} and {condition}" if filter else condition  # noqa: A001
        return self._list("runs", limit=limit, experiment=experiment, filter=filter, order_by=order_by)

    def get(self, run_id: str) -> Json:
        """Return one."""
        return self._one("GET", "runs", run_id)

    def delete(self, run_id: str) -> None:
        """Move one to the deleted; `restore` brings it back."""
        self._call("DELETE", "runs", run_id)

    def restore(self, run_id: str) -> Json:
        """Bring a deleted one back."""
        return self._one("POST", "runs", run_id, "restore")

    def metric_history(self, run_id: str, key: str, *, limit: int | None = None) -> Iterator[Json]:
        """Yield the points of one metric in the order of steps; not-numbers are texts such as ``"NaN"``."""
        return self._list("runs", run_id, "metrics", key, limit=limit, page_size=HISTORY_PAGE_SIZE)

    def artifacts(self, run_id: str, path: str = "") -> Iterator[Json]:
        """Yield what lies directly in a folder: `{path, is_directory, size_bytes}`."""
        return self._list("runs", run_id, "artifacts", path=path or None)

    def files(self, run_id: str, path: str = "") -> Iterator[Json]:
        """Yield all files of a folder and the folders in it."""
        for artifact in self.artifacts(run_id, path):
            if artifact["is_directory"]:
                yield from self.files(run_id, artifact["path"])
            else:
                yield artifact

    def download(
        self, run_id: str, path: str, to: Path, *, on_bytes: Callable[[int], None] = lambda count: None
    ) -> Path:
        """Download one file to `to`, which is complete or not there; `on_bytes` is told the size of every chunk.

        A `to` that is a folder takes the file under its own name.
        """
        target = to / PurePosixPath(path).name if to.is_dir() else to
        address = self._path + _segments("runs", run_id, "artifacts", "content")
        response = self._client.send("GET", address, params={"path": path}, stream=True)
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f".{uuid.uuid4().hex}.part")
        with contextlib.closing(response):
            try:
                self._save(response, partial, on_bytes)
                partial.replace(target)
            finally:
                partial.unlink(missing_ok=True)
        return target

    def _save(self, response: Response, partial: Path, on_bytes: Callable[[int], None]) -> None:
        size = 0
        with partial.open("wb") as file:
            for chunk in self._received(response):
                file.write(chunk)
                size += len(chunk)
                on_bytes(len(chunk))
        promised = response.headers.get("content-length", "")
        if promised.isdigit() and "content-encoding" not in response.headers and int(promised) != size:
            raise ServerUnreachableError(f"The download broke off after {size} of {promised} bytes.", hint="Try again.")

    def _received(self, response: Response) -> Iterator[bytes]:
        """Yield the chunks; apart from writing them, so that a full disk is not taken for a broken connection."""
        chunks = iter(response.chunks)
        while True:
            try:
                chunk = next(chunks, None)
            except OSError as error:
                raise ServerUnreachableError("The download broke off.", hint="Try again.") from error
            if chunk is None:
                return
            yield chunk


class Models(_Resource):
    """Registered models, their versions and stages."""

    def list(self, *, limit: int | None = None) -> Iterator[Json]:
        """Yield models."""
        return self._list("models", limit=limit)

    def get(self, model: str) -> Json:
        """Return one by name."""
        return self._one("GET", "models", model)

    def create(self, name: str, *, description: str | None = None, tags: Mapping[str, str] | None = None) -> Json:
        """Make a model without versions."""
        body = {"name": name, **_given(description=description, tags=tags)}
        return self._one("POST", "models", json=body)

    def edit(self, model: str, **changes: Any) -> Json:
        """Change what is given: `name`, `description`."""
        return self._one("PATCH", "models", model, json=changes)

    def delete(self, model: str) -> None:
        """Remove the model with its versions; refused while one is deployed."""
        self._call("DELETE", "models", model)

    def versions(self, model: str, *, limit: int | None = None) -> Iterator[Json]:
        """Yield the versions, newest first."""
        return self._list("models", model, "versions", limit=limit)

    def version(self, model: str, version: int) -> Json:
        """Return one version."""
        return self._one("GET", "models", model, "versions", version)

    def create_version(
        self,
        model: str,
        source: str,
        *,
        run_id: str | None = None,
        description: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> Json:
        """Register what lies at `source` (such as ``runs:/RUN/model``) as the next version."""
        body = {"source": source, **_given(run_id=run_id, description=description, tags=tags)}
        return self._one("POST", "models", model, "versions", json=body)

    def edit_version(self, model: str, version: int, *, description: str) -> Json:
        """Describe a version anew."""
        return self._one("PATCH", "models", model, "versions", version, json={"description": description})

    def delete_version(self, model: str, version: int) -> None:
        """Remove a version; refused while it is deployed. Its number is not used again."""
        self._call("DELETE", "models", model, "versions", version)

    def promote(
        self, model: str, version: int, stage: str, *, reason: str | None = None, archive_existing: bool | None = None
    ) -> Json:
        """Move a version to a stage, and those that hold it to Archived unless `archive_existing` is false."""
        body = {"stage": stage, **_given(reason=reason, archive_existing=archive_existing)}
        return self._one("POST", "models", model, "versions", version, "promote", json=body)

    def stage_changes(self, model: str, *, limit: int | None = None) -> Iterator[Json]:
        """Yield who moved which version where, newest first."""
        return self._list("models", model, "stage-changes", limit=limit)


class Deployments(_Resource):
    """Model versions that answer requests."""

    def list(self, *, limit: int | None = None) -> Iterator[Json]:
        """Yield deployments."""
        return self._list("deployments", limit=limit)

    def get(self, deployment: str) -> Json:
        """Return one by name."""
        return self._one("GET", "deployments", deployment)

    def create(
        self,
        name: str,
        model: str,
        version: int | str,
        *,
        target: str | None = None,
        replicas: int | None = None,
        environment: Mapping[str, str] | None = None,
        ready_within_seconds: int | None = None,
    ) -> Json:
        """Ask for a deployment; it is `pending` in the answer, see `wait_until_ready`.

        `version` is a number, an alias as it points now, or ``latest``.
        """
        body = {"name": name, "model": model, "version": str(version)}
        body |= _given(target=target, replicas=replicas, environment=environment)
        body |= _given(ready_within_seconds=ready_within_seconds)
        return self._one("POST", "deployments", json=body)

    def edit(
        self,
        deployment: str,
        *,
        model: str | None = None,
        version: int | str | None = None,
        replicas: int | None = None,
        environment: Mapping[str, str] | None = None,
        ready_within_seconds: int | None = None,
    ) -> Json:
        """Make a new revision of what is given."""
        body = _given(model=model, replicas=replicas, environment=environment)
        body |= _given(version=None if version is None else str(version), ready_within_seconds=ready_within_seconds)
        return self._one("PATCH", "deployments", deployment, json=body)

    def delete(self, deployment: str) -> None:
        """Stop it and remove it."""
        self._call("DELETE", "deployments", deployment)

    def stop(self, deployment: str) -> Json:
        """Stop its replicas and keep its place."""
        return self._one("POST", "deployments", deployment, "stop")

    def start(self, deployment: str) -> Json:
        """Start a stopped one."""
        return self._one("POST", "deployments", deployment, "start")

    def rollback(self, deployment: str, revision: int | None = None) -> Json:
        """Make a new revision from an old one, by default from the one before the present one."""
        return self._one("POST", "deployments", deployment, "rollback", json=_given(revision=revision))

    def revisions(self, deployment: str, *, limit: int | None = None) -> Iterator[Json]:
        """Yield the revisions, newest first."""
        return self._list("deployments", deployment, "revisions", limit=limit)

    def logs(self, deployment: str, *, lines: int | None = None) -> Sequence[Json]:
        """Return the last lines of each replica: `{replica, text}`."""
        logs: Sequence[Json] = self._one("GET", "deployments", deployment, "logs", lines=lines)["items"]
        return logs

    def wait_until_ready(
        self,
        deployment: str,
        *,
        deadline_seconds: float = 300,
        on_change: Callable[[Json], None] = lambda deployment: None,
    ) -> Json:
        """Ask until the deployment is ready and return it; `on_change` is called with every new state.

        Raises `DeploymentFailedError` once it failed or is to be stopped, `DeploymentTimeoutError` at the deadline.
        """
        deadline = time.monotonic() + deadline_seconds
        shown: Any = None
        pause = 0.25
        while True:
            seen = self.get(deployment)
            state = [seen.get(name) for name in ("status", "ready_replicas", "replicas", "message")]
            if state != shown:
                shown = state
                on_change(seen)
            if seen["status"] == "ready":
                return seen
            _refuse_hopeless(deployment, seen)
            if time.monotonic() + pause > deadline:
                raise DeploymentTimeoutError(
                    f"The deployment {deployment!r} is still {seen['status']} after {deadline_seconds:g} seconds.",
                    seen,
                    hint=f"Wait longer, or read `modelyard deployments logs {deployment}`.",
                )
            self._client.sleep(pause)
            pause = min(pause * 1.5, 2.0)


def _refuse_hopeless(deployment: str, seen: Json) -> None:
    if seen["status"] != "failed" and seen.get("desired_status") != "stopped":
        return
    state = "failed" if seen["status"] == "failed" else "is stopped"
    reason = f": {seen['message']}" if seen.get("message") else "."
    raise DeploymentFailedError(
        f"The deployment {deployment!r} {state}{reason}", seen, hint=f"Read `modelyard deployments logs {deployment}`."
    )
