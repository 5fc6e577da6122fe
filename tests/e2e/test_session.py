"""Signing in and out, and a session that ends in the middle."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

from tests.e2e.site import PASSWORD, PLACE, USERNAME, Site

pytestmark = pytest.mark.e2e


def sign_in(page: Any, password: str = PASSWORD) -> None:
    page.get_by_label("User name").fill(USERNAME)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Sign in").click()


def test_a_link_of_mlflow_leads_through_sign_in_to_the_run(anonymous: Any, site: Site) -> None:
    page = anonymous
    run = site.runs["deep"]
    page.goto(f"/mlflow{PLACE}/#/experiments/0/runs/{run}")
    sign_in(page, "wrong")
    expect(page.get_by_role("alert")).to_contain_text("The username or the password is not right.")
    sign_in(page)
    page.wait_for_url(f"**{PLACE}/runs/{run}")
    expect(page.get_by_role("heading", name="deep", exact=True)).to_be_visible()

    page.get_by_role("button", name=f"Account of {USERNAME}").click()
    page.get_by_role("menuitem", name="Sign out").click()
    page.wait_for_url("**/sign-in")
    page.goto("/tokens")
    page.wait_for_url("**/sign-in?next=%2Ftokens")
    sign_in(page)
    page.wait_for_url("**/tokens")


def test_no_address_leads_away_after_sign_in(anonymous: Any, site: Site) -> None:
    anonymous.goto("/sign-in?next=//evil.example/")
    sign_in(anonymous)
    anonymous.wait_for_url(f"{site.url}/")


def test_a_session_that_ends_in_the_middle_asks_to_sign_in_again(page: Any, watch: Any) -> None:
    page.goto(f"{PLACE}/models")
    expect(page.get_by_role("link", name="risk")).to_be_visible()
    for path in ("", "/models", "/runs", "/experiments"):
        watch.expect(401, f"/api/v1/organizations/acme/projects/churn{path}")
    page.context.clear_cookies()
    page.wait_for_url("**/sign-in?next=%2Facme%2Fchurn%2Fmodels")
    sign_in(page)
    page.wait_for_url(f"**{PLACE}/models")
    expect(page.get_by_role("link", name="risk")).to_be_visible()
