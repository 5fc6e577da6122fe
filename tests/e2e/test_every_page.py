"""What holds on every page: no barrier that axe finds, nothing wider than a phone, all of it by the keyboard."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

from tests import parts
from tests.e2e.site import PLACE, Site

pytestmark = pytest.mark.e2e
SETTLED = "() => document.querySelector('[role=status][aria-label^=Loading]') === null && document.querySelector('h1')"
FIND_BARRIERS = """async () => (await axe.run(document, {resultTypes: ["violations"]})).violations
    .filter(({impact}) => impact === "serious" || impact === "critical")
    .map(({id, help, nodes}) => `${id}: ${help}: ${nodes.map((node) => node.target).join(", ")}`)"""


def addresses(site: Site) -> list[str]:
    run = f"{PLACE}/runs/{site.runs['deep']}"
    return [
        "/",
        "/acme",
        f"{PLACE}/runs",
        f"{PLACE}/runs?filter=metrics.accuracy+%3E+2",
        f"{run}?file=mistakes.json",
        f"{run}?folder=plots&file=plots%2Fconfusion.png",
        f"{PLACE}/models",
        f"{PLACE}/models/risk",
        f"{PLACE}/deployments",
        f"{PLACE}/activity",
        "/plugins",
        "/tokens",
        "/a/b/c/d",
    ]


@pytest.mark.parametrize(("color_scheme", "width"), [("light", 1280), ("dark", 360)])
def test_no_page_has_a_barrier_or_is_too_wide(new_page: Any, site: Site, color_scheme: str, width: int) -> None:
    barriers = parts.axe()
    page = new_page(width=width, color_scheme=color_scheme, reduced_motion="reduce")
    found = {}

    def look(name: str) -> None:
        page.wait_for_function(SETTLED)
        # Not by a script tag: the page's own policy refuses it, as it should.
        page.evaluate(barriers)
        complaints = page.evaluate(FIND_BARRIERS)
        over = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        if over > 0:
            complaints.append(f"{over} px too wide")
        if complaints:
            found[name] = complaints

    for address in addresses(site):
        page.goto(address)
        look(address)
    page.goto("/tokens")
    page.get_by_role("button", name="New token").click()
    look("the form of a token")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Account of").click()
    look("the account's menu")
    page.context.clear_cookies()
    page.goto("/sign-in")
    look("/sign-in")
    assert found == {}


def test_the_colour_scheme_is_kept(page: Any) -> None:
    page.goto("/plugins")
    html = page.locator("html")
    expect(html).to_have_attribute("data-mantine-color-scheme", "light")
    page.get_by_role("button", name="Colour scheme").click()
    page.get_by_role("menuitemradio", name="Dark").click()
    expect(html).to_have_attribute("data-mantine-color-scheme", "dark")
    page.reload()
    expect(html).to_have_attribute("data-mantine-color-scheme", "dark")
    expect(page.get_by_role("button", name="Colour scheme: Dark")).to_be_visible()


def test_the_keyboard_alone_leads_from_the_projects_into_a_run(page: Any) -> None:
    page.goto("/")
    expect(page.get_by_role("link", name="Customer churn")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    tab_to(page, "Customer churn")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{PLACE}/runs")
    expect(page.get_by_role("link", name="deeper")).to_be_visible()
    tab_to(page, "deeper")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{PLACE}/runs/*")
    expect(page.get_by_role("heading", name="deeper")).to_be_visible()


def tab_to(page: Any, link: str) -> None:
    wanted = page.get_by_role("link", name=link, exact=True)
    for _ in range(60):
        page.keyboard.press("Tab")
        if wanted.evaluate("node => node === document.activeElement"):
            ring = wanted.evaluate("node => getComputedStyle(node).outlineStyle")
            assert ring != "none", "what has the focus must be seen"
            return
    raise AssertionError(f"60 Tabs do not reach {link!r}")
