"""What all parts of the client share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from modelyard.client.addresses import segments
from modelyard.client.errors import UnexpectedAnswerError

if TYPE_CHECKING:
    from modelyard.client.client import Client

Json = dict[str, Any]

PAGE_SIZE = 200


def given(**values: Any) -> Json:
    """Return the values that were given: None is "not said" everywhere in this client."""
    return {name: value for name, value in values.items() if value is not None}


class Resource:
    """A part of the client: the connection and the path that it works under."""

    def __init__(self, client: Client, path: str = "/api/v1") -> None:
        self._client = client
        self._path = path

    def _call(self, method: str, *parts: object, json: Any = None, **params: Any) -> Any:
        return self._client.call(method, self._path + segments(*parts), json=json, params=params)

    def _one(self, method: str, *parts: object, json: Any = None, **params: Any) -> Json:
        answer = self._call(method, *parts, json=json, **params)
        if not isinstance(answer, dict):
            raise UnexpectedAnswerError(f"{self._client.url}{self._path}{segments(*parts)} answered no object.")
        return answer

    def _list(
        self, *parts: object, limit: int | None = None, page_size: int = PAGE_SIZE, **params: Any
    ) -> Iterator[Json]:
        return self._client.pages(self._path + segments(*parts), params, limit=limit, page_size=page_size)
