"""What holds on every page: no barrier that axe finds, nothing wider than a phone, all of it by the keyboard."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

from tests.e2e.barriers import barriers
from tests.e2e.site import PLACE, Site

pytestmark = pytest.mark.e2e


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
        f"{PLACE}/activity?actor=nobody",
        f"{PLACE}/activity",
        f"{PLACE}/connections",
        f"{PLACE}/connections/new",
        f"{PLACE}/connections/new?kind=notifier&provider=email",
        f"{PLACE}/connections/{site.connection}",
        "/acme/-/connections",
        f"{PLACE}/members",
        f"{PLACE}/settings",
        "/plugins",
        "/tokens",
        "/a/b/c/d",
    ]


@pytest.mark.parametrize(("color_scheme", "width"), [("light", 1280), ("dark", 360)])
def test_no_page_has_a_barrier_or_is_too_wide(new_page: Any, site: Site, color_scheme: str, width: int) -> None:
    page = new_page(width=width, color_scheme=color_scheme, reduced_motion="reduce")
    found = {}
    for address in addresses(site):
        page.goto(address)
        found[address] = barriers(page)
    page.goto("/tokens")
    page.get_by_role("button", name="New token").click()
    page.get_by_role("button", name="Create token").click()
    expect(page.get_by_text("Say what it is for.")).to_be_visible()
    found["the form of a token"] = barriers(page)
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Account of").click()
    found["the account's menu"] = barriers(page)
    page.goto("about:blank")
    page.context.clear_cookies()
    for address in ("/sign-in", "/setup/link", "/reset-password/link"):
        page.goto(address)
        found[address] = barriers(page)
    assert {name: complaints for name, complaints in found.items() if complaints} == {}


def test_the_pages_run_no_script_that_is_not_theirs(page: Any, watch: Any) -> None:
    page.goto("/plugins")
    page.evaluate("""() => {
        const script = document.createElement("script");
        script.textContent = "window.foreign = true";
        document.head.append(script);
    }""")
    assert page.evaluate("window.foreign") is None
    assert "Content Security Policy" in watch.seen.pop()


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
