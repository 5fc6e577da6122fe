"""People come in, have an account, get roles and go: each by the pages alone, through a real server."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

from tests.e2e.barriers import barriers
from tests.e2e.site import PASSWORD, PLACE, Site

pytestmark = pytest.mark.e2e


def sign_in(page: Any, username: str, password: str = PASSWORD) -> None:
    page.goto("/sign-in")
    page.get_by_label("User name").fill(username)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/")


def set_password(page: Any, password: str = PASSWORD) -> None:
    page.get_by_label("New password").fill(password)
    page.get_by_label("The same again").fill(password)


def make_person(site: Site, username: str) -> None:
    site.post("/api/v1/users", {"username": username, "password": PASSWORD})


def test_an_invitation_brings_somebody_new_into_the_project(page: Any, anonymous: Any) -> None:
    page.goto("/acme")
    page.get_by_role("link", name="Members").click()
    expect(page.get_by_role("heading", name="Members of Acme")).to_be_visible()
    page.get_by_role("button", name="Invite").click()
    page.get_by_label("Project", exact=True).select_option("churn")
    page.get_by_label("Role in it").select_option("editor")
    page.get_by_role("button", name="Make the link").click()
    link = page.locator("[role=dialog] code").inner_text()
    page.get_by_role("button", name="I have copied it").click()
    assert barriers(page) == []

    anonymous.goto(link)
    expect(anonymous.get_by_role("heading", name="Join Acme")).to_be_visible()
    assert barriers(anonymous) == []
    anonymous.get_by_label("User name").fill("bo")
    anonymous.get_by_label("Your name").fill("Bo")
    set_password(anonymous)
    anonymous.get_by_role("button", name="Create an account and join").click()
    anonymous.wait_for_url(f"**{PLACE}/runs")
    expect(anonymous.get_by_role("heading", name="Customer churn")).to_be_visible()
    anonymous.goto("about:blank")

    page.reload()
    expect(page.get_by_label("Role of bo")).to_have_value("member")
    expect(page.get_by_role("region", name="Invitations")).to_contain_text("Accepted by bo")
    page.goto(f"{PLACE}/members")
    with page.expect_response(lambda answer: answer.request.method == "PUT"):  # a reload would call it off
        page.get_by_label("Role of bo").select_option("viewer")
    page.reload()
    expect(page.get_by_label("Role of bo")).to_have_value("viewer")
    page.get_by_role("button", name="Remove bo").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    expect(page.get_by_text("Nobody has a role of their own here")).to_be_visible()


def test_whoever_has_an_account_accepts_an_invitation(site: Site, anonymous: Any) -> None:
    make_person(site, "cleo")
    made = site.post("/api/v1/organizations/acme/invitations", {"role": "member", "expires_in_days": 1})
    anonymous.goto(made["link"])
    anonymous.get_by_role("link", name="I have an account: sign in").click()
    anonymous.wait_for_url("**/sign-in?next=*")  # the page before has a field of that name, too
    anonymous.get_by_label("User name").fill("cleo")
    anonymous.get_by_label("Password", exact=True).fill(PASSWORD)
    anonymous.get_by_role("button", name="Sign in").click()
    anonymous.get_by_role("button", name="Accept as cleo").click()
    anonymous.wait_for_url("**/acme")
    anonymous.get_by_role("link", name="Members").click()
    anonymous.get_by_role("button", name="Leave").click()
    anonymous.get_by_role("dialog").get_by_role("button", name="Leave").click()
    expect(anonymous.get_by_text("You are in no organization yet")).to_be_visible()


def test_an_account_is_its_owners(site: Site, anonymous: Any, new_page: Any, watch: Any) -> None:
    make_person(site, "dan")
    watch.expect(422, "/api/v1/account/password")
    elsewhere = new_page(state=None)
    sign_in(elsewhere, "dan")
    sign_in(anonymous, "dan")
    anonymous.goto("/account")
    anonymous.get_by_label("Name", exact=True).fill("Dan the Man")
    anonymous.get_by_label("E-mail").fill("dan@example.org")
    anonymous.get_by_role("button", name="Save").click()
    expect(anonymous.get_by_role("button", name="Account of dan")).to_contain_text("Dan the Man")
    sessions = anonymous.get_by_role("region", name="Sessions").get_by_role("row")
    expect(sessions).to_have_count(3)
    assert barriers(anonymous) == []
    anonymous.get_by_role("button", name="End the session at").click()
    anonymous.get_by_role("button", name="End session").click()
    expect(sessions).to_have_count(2)
    elsewhere.reload()
    elsewhere.wait_for_url("**/sign-in")

    anonymous.get_by_label("Present password").fill("wrong wrong wrong")
    set_password(anonymous, "another good one")
    anonymous.get_by_role("button", name="Change password").click()
    expect(anonymous.get_by_label("Present password")).to_have_attribute("data-invalid", "true")
    anonymous.get_by_label("Present password").fill(PASSWORD)
    anonymous.get_by_role("button", name="Change password").click()
    expect(anonymous.get_by_text("Your password is changed")).to_be_visible()
    sign_in(elsewhere, "dan", "another good one")


def test_a_lost_password_is_set_by_a_link(site: Site, anonymous: Any) -> None:
    make_person(site, "eva")
    anonymous.goto(site.post("/api/v1/users/eva/password-reset", None)["url"])
    set_password(anonymous, "another good one")
    anonymous.get_by_role("button", name="Change the password").click()
    anonymous.get_by_role("link", name="Sign in").click()
    sign_in(anonymous, "eva", "another good one")


def test_a_project_is_renamed_archived_and_deleted(site: Site, page: Any, watch: Any) -> None:
    watch.expect(404, "/api/v1/organizations/acme/projects/shorter")  # a poll may be on its way while it is deleted
    site.post("/api/v1/organizations/acme/projects", {"slug": "brief", "name": "Brief"})
    page.goto("/acme/brief/settings")
    page.get_by_role("textbox", name="Name").fill("Shorter")
    page.get_by_role("textbox", name="Address").fill("shorter")
    page.get_by_role("button", name="Save").click()
    page.wait_for_url("**/acme/shorter/settings")
    expect(page.get_by_role("heading", name="Shorter")).to_be_visible()
    page.get_by_role("button", name="Archive project").click()
    expect(page.get_by_text("Archived", exact=True)).to_be_visible()
    page.get_by_role("button", name="Restore project").click()
    expect(page.get_by_role("button", name="Archive project")).to_be_visible()
    page.get_by_role("button", name="Delete project").click()
    page.get_by_label("Type").fill("shorter")
    page.get_by_role("button", name="Delete the project").click()
    page.wait_for_url("**/acme")
    expect(page.get_by_role("link", name="Customer churn")).to_be_visible()
    expect(page.get_by_role("link", name="Shorter")).to_have_count(0)
