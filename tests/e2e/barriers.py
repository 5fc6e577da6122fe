"""What is wrong with a page for who cannot see it, cannot tell its colours, or has a phone."""

from __future__ import annotations

from typing import Any

from tests import parts

SETTLED = "() => document.querySelector('[role=status][aria-label^=Loading]') === null && document.querySelector('h1')"
STILL = """() => document.getAnimations().every((animation) =>
    animation.playState !== "running" || animation.effect.getTiming().iterations === Infinity)"""
FIND_BARRIERS = """async () => (await axe.run(document, {resultTypes: ["violations"]})).violations
    .filter(({impact}) => impact === "serious" || impact === "critical")
    .map(({id, help, nodes}) => `${id}: ${help}: ${nodes.map((node) => node.target).join(", ")}`)"""
TOO_WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


def barriers(page: Any) -> list[str]:
    """Return axe's serious and critical findings, and by how much the page is too wide, once it has loaded."""
    page.wait_for_function(SETTLED)
    page.wait_for_function(STILL)  # what fades away has no contrast
    # Not by a script tag: the page's own policy refuses it, as it should.
    page.evaluate(parts.axe())
    found: list[str] = page.evaluate(FIND_BARRIERS)
    over = page.evaluate(TOO_WIDE)
    return [*found, f"{over} px too wide"] if over > 0 else found
