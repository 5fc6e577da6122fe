"""The documentation cannot fall behind: every hook, error, table and page that it points to is there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from modelyard.core import hookspecs, outgoing
from modelyard.core.errors import ModelyardError
from modelyard.web.errors import STATUS
from tests.cli.test_cli_docs import test_every_example_can_be_read as read_example

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def subclasses(cls: type[ModelyardError]) -> Iterator[type[ModelyardError]]:
    yield cls
    for child in cls.__subclasses__():
        yield from subclasses(child)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+?)(?:#[^)]*)?\)", page.read_text("utf-8")):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_every_page_is_reached_from_the_readme() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    assert [page.name for page in (ROOT / "docs").glob("*.md") if f"docs/{page.name}" not in readme] == []


def test_every_error_code_is_documented() -> None:
    assert outgoing.AddressRefused  # its module declares errors of its own
    text = (ROOT / "docs" / "api.md").read_text("utf-8")
    mine = {cls for cls in subclasses(ModelyardError) if cls.__module__.startswith("modelyard.core.errors")}
    assert set(STATUS) >= mine
    assert sorted({cls.code for cls in mine if f"`{cls.code}`" not in text}) == []


def test_every_hook_has_its_heading() -> None:
    text = (ROOT / "docs" / "plugins.md").read_text("utf-8")
    hooks = [name for name in vars(hookspecs) if hasattr(getattr(hookspecs, name), "modelyard_spec")]
    assert hooks
    assert [hook for hook in hooks if not re.search(rf"^#+ .*{hook}", text, re.MULTILINE)] == []


def test_every_moment_is_a_hook() -> None:
    assert {moment for moment in hookspecs.MOMENT_OF_ACTION.values() if not hasattr(hookspecs, moment)} == set()


def test_no_page_names_this_machine() -> None:
    for page in PAGES:
        assert not re.search(r"(?<![\w.])/(?:tmp|root|home)/", page.read_text("utf-8")), page.name


def commands_of(page: Path) -> list[str]:
    lines = re.findall(r"^    (?:\w+=\S+ )?(modelyard .+?)(?:  +#.*)?$", page.read_text("utf-8"), re.MULTILINE)
    return [line for line in lines if page.name != "cli.md"]


@pytest.mark.parametrize("line", [line for page in PAGES for line in commands_of(page)])
def test_every_command_of_a_page_can_be_read(line: str) -> None:
    read_example(line)
