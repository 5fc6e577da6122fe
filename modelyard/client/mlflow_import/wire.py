"""MLflow's REST API of one server, the source or ours: requests that wait out what is temporary, and pages."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from modelyard.client.client import Client
from modelyard.client.errors import ClientError, NotFoundError, ServerError, UnavailableError, UnexpectedAnswerError
from modelyard.client.resource import Json
from modelyard.client.transport import Response, Upload

API = "/api/2.0/mlflow/"
PAUSES_SECONDS = (0.5, 1, 2, 4, 8, 15, 15, 15)
LONGEST_WAIT_SECONDS = 300.0
OF_ONE_THING = frozenset({400, 403, 404, 409, 410, 413, 415, 422, 500, 501})

T = TypeVar("T")


def concerns_one_thing(error: ClientError) -> bool:
    """Say whether others may still be brought after this error: it is about what was asked, not about who answers."""
    return error.status in OF_ONE_THING or isinstance(error, UnexpectedAnswerError)


class Wire:
    """MLflow's API below an address; what is temporary is tried again for about a minute."""

    def __init__(self, client: Client, prefix: str = "", headers: Mapping[str, str] | None = None) -> None:
        self.client = client
        self.prefix = prefix
        self._headers = dict(headers or {})
        self._ended = False

    def end(self) -> None:
        """Let no thread send any more."""
        self._ended = True

    def go_on(self) -> None:
        """Raise a `ClientError` once this has ended."""
        if self._ended:
            raise ClientError("The import was ended.")

    def get(self, path: str, /, **params: Any) -> Json:
        """Ask; None is "not said"."""
        return self.patiently(lambda: self.once("GET", path, params=params))

    def post(self, path: str, /, **body: Any) -> Json:
        """Send what may be sent twice."""
        return self.patiently(lambda: self.once("POST", path, body=body))

    def patch(self, path: str, /, **body: Any) -> Json:
        """Send a change that may be sent twice."""
        return self.patiently(lambda: self.once("PATCH", path, body=body))

    def create(self, path: str, /, *, find: Callable[[], Json | None], **body: Any) -> Json:
        """Send what makes a thing, and not again where `find` says that an attempt without an answer made it."""
        return self.patiently(lambda: self.once("POST", path, body=body), find=find)

    def move(self, method: str, path: str, /, **body: Any) -> None:
        """Send what takes a thing away or moves it; silent where an attempt without an answer did it."""
        attempts = 0

        def attempt() -> None:
            nonlocal attempts
            attempts += 1
            try:
                self.once(method, path, body=body)
            except NotFoundError:
                if attempts == 1:
                    raise

        self.patiently(attempt)

    def pages(self, method: str, path: str, name: str, /, **fields: Any) -> Iterator[Json]:
        """Yield the things called `name` of all pages of a search."""
        token: str | None = None
        while True:
            page = (self.get if method == "GET" else self.post)(path, **fields, page_token=token)
            yield from page.get(name, ())
            token = page.get("next_page_token")
            if not token:
                return

    def once(self, method: str, path: str, *, params: Json | None = None, body: Json | None = None) -> Json:
        """Send one request behind ``/api/2.0/mlflow/`` and return the JSON object that is answered."""
        given = None if body is None else {key: value for key, value in body.items() if value is not None}
        answer = self.send(method, API + path, params=params, json=given).json()
        if not isinstance(answer, dict):
            raise UnexpectedAnswerError(f"{self.client.url}{self.prefix}{API}{path} answered no object.", status=200)
        return answer

    def send(
        self,
        method: str,
        path: str,
        *,
        params: Json | None = None,
        json: Any = None,
        data: bytes | Upload | None = None,
        stream: bool = False,
    ) -> Response:
        """Send one request below the address."""
        self.go_on()
        return self.client.send(
            method, self.prefix + path, params=params, json=json, data=data, stream=stream, headers=self._headers
        )

    def patiently(self, attempt: Callable[[], T], *, find: Callable[[], T | None] | None = None) -> T:
        """Return what the attempt does, made again while the server is away or fails; raises its last error."""
        for number, pause in enumerate(PAUSES_SECONDS):
            try:
                return attempt()
            except (UnavailableError, ServerError) as error:
                if isinstance(error, ServerError) and number > 2:
                    raise
                wait = error.retry_after_seconds or 0
                if wait > LONGEST_WAIT_SECONDS:
                    raise
                self.client.sleep(max(pause, wait))
            found = None if find is None else self.patiently(find)
            if found is not None:
                return found
        return attempt()
