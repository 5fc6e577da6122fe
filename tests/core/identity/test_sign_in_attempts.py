"""Attempts to sign in at a provider: sealed, short, taken up once, and never a way to another site."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from modelyard.core import db
from modelyard.core.bootstrap import Services
from modelyard.core.errors import AuthenticationRequired, InvalidInput
from modelyard.core.identity import sign_in_attempts
from modelyard.core.identity.models import UsedAttempt
from modelyard.core.identity.sign_in_attempts import SignInAttempts, check_local_path
from modelyard.core.secret_box import SecretBox


@pytest.fixture
def attempts(services: Services) -> SignInAttempts:
    return services.sign_in_attempts


def test_an_attempt_comes_back_once(attempts: SignInAttempts) -> None:
    attempt, sealed = attempts.begin("/acme/churn/runs?x=1#top")
    assert attempt.code_verifier not in sealed
    assert attempts.take_up(sealed, attempt.state) == attempt
    with pytest.raises(AuthenticationRequired, match="come back before"):
        attempts.take_up(sealed, attempt.state)
    assert [row.state_hash == attempt.state for row in UsedAttempt.select()] == [False]


def test_no_attempt_is_like_another(attempts: SignInAttempts) -> None:
    made = [attempts.begin("/")[0] for _ in range(20)]
    for field in ("state", "nonce", "code_verifier"):
        values = {getattr(attempt, field) for attempt in made}
        assert len(values) == 20
        assert min(map(len, values)) >= 43


def test_only_the_browser_that_began_it_goes_on(attempts: SignInAttempts) -> None:
    mine, sealed = attempts.begin("/")
    other, _ = attempts.begin("/")
    elsewhere = SignInAttempts(SecretBox([Fernet.generate_key().decode()])).begin("/")[1]
    for cookie, state in [(sealed, other.state), (sealed, ""), ("", mine.state), ("", ""), (elsewhere, mine.state),
                          ("ü", mine.state), (sealed[:-2], mine.state), (sealed, "ü\ud800")]:  # fmt: skip
        with pytest.raises(AuthenticationRequired, match="began no such"):
            attempts.take_up(cookie, state)
    assert UsedAttempt.select().count() == 0
    assert attempts.take_up(sealed, mine.state)


def test_another_secret_of_ours_is_no_attempt(settings: Any) -> None:
    box = SecretBox([Fernet.generate_key().decode()])
    with pytest.raises(AuthenticationRequired):
        SignInAttempts(box).take_up(box.seal({"password": "x"}) or "", "x")


def test_an_attempt_ends_after_ten_minutes_and_is_forgotten(
    attempts: SignInAttempts, monkeypatch: pytest.MonkeyPatch
) -> None:
    used, sealed_used = attempts.begin("/")
    late, sealed_late = attempts.begin("/")
    attempts.take_up(sealed_used, used.state)
    monkeypatch.setattr(sign_in_attempts, "now_ms", lambda: db.now_ms() + 601_000)
    for attempt, sealed in ((used, sealed_used), (late, sealed_late)):
        with pytest.raises(AuthenticationRequired, match="ten minutes"):
            attempts.take_up(sealed, attempt.state)
    new, sealed = attempts.begin("/")
    assert attempts.take_up(sealed, new.state) == dataclasses.replace(new)
    assert UsedAttempt.select().count() == 1


@pytest.mark.parametrize(
    "path",
    ["", "runs", "https://evil.example", "//evil.example", "///evil.example", "/\\evil.example", "\\\\evil.example",
     "/\t/evil.example", "\t//evil.example", " //evil.example", "/ok\r\nSet-Cookie: a=b", "javascript:alert(1)",
     "/ok\x00", "http:evil.example", "//[", "/\x7f"],
)  # fmt: skip
def test_a_path_that_may_leave_this_server_is_refused(path: str) -> None:
    with pytest.raises(InvalidInput, match="no path of this server"):
        check_local_path(path)


@given(st.text())
def test_whatever_passes_stays_here(path: str) -> None:
    try:
        kept = check_local_path(path)
    except InvalidInput:
        return
    assert kept == path
    assert kept[0] == "/"
    assert kept[1:2] not in {"/", "\\"}
