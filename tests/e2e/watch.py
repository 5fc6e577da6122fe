"""What a browser complains about while a test runs: nobody sees it on the page, so it must be listened for."""

from __future__ import annotations

from urllib.parse import urlsplit

from playwright.sync_api import ConsoleMessage, Page, Request, Response

ANONYMOUS = (401, "/api/v1/session")
"""How the sign-in page learns that nobody is signed in."""


class Watch:
    """Keeps console errors, exceptions, violations of the Content-Security-Policy, and refused requests."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.expected: set[tuple[int, str]] = {ANONYMOUS}

    def expect(self, status: int, path: str) -> None:
        """Take this answer as part of the test."""
        self.expected.add((status, path))

    def listen(self, page: Page) -> None:
        """Listen to a page."""
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.seen.append(f"exception: {error}"))
        page.on("response", self._response)
        page.on("requestfailed", self._failed)

    def _console(self, message: ConsoleMessage) -> None:
        # A refused request is kept by its answer, where its address stands; violations of the policy come as errors.
        if message.type in {"error", "warning"} and not message.text.startswith("Failed to load resource"):
            self.seen.append(f"console {message.type}: {message.text}")

    def _response(self, response: Response) -> None:
        path = urlsplit(response.url).path
        if response.status >= 400 and (response.status, path) not in self.expected:
            self.seen.append(f"answer: {response.status} {response.request.method} {response.url}")

    def _failed(self, request: Request) -> None:
        # What the page itself gives up, on leaving or for a newer question, is no failure.
        if request.failure != "net::ERR_ABORTED":
            self.seen.append(f"no answer: {request.method} {request.url}: {request.failure}")
