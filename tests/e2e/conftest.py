"""One server and one browser for all tests; each test has a context of its own, and must leave the console silent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests import parts
from tests.e2e.site import PASSWORD, USERNAME, Site

PATIENCE_MS = 15_000
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server with data in it."""
    parts.pages()
    parts.chromium()
    site = Site(tmp_path_factory.mktemp("site"))
    try:
        site.start()
        yield site
    finally:
        site.server.kill_all()


@pytest.fixture(scope="session")
def browser(site: Site) -> Iterator[Any]:
    """A real browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=parts.chromium(), args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def signed_in(browser: Any, site: Site) -> Any:
    """The cookie of a user who has signed in."""
    context = browser.new_context(base_url=site.url)
    body = {"username": USERNAME, "password": PASSWORD}
    answer = context.request.post("/api/v1/session", data=body, headers={"X-Requested-With": "test"})
    assert answer.status == 201
    state = context.storage_state()
    context.close()
    return state


@pytest.fixture
def watch() -> Iterator[Any]:
    """Fails the test for whatever the browser complained about."""
    from tests.e2e.watch import Watch

    watch = Watch()
    yield watch
    assert watch.seen == []


@pytest.fixture
def new_page(browser: Any, site: Site, signed_in: Any, watch: Any) -> Iterator[Any]:
    """Opens a page in a context of its own: `new_page(width=360, color_scheme="dark")`."""
    contexts = []

    def make(*, width: int = 1280, state: Any = signed_in, **more: Any) -> Any:
        context = browser.new_context(
            base_url=site.url, viewport={"width": width, "height": 800}, storage_state=state, **more
        )
        context.set_default_timeout(PATIENCE_MS)
        contexts.append(context)
        page = context.new_page()
        watch.listen(page)
        return page

    yield make
    for context in contexts:
        context.close()


@pytest.fixture
def page(new_page: Any) -> Any:
    """A page of a user who is signed in."""
    return new_page()


@pytest.fixture
def anonymous(new_page: Any) -> Any:
    """A page of somebody who is not signed in."""
    return new_page(state=None)
