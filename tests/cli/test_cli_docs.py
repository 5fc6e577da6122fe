"""docs/cli.md names every command, and its examples are commands that the real ones can read."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from modelyard.cli.main import cli
from tests.cli.tree import LEAVES

PAGE = (Path(__file__).parents[2] / "docs" / "cli.md").read_text("utf-8")
SECTIONS = dict(re.findall(r"^### `(modelyard [^`]+)`\n(.*?)(?=^##)", PAGE + "\n##", re.MULTILINE | re.DOTALL))
EXAMPLES = re.findall(r"^modelyard .+$", PAGE, re.MULTILINE)


def test_every_command_has_a_heading_and_no_other_has_one() -> None:
    assert sorted(SECTIONS) == sorted(LEAVES)


@pytest.mark.parametrize("path", LEAVES)
def test_every_command_has_an_example(path: str) -> None:
    words = path.split()[1:]
    examples = [shlex.split(line) for line in SECTIONS[path].splitlines() if line.startswith("modelyard ")]
    assert examples
    assert all(all(word in example for word in words) for example in examples)


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_can_be_read(example: str) -> None:
    words = shlex.split(example)[1:]
    context = cli.make_context("modelyard", words)
    while isinstance(context.command, click.Group):
        rest = [*context._protected_args, *context.args]
        name, command, rest = context.command.resolve_command(context, rest)
        assert command is not None
        context = command.make_context(name, rest, parent=context)
    assert not context.args


def test_the_links_of_the_page_lead_somewhere() -> None:
    headings = {re.sub(r"[^\w -]", "", line.lstrip("# ").lower()).replace(" ", "-") for line in PAGE.splitlines()}
    assert set(re.findall(r"\]\(#([^)]+)\)", PAGE)) <= headings
