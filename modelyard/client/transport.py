"""One request and one answer, and the network between them; a test may put something else there."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from modelyard.client.errors import UnexpectedAnswerError

CHUNK_BYTES = 256 * 1024


class Upload:
    """A body that is sent as it comes, and is never held as a whole: chunks of `size_bytes` (not 0) together."""

    def __init__(self, chunks: Iterable[bytes], size_bytes: int) -> None:
        self._chunks = chunks
        self._size_bytes = size_bytes

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._chunks)

    def __len__(self) -> int:
        return self._size_bytes


@dataclass(frozen=True)
class Request:
    """What a transport sends; the headers hold the token and are left out of its repr."""

    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes | Upload | None = field(repr=False)
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
