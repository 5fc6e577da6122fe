"""The page that shows the API: everything on it comes from the server itself, under its Content-Security-Policy."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from tests.e2e.site import Site

pytestmark = pytest.mark.e2e


def test_the_api_is_shown_and_can_be_tried_out(page: Any, site: Site) -> None:
    hosts: set[str] = set()
    page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
    answer = page.goto("/api/docs")
    assert "unsafe-eval" not in answer.headers["content-security-policy"]
    expect(page.get_by_role("heading", name="Modelyard")).to_be_visible()
    page.locator("#operations-tag-session").click()
    operation = page.locator(".opblock-get").filter(has_text="/api/v1/session").first
    operation.locator(".opblock-summary").click()
    operation.get_by_role("button", name="Try it out").click()
    operation.get_by_role("button", name="Execute").click()
    expect(operation.locator(".live-responses-table tbody .response-col_status").first).to_have_text("200")
    expect(operation.locator(".live-responses-table")).to_contain_text('"username": "ada"')
    assert hosts == {urlsplit(site.url).netloc}


def test_the_other_pages_do_not_carry_it(page: Any) -> None:
    scripts: set[str] = set()
    page.on("request", lambda request: scripts.add(urlsplit(request.url).path))
    page.goto("/")
    expect(page.get_by_role("link", name="Customer churn")).to_be_visible()
    assert not any("api-docs" in path for path in scripts)
