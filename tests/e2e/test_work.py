"""What people do: organize, compare runs, look at one, promote a version, watch a deployment."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.e2e.barriers import barriers
from tests.e2e.site import PLACE, PROJECT, Site

pytestmark = pytest.mark.e2e
POLLED_WITHIN_MS = 10_000
REPLICA_STARTS_WITHIN_MS = 60_000


def test_an_organization_and_a_project_are_made_by_the_forms(page: Any, watch: Any) -> None:
    watch.expect(409, "/api/v1/organizations")
    page.goto("/")
    page.get_by_role("button", name="New organization").click()
    dialog = page.get_by_role("dialog", name="New organization")
    dialog.get_by_label("Name").fill("Acme")
    dialog.get_by_role("button", name="Create organization").click()
    # Only the server knows that it is taken; what it says stands at the field.
    expect(dialog.get_by_text("The slug 'acme' is taken.")).to_be_visible()
    expect(dialog.get_by_label("Address")).to_have_attribute("aria-invalid", "true")
    dialog.get_by_label("Address").fill("umbrella")
    dialog.get_by_role("button", name="Create organization").click()
    expect(page.get_by_role("heading", name="Acme")).to_have_count(2)

    page.goto("/umbrella")
    page.get_by_role("button", name="New project").click()
    dialog = page.get_by_role("dialog", name="New project in umbrella")
    dialog.get_by_label("Name").fill("Rain forecast")
    expect(dialog.get_by_label("Address")).to_have_value("rain-forecast")
    dialog.get_by_role("button", name="Create project").click()
    page.wait_for_url("**/umbrella/rain-forecast/runs")
    expect(page.get_by_role("heading", name="No runs yet")).to_be_visible()
    assert barriers(page) == []
    page.get_by_role("link", name="Deployments").click()
    expect(page.get_by_role("heading", name="No deployments yet")).to_be_visible()
    assert barriers(page) == []


def names(page: Any) -> list[str]:
    found: list[str] = page.get_by_role("region", name="Runs").locator("tbody tr td:first-child").all_inner_texts()
    return found


def test_runs_are_sorted_filtered_and_come_by_themselves(page: Any, watch: Any, site: Site) -> None:
    watch.expect(422, f"{PROJECT}/runs")
    watch.expect(400, f"{PROJECT}/runs")
    page.goto(f"{PLACE}/runs")
    table = page.get_by_role("region", name="Runs")
    heading = table.get_by_role("columnheader", name="accuracy")
    heading.get_by_role("button").click()
    expect(heading).to_have_attribute("aria-sort", "descending")
    expect(table.locator("tbody tr").first).to_contain_text("deep")
    assert names(page)[:3] == ["deep", "deeper", "shallow"]
    heading.get_by_role("button").click()
    expect(table.locator("tbody tr").first).to_contain_text("shallow")

    box = page.get_by_role("textbox", name="Filter runs")
    box.fill("metrics.accuracy === 1")
    box.press("Enter")
    expect(box).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_role("search")).to_contain_text("at character 19")
    box.fill("metrics.accuracy > 0.75 and params.depth != '9'")
    box.press("Enter")
    expect(table.locator("tbody tr")).to_have_count(2)

    site.log_run("logged while you look", 0.76, depth=5)
    expect(table.get_by_role("link", name="logged while you look")).to_be_visible(timeout=POLLED_WITHIN_MS)
    assert names(page) == ["logged while you look", "deeper", "deep"]


def test_a_run_shows_its_curves_and_gives_its_artifacts(page: Any, site: Site, tmp_path: Path) -> None:
    page.goto(f"{PLACE}/runs/{site.runs['deep']}")
    curve = page.get_by_role("img", name=re.compile("^loss: 20 points, last 0.05"))
    expect(curve.locator("canvas")).to_be_visible()
    drawn = "canvas => canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.some(Boolean)"
    assert curve.locator("canvas").evaluate(drawn)

    page.get_by_role("button", name="mistakes.json").click()
    expect(page.get_by_role("region", name="Table mistakes.json").get_by_role("cell", name="dog")).to_be_visible()
    page.get_by_role("button", name="plots folder").click()
    page.get_by_role("button", name="confusion.png").click()
    image = page.get_by_role("img", name="plots/confusion.png")
    expect(image).to_be_visible()
    assert image.evaluate("image => image.decode().then(() => image.naturalWidth)") == 1
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    download.value.save_as(tmp_path / "file")
    assert download.value.suggested_filename == "confusion.png"
    assert (tmp_path / "file").read_bytes().startswith(b"\x89PNG")


def test_a_version_is_promoted_and_the_history_says_by_whom_and_why(page: Any, site: Site) -> None:
    page.goto(f"{PLACE}/models/risk")
    page.get_by_role("button", name="Promote version 1").click()
    dialog = page.get_by_role("dialog", name="Promote risk v1")
    dialog.get_by_label("Stage").select_option("Production")
    dialog.get_by_label("Reason").fill("Two points better.")
    assert barriers(page) == []
    dialog.get_by_role("button", name="Move to Production").click()
    expect(dialog).to_be_hidden()
    history = page.get_by_role("region", name="Stage history")
    expect(history).to_contain_text("Two points better.")
    expect(history).to_contain_text("ada")
    assert site.get(f"{PROJECT}/models/risk/versions/1").json()["stage"] == "Production"
    page.get_by_role("link", name="Activity").click()
    expect(page.get_by_role("link", name="risk v1").first).to_be_visible()


def test_a_deployment_that_cannot_start_says_so_on_its_card(page: Any, watch: Any) -> None:
    page.goto(f"{PLACE}/deployments")
    page.get_by_role("button", name="New deployment").click()
    dialog = page.get_by_role("dialog", name="New deployment")
    dialog.get_by_label("Name").fill("risk-live")
    dialog.get_by_role("button", name="Create deployment").click()
    card = page.get_by_role("article", name="risk-live")
    expect(card.get_by_text(re.compile("Pending|Starting|Failed")).first).to_be_visible()
    expect(card).to_contain_text("0 of 1")

    watch.expect(503, f"/serve{PLACE}/risk-live/invocations")
    card.get_by_role("button", name="Try a prediction").click()
    card.get_by_label("Input").fill("{")
    card.get_by_role("button", name="Predict", exact=True).click()
    expect(card.get_by_text("Not JSON")).to_be_visible()
    card.get_by_label("Input").fill('{"inputs": [1]}')
    card.get_by_role("button", name="Predict", exact=True).click()
    expect(card.get_by_role("alert")).to_contain_text("No prediction")
    assert barriers(page) == []
    card.get_by_role("button", name="Logs").click()
    expect(page.get_by_role("dialog", name="Logs of risk-live")).to_be_visible()
    page.keyboard.press("Escape")

    # Its files are no model that anything could load; the replica's own words come up to the card.
    expect(card).to_contain_text("the model cannot be loaded", timeout=REPLICA_STARTS_WITHIN_MS)
    card.get_by_role("button", name="Delete risk-live").click()
    question = page.get_by_role("dialog", name="Delete the deployment risk-live?")
    expect(question.get_by_role("button", name="Delete deployment")).to_be_disabled()
    question.get_by_label("Type risk-live to confirm").fill("risk-live")
    question.get_by_role("button", name="Delete deployment").click()
    expect(page.get_by_role("heading", name="No deployments yet")).to_be_visible()
