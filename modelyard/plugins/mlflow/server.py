"""One MLflow server, spoken to over its REST API.

It is the API and not the package `mlflow`: that keeps the address and the credentials in the process's environment and
globals, follows redirects, tries again for minutes, and costs a second and 80 MiB to import. Here every request goes to
a checked address, has a deadline, and is sent once.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NoReturn
from urllib.parse import quote, urlencode

import msgspec

from modelyard.core import outgoing
from modelyard.core.errors import (
    AlreadyExists,
    InvalidInput,
    InvalidTransition,
    ModelyardError,
    NotFound,
    PluginContractError,
    PluginError,
    PluginRefused,
    PluginUnavailable,
    TooLarge,
)

MAX_ANSWER_BYTES = 64 * 1024 * 1024
MOST_PAGES = 10_000
LONGEST_QUOTE = 400
API = "/api/2.0/mlflow"
ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts"
ANSWERS: dict[str, type[ModelyardError]] = {
    "RESOURCE_DOES_NOT_EXIST": NotFound,
    "RESOURCE_ALREADY_EXISTS": AlreadyExists,
    "INVALID_STATE": InvalidTransition,
    "INVALID_PARAMETER_VALUE": InvalidInput,
    "BAD_REQUEST": InvalidInput,
}
"""MLflow's words for what is an answer to whoever asked, and no failure of the server."""

TRY_AGAIN = frozenset({408, 425, 429, 502, 503, 504})


class MlflowServer:
    """Sends requests with the connection's credentials. `settings` are those of `MlflowSettings`."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._url = settings["tracking_uri"].rstrip("/")
        self._timeout = settings["timeout_seconds"]
        self._headers = {"User-Agent": "modelyard", **_credentials(settings)}

    def get(self, path: str, **fields: str | int | None) -> dict[str, Any]:
        """Return the answer of one of MLflow's endpoints, such as ``runs/get``; None leaves a field out."""
        given = {key: value for key, value in fields.items() if value is not None}
        return self._ask("GET", f"{API}/{path}?{urlencode(given)}" if given else f"{API}/{path}")

    def send(self, path: str, fields: Mapping[str, Any], *, method: str = "POST") -> dict[str, Any]:
        """Send fields to one of MLflow's endpoints and return its answer; None leaves a field out."""
        given = {key: value for key, value in fields.items() if value is not None}
        return self._ask(method, f"{API}/{path}", msgspec.json.encode(given))

    def pages(self, path: str, fields: Mapping[str, Any], *, method: str = "POST") -> Iterator[dict[str, Any]]:
        """Yield one answer after the other, until one names no next page."""
        token: str | None = None
        for _ in range(MOST_PAGES):
            asked = {**fields, "page_token": token}
            answer = self.get(path, **asked) if method == "GET" else self.send(path, asked)
            yield answer
            token = answer.get("next_page_token")
            if not token:
                return
        raise PluginContractError(f"The MLflow server's list of {path} has no end.")

    def artifacts(self, path: str) -> list[dict[str, Any]]:
        """Return what the server lists in a folder of its artifacts."""
        query = f"?{urlencode({'path': path})}" if path else ""
        files: list[dict[str, Any]] = self._ask("GET", f"{ARTIFACTS}{query}").get("files", [])
        return files

    def delete_artifact(self, path: str) -> None:
        """Remove a file or folder of the server's artifacts."""
        self._ask("DELETE", f"{ARTIFACTS}/{quote(path)}")

    @contextmanager
    def transfer(
        self, method: str, path: str, body: Iterable[bytes] | None = None, *, span: str | None = None
    ) -> Iterator[outgoing.Streaming]:
        """Send an artifact, or fetch one or a range of it (206, or 200 with all of it)."""
        headers = dict(self._headers)
        if body is not None:
            headers["Content-Type"] = "application/octet-stream"
        if span is not None:
            headers["Range"] = span
        try:
            with outgoing.stream(
                method,
                f"{self._url}{ARTIFACTS}/{quote(path)}",
                body=body,
                headers=headers,
                timeout_seconds=self._timeout,
            ) as answer:
                if answer.status not in {200, 206}:
                    self._refuse(answer.status, answer.headers, next(answer.chunks, b""), path)
                yield answer
        except outgoing.Unreachable as error:
            raise _unavailable(error.message) from None

    def _ask(self, method: str, address: str, body: bytes | None = None) -> dict[str, Any]:
        headers = {**self._headers, "Content-Type": "application/json"} if body is not None else self._headers
        try:
            answer = outgoing.request(
                method,
                self._url + address,
                body=body,
                headers=headers,
                timeout_seconds=self._timeout,
                max_answer_bytes=MAX_ANSWER_BYTES + 1,
            )
        except outgoing.Unreachable as error:
            raise _unavailable(error.message) from None
        if len(answer.body) > MAX_ANSWER_BYTES:
            raise TooLarge(
                f"The MLflow server's answer is larger than {MAX_ANSWER_BYTES} bytes.", hint="Ask for less at once."
            )
        if answer.status != 200:
            self._refuse(answer.status, answer.headers, answer.body, address.partition("?")[0])
        return _decoded(answer.body)

    def _refuse(self, status: int, headers: Mapping[str, str], body: bytes, what: str) -> NoReturn:
        """Raise what an answer other than 200 means."""
        said = _error_of(body)
        text = said.get("message", "")[:LONGEST_QUOTE] or f"It answered {status}."
        kind = ANSWERS.get(said.get("error_code", ""))
        if status in {401, 403}:
            raise PluginRefused(
                f"The MLflow server refuses the credentials of the connection ({status}).",
                hint="Give the connection a user or token that may read and write there.",
            )
        if kind is not None and status < 500:
            raise kind(text)
        if status in TRY_AGAIN:
            later = outgoing.Answer(status, headers, b"").retry_after_seconds
            raise _unavailable(f"It answered {status}.", later)
        if status == 404 or 300 <= status < 400:
            raise PluginRefused(
                f"There is no MLflow server at the tracking URI, or one too old: {what} answered {status}.",
                hint="Give the connection the address that MLflow's own client would use.",
            )
        raise PluginError(f"The MLflow server failed: {text}")


def _credentials(settings: Mapping[str, Any]) -> dict[str, str]:
    if settings["token"]:
        return {"Authorization": f"Bearer {settings['token']}"}
    if settings["username"]:
        pair = f"{settings['username']}:{settings['password'] or ''}".encode()
        return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}
    return {}


def _decoded(body: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(body or b"{}", type=dict[str, Any])
    except msgspec.MsgspecError:
        raise PluginContractError(
            "What stands at the tracking URI answers no JSON object: it is no MLflow server."
        ) from None


def _error_of(body: bytes) -> dict[str, str]:
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except msgspec.MsgspecError:
        return {}


def _unavailable(why: str, retry_after_seconds: float | None = None) -> PluginUnavailable:
    return PluginUnavailable(
        f"The MLflow server does not answer: {why}",
        hint="Nothing was changed here; try again when it is up.",
        retry_after_seconds=retry_after_seconds,
    )
