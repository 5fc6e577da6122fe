"""Names that people choose, and what may not stand in one."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import quote, unquote

import pytest
from hypothesis import given
from hypothesis.strategies import from_regex, text

from modelyard.core.errors import InvalidInput
from modelyard.core.names import MAX_SLUG, RESERVED_SLUGS, check_name, check_slug, check_text, check_username


def refusal(check: Callable[..., str], *arguments: str) -> InvalidInput | None:
    """What the check refuses with, or nothing."""
    try:
        check(*arguments)
    except InvalidInput as error:
        return error
    return None


@given(from_regex(r"\A[a-z0-9](-?[a-z0-9]){0,31}\Z").filter(lambda slug: slug not in RESERVED_SLUGS))
def test_a_slug_is_taken_as_it_is(slug: str) -> None:
    assert check_slug(slug, "slug") == slug
    assert quote(slug, safe="") == slug


@given(text(max_size=70))
def test_a_slug_stands_in_an_address_or_is_refused(value: str) -> None:
    refused = refusal(check_slug, value, "slug")
    if refused is not None:
        assert refused.details["field"] == "slug"
        refused.message.encode()
        return
    assert re.fullmatch(r"[a-z0-9-]+", value, re.ASCII)
    assert len(value) <= MAX_SLUG
    assert not value.startswith("-")
    assert not value.endswith("-")


@pytest.mark.parametrize(
    "slug", ["", "-", "a-", "-a", "a--b", "A", "a_b", "a.b", "a b", "a/b", "..", "ä", "a\n", "٣", "a" * 64, "a\0"]
)
def test_what_is_no_slug(slug: str) -> None:
    with pytest.raises(InvalidInput, match="is not a slug"):
        check_slug(slug, "slug")


@pytest.mark.parametrize("slug", sorted(RESERVED_SLUGS))
def test_addresses_of_our_own_are_reserved(slug: str) -> None:
    with pytest.raises(InvalidInput, match="reserved"):
        check_slug(slug, "slug")


def test_a_long_wrong_slug_is_quoted_in_part() -> None:
    with pytest.raises(InvalidInput) as refused:
        check_slug("x" * 1_000_000, "slug")
    assert len(str(refused.value)) < 300


@given(text(max_size=70))
def test_a_username_is_one_in_lower_case_or_refused(value: str) -> None:
    refused = refusal(check_username, value)
    if refused is not None:
        assert refused.details["field"] == "username"
        return
    name = check_username(value)
    assert name == value.lower() == check_username(name)
    assert re.fullmatch(r"[a-z0-9._-]+", name, re.ASCII)


@given(text(max_size=50))
def test_a_name_survives_an_address_or_is_refused(value: str) -> None:
    refused = refusal(check_name, value, "name")
    if refused is not None:
        assert refused.details["field"] == "name"
        return
    assert unquote(quote(value, safe="")) == value
    assert "/" not in value
    assert value.splitlines() == [value]
    assert value == value.strip()


@pytest.mark.parametrize(
    "name",
    ["", " a", "a ", "a/b", "a:b", "a\nb", "a\tb", "a\0b", "\ud800", ".", "..", "a\u2028b", "a\u2029b", "a\x85b"],
)
def test_what_is_no_name(name: str) -> None:
    with pytest.raises(InvalidInput):
        check_name(name, "name")


@pytest.mark.parametrize("name", ["a", "...", "a.b", "risk model (v2) 🦊", "漢字", "50%", "a" * 255, "#?&=+"])
def test_what_is_merely_odd(name: str) -> None:
    assert check_name(name, "name") == name


@pytest.mark.parametrize("bad", ["\0", "\x01", "\x1b", "\x7f", "\x9f", "\udfff"])
def test_control_characters_and_half_pairs_are_refused_and_named(bad: str) -> None:
    with pytest.raises(InvalidInput, match=f"U\\+{ord(bad):04X}"):
        check_text(f"a{bad}b", "description", longest=10)


def test_text_keeps_its_lines_and_its_length() -> None:
    assert check_text("a\n\tb\r\n🦊", "description", longest=7) == "a\n\tb\r\n🦊"
    with pytest.raises(InvalidInput, match="8 characters; 1 to 7 are allowed"):
        check_text("12345678", "description", longest=7, shortest=1)
    with pytest.raises(InvalidInput):
        check_text("", "description", longest=7, shortest=1)
