"""Keeps clients that send or read slowly from holding every thread of this process.

A thread that reads a request's body, or streams an answer, goes at its client's pace, and nothing below us has a
deadline for that. So these transfers get places: three quarters of the threads, and no more than half for one address.
Whoever finds none within a second is told to come again; whatever needs no transfer always finds a thread.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

from flask import Flask, Response, current_app, g, request

from modelyard.core.errors import Unavailable

EXTENSION = "modelyard.places"
WAIT_SECONDS = 1


class Places:
    """The places for transfers, in all and for each address."""

    def __init__(self, threads: int) -> None:
        self._most = max(1, threads * 3 // 4)
        self._most_each = max(1, threads // 2)
        self._held: Counter[str] = Counter()
        self._freed = threading.Condition()

    def take(self, address: str) -> Callable[[], None]:
        """Take a place, waiting up to a second for one; returns what gives it back, once. Raises `Unavailable`."""
        with self._freed:
            if not self._freed.wait_for(lambda: self._is_free(address), WAIT_SECONDS):
                raise Unavailable(
                    "Too many requests are being sent or answers read slowly.",
                    hint="Try again in a moment. A proxy that buffers in front of it keeps slow clients off a server.",
                )
            self._held[address] += 1
        given_back = False

        def give_back() -> None:
            nonlocal given_back
            with self._freed:
                if not given_back:
                    given_back = True
                    self._held[address] -= 1
                    self._held += Counter()  # drops those at zero
                    self._freed.notify_all()

        return give_back

    def _is_free(self, address: str) -> bool:
        return self._held[address] < self._most_each and self._held.total() < self._most


class WatchedInput:
    """The body of a request, which holds a place from its first read to its end."""

    def __init__(self, raw: Any, length: int | None, take: Callable[[], Callable[[], None]]) -> None:
        self._raw = raw
        self._left = length
        self._take = take
        self._give_back: Callable[[], None] | None = None

    def read(self, size: int = -1) -> bytes:
        """Read as the server's own input does."""
        return self._counted(size, lambda: self._raw.read(size))

    def readline(self, size: int = -1) -> bytes:
        """Read up to the end of a line."""
        return self._counted(1, lambda: self._raw.readline(size))

    def end(self) -> None:
        """Give the place back, read to the end or not."""
        if self._give_back is not None:
            self._give_back()

    def _counted(self, wanted: int, read: Callable[[], bytes]) -> bytes:
        if self._give_back is None:
            self._give_back = self._take()
        data = read()
        if self._left is not None:
            self._left -= len(data)
        if len(data) < wanted or not data or wanted < 0 or self._left == 0:
            self._give_back()
        return data


def register(app: Flask, threads: int) -> None:
    """Give the bodies of requests their places; `watch` gives them to answers."""
    app.extensions[EXTENSION] = Places(threads)
    app.before_request(_watch_input)
    app.teardown_request(_end)


def receive(app: Flask, environ: dict[str, Any], address: str, length: int) -> bytes:
    """Read a body of that length, holding a place; raises `Unavailable` where there is none."""
    places: Places = app.extensions[EXTENSION]
    give_back = places.take(address)
    try:
        data: bytes = environ["wsgi.input"].read(length)
        return data
    finally:
        give_back()


def watch(response: Response) -> Response:
    """Hold a place until a streamed answer is read; where there is none, the answer is another one that says so."""
    if not response.is_streamed or request.method == "HEAD":
        return response
    try:
        response.call_on_close(_take())
    except Unavailable as error:
        response.close()
        return current_app.make_response(current_app.handle_user_exception(error))
    response.direct_passthrough = False  # which would leave `call_on_close` out
    return response


def _watch_input() -> None:
    if request.content_length or "Transfer-Encoding" in request.headers:
        g.input = WatchedInput(request.environ["wsgi.input"], request.content_length, _take)
        request.environ["wsgi.input"] = g.input


def _take() -> Callable[[], None]:
    places: Places = current_app.extensions[EXTENSION]
    return places.take(request.remote_addr or "")


def _end(error: BaseException | None) -> None:
    watched: WatchedInput | None = g.pop("input", None)
    if watched is not None:
        watched.end()
