"""Connections are made of forms that the providers' schemas give: ours and a stranger's, each through a real server."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.e2e.barriers import barriers
from tests.e2e.receiver import Receiver
from tests.e2e.site import PASSWORD, PLACE, PROJECT, Site
from tests.functional.running_server import eventually

pytestmark = pytest.mark.e2e
TEST, CONNECTIONS = f"{PROJECT}/connections/test", f"{PLACE}/connections"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.shutdown()
    receiver.server_close()


@pytest.fixture
def viewer(site: Site) -> Iterator[str]:
    """Somebody who may only look, and is gone after the test: others count the members."""
    site.post("/api/v1/users", {"username": "vic", "password": PASSWORD})
    site.ok("PUT", "/api/v1/organizations/acme/members/vic", {"role": "member"})
    site.ok("PUT", f"{PROJECT}/members/vic", {"role": "viewer"})
    yield "vic"
    site.ok("DELETE", "/api/v1/organizations/acme/members/vic")


def choose(page: Any, provider: str) -> None:
    page.goto(CONNECTIONS)
    page.get_by_role("link", name="New connection").click()
    page.get_by_role("link", name=re.compile(f"^{re.escape(provider)}")).click()


def create(page: Any) -> None:
    page.get_by_role("button", name="Create connection").click()


def delete(page: Any, name: str) -> None:
    page.get_by_role("link", name=name).click()
    page.get_by_role("button", name="Delete connection").click()
    page.get_by_label("Type").fill(name)
    page.get_by_role("button", name="Delete the connection").click()
    page.wait_for_url(f"**{CONNECTIONS}")


def test_a_webhook_is_tried_made_told_moved_and_deleted(page: Any, site: Site, receiver: Receiver, watch: Any) -> None:
    watch.expect(422, TEST)
    watch.expect(502, TEST)
    choose(page, "Webhook")
    page.get_by_label("Name").fill("ops")
    address = page.get_by_role("textbox", name="Address")
    address.fill("nowhere")
    create(page)
    expect(page.get_by_text("Not a valid URL.")).to_be_visible()
    expect(address).to_be_focused()
    assert barriers(page) == []

    address.fill("http://127.0.0.1:1/hook")
    create(page)
    dialog = page.get_by_role("dialog", name="The test failed")
    expect(dialog.get_by_text("127.0.0.1:1")).to_be_visible()
    dialog.get_by_role("button", name="Back to the form").click()

    address.fill(receiver.url)
    page.get_by_label("Token", exact=True).fill("Bearer hunter2")
    page.get_by_role("button", name="Test").click()
    expect(page.get_by_role("status").filter(has_text="It answers.")).to_be_visible()
    create(page)
    row = page.get_by_role("row", name="ops")
    expect(row).to_contain_text("Works")
    assert barriers(page) == []
    site.post(f"{PROJECT}/models", {"name": "told-by-webhook"})
    eventually(lambda: "modelyard.model.created" in receiver.types_from("Bearer hunter2"), "the webhook")

    row.get_by_role("link").click()
    token = page.get_by_label("Token", exact=True)
    expect(token).to_have_value("")
    assert "hunter2" not in page.content()
    assert barriers(page) == []
    saved = page.url.rsplit("/", 1)[1]
    watch.expect(422, f"{PROJECT}/connections/{saved}/test")
    page.get_by_role("textbox", name="Address").fill(f"{receiver.url}/elsewhere")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Give it again: url changed")).to_be_visible()
    expect(token).to_be_focused()
    token.fill("Bearer hunter3")
    page.get_by_role("button", name="Save").click()
    expect(row).to_contain_text("Works")
    site.post(f"{PROJECT}/models", {"name": "told-elsewhere"})
    eventually(lambda: "modelyard.model.created" in receiver.types_from("Bearer hunter3"), "the new token")

    delete(page, "ops")
    expect(row).to_have_count(0)


def test_a_strangers_plugin_has_its_form_and_is_used(page: Any, site: Site, tmp_path: Path) -> None:
    loft = tmp_path / "loft.jsonl"
    choose(page, "Carrier pigeon")
    page.get_by_label("Name").fill("pigeon")
    expect(page.get_by_label("Loft")).to_have_accessible_description(
        "The file that each notification is appended to, as a line of JSON."
    )
    create(page)
    expect(page.get_by_label("Loft")).to_be_focused()
    expect(page.get_by_text("This is needed.")).to_be_visible()
    page.get_by_label("Loft").fill(str(loft))
    page.get_by_label("Told of").fill("model.*")
    create(page)
    expect(page.get_by_role("row", name="pigeon")).to_contain_text("Works")
    site.post(f"{PROJECT}/models", {"name": "told-by-pigeon"})
    lines = eventually(lambda: loft.exists() and loft.read_text().splitlines(), "the pigeon")
    assert "told-by-pigeon" in json.dumps(json.loads(lines[0]))
    delete(page, "pigeon")


def test_a_viewer_sees_and_changes_nothing(site: Site, anonymous: Any, viewer: str) -> None:
    body = {"username": viewer, "password": PASSWORD}
    anonymous.request.post(f"{site.url}/api/v1/session", data=body, headers={"X-Requested-With": "test"})
    anonymous.goto(f"{CONNECTIONS}/{site.connection}")
    expect(anonymous.get_by_text("Admins of the project change it.")).to_be_visible()
    expect(anonymous.get_by_role("button", name="Delete connection")).to_have_count(0)
    anonymous.goto(CONNECTIONS)
    expect(anonymous.get_by_role("link", name="server-log")).to_be_visible()
    expect(anonymous.get_by_role("link", name="New connection")).to_have_count(0)
    expect(anonymous.get_by_role("button", name="Check now")).to_have_count(0)
    anonymous.goto("about:blank")


def test_an_administrator_blocks_a_plugin_and_sees_its_calls(page: Any) -> None:
    page.goto("/plugins")
    pigeon = page.get_by_role("article", name="carrier_pigeon")
    pigeon.get_by_role("button", name="Block").click()
    page.get_by_label("Reason").fill("It eats the grain.")
    page.get_by_role("button", name="Block the plugin").click()
    expect(pigeon).to_contain_text("It is not called: It eats the grain.")
    pigeon.get_by_text("What was seen").click()
    expect(pigeon.get_by_role("region", name="Calls of carrier_pigeon")).to_contain_text("register")
    assert barriers(page) == []
    pigeon.get_by_role("button", name="Unblock").click()
    expect(pigeon.get_by_role("button", name="Block", exact=False)).to_be_visible()
    expect(pigeon).not_to_contain_text("It eats the grain.")
