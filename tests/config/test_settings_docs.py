"""docs/settings.md has a row for every setting, with the variable, default and description that are declared."""

from __future__ import annotations

import re
from dataclasses import Field
from pathlib import Path
from typing import Any

import pytest

from modelyard.config.settings import declared_settings

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "settings.md").read_text("utf-8")
ROWS = {
    row[0].strip("` "): [cell.strip() for cell in row[1:]]
    for row in re.findall(r"^\| (`[a-z_]+\.[a-z_]+`) \| (.*?) \| (.*?) \| (.*) \|$", PAGE, re.MULTILINE)
}


@pytest.mark.parametrize(("key", "declared"), [*declared_settings()])
def test_every_setting_has_its_row(key: str, declared: Field[Any]) -> None:
    variable, default, description = ROWS[key]
    assert variable == f"`MODELYARD_{key.replace('.', '_').upper()}`"
    assert default == ("none" if declared.default in ((), "") else f"`{declared.default}`")
    assert description.startswith(declared.metadata["description"])
    assert ("Secret" in description) is declared.metadata["secret"]


def test_no_row_is_left_over() -> None:
    assert set(ROWS) == {key for key, _ in declared_settings()}


def test_every_variable_of_the_command_line_is_there() -> None:
    sources = [*(ROOT / "modelyard" / "cli").rglob("*.py"), *(ROOT / "modelyard" / "client").rglob("*.py")]
    sources.append(ROOT / "modelyard" / "config" / "sources.py")
    read = {name for file in sources for name in re.findall(r'"(MODELYARD_[A-Z_]+[A-Z])"', file.read_text("utf-8"))}
    assert len(read) > 5
    assert all(f"`{name}`" in PAGE for name in read)
