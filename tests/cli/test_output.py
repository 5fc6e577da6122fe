from __future__ import annotations

import json
import math
import sys
from typing import Any

import click
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from modelyard.cli import output
from modelyard.cli.sparkline import BARS, WIDTH, sparkline

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(values)
def test_json_keeps_every_value_and_is_safe_to_print(value: Any) -> None:
    text = output.as_json(value)
    assert json.loads(text) == value
    assert not {"\x1b", "\x7f", "\x9b", "\u202e"} & set(text)
    text.encode()


def test_json_is_stable() -> None:
    assert output.as_json({"b": 1, "a": {"d": 1, "c": "é"}}) == output.as_json({"a": {"c": "é", "d": 1}, "b": 1})


@given(values)
def test_a_cell_is_one_line_without_commands(value: Any) -> None:
    text = output.cell(value)
    assert not {"\n", "\r", "\x1b", "\x07", "\t"} & set(text)
    text.encode()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (True, "yes"),
        (0.30000000000000004, "0.3"),
        (12345678, "12345678"),
        ("NaN", "NaN"),
        ("2026-01-02T03:04:05.678Z", "2026-01-02 03:04:05Z"),
        ({"id": "1", "name": "Default"}, "Default"),
        ({"auc": 0.9, "loss": "NaN"}, "auc=0.9, loss=NaN"),
        (["a", {"name": "b"}], "a, b"),
        ("two\nlines\there", "two lines here"),
    ],
)
def test_cells(value: Any, text: str) -> None:
    assert output.cell(value) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(None, ""), (0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (5 * 1024**3, "5.0 GiB"), (2**50, "1024.0 TiB")],
)
def test_sizes(count: int | None, text: str) -> None:
    assert output.size(count) == text


COLUMNS: list[output.Column] = [("Name", "name"), ("Size", lambda item: len(item["name"]))]


def _shown(items: Any, form: str = "table", **more: Any) -> Any:
    @click.command()
    def command() -> None:
        output.show_list(items, COLUMNS, form, empty="Nothing here.", **more)

    return CliRunner().invoke(command)


def test_a_pipe_gets_aligned_text() -> None:
    lines = _shown([{"name": "risk"}, {"name": "日本"}]).stdout.splitlines()
    assert lines == ["NAME  SIZE", "risk  4", "日本  2"]


def test_nothing_is_said_on_stderr_and_an_empty_list_is_json() -> None:
    assert _shown([]).stdout == ""
    assert _shown([]).stderr == "Nothing here.\n"
    assert _shown([], "json").stdout == "[]\n"


@pytest.mark.parametrize("form", ["table", "json"])
def test_more_than_the_limit_is_said(form: str) -> None:
    result = _shown(iter([{"name": str(number)} for number in range(9)]), form, limit=3)
    assert "more than these 3" in result.stderr
    assert _shown([{"name": "1"}], form, limit=1).stderr == ""


def test_a_terminal_gets_a_drawn_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "on_terminal", lambda: True)
    text = _shown([{"name": "[red]not markup[/red]"}]).stdout
    assert "[red]not markup[/red]" in text
    assert "─" in text


def test_a_pipe_is_no_terminal() -> None:
    @click.command()
    def command() -> None:
        click.echo(output.on_terminal())

    assert CliRunner().invoke(command).stdout == "False\n"
    assert sys.stdout is not None


@given(st.lists(st.floats(), max_size=300))
def test_a_sparkline_has_a_bar_for_each_value_that_fits(numbers: list[float]) -> None:
    line = sparkline(numbers)
    if all(math.isnan(number) for number in numbers):
        assert line == "no numbers"
        return
    bars = line.split("  min ")[0]
    assert len(bars) == min(len(numbers), WIDTH)
    assert set(bars) <= {*BARS, " "}


def test_a_sparkline_rises() -> None:
    assert sparkline([0, 1, 2, 3, 4, 5, 6, 7]).startswith("▁▂▃▄▅▆▇█  min 0  max 7  last 7")
    assert sparkline([1, 1]).startswith("▅▅")
    assert sparkline([0, math.nan, math.inf, -math.inf, 4]).startswith("▁ █▁█")
