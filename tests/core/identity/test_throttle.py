"""Guessing passwords is slow, from one place and from many, and nobody is locked out by it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from modelyard.core import db
from modelyard.core.bootstrap import Services
from modelyard.core.errors import AuthenticationRequired, TooManyRequests
from modelyard.core.identity import credentials, throttle
from modelyard.core.identity.models import Session, SignInCount
from tests.factories import PASSWORD, Factories

on_sqlite = pytest.mark.parametrize("database_kind", ["sqlite"])
HOME, AWAY = "192.0.2.1", "203.0.113.9"


class Clock:
    """The throttle's clock, which a test moves."""

    def __init__(self) -> None:
        self.now = db.now_ms()

    def __call__(self) -> int:
        return self.now

    def wait(self, *, seconds: float = 0, days: float = 0) -> None:
        self.now += int(seconds * 1000 + days * throttle.DAY_MS)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(throttle, "now_ms", clock)
    return clock


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compare passwords without Argon2: what is looked at here is how often one may."""
    monkeypatch.setattr(credentials, "password_matches", lambda given, stored: bool(stored) and given == PASSWORD)


def fail(username: str = "ada", address: str = AWAY, *, times: int = 1) -> None:
    for _ in range(times):
        throttle.begin_attempt(username, address)


def wait_of(username: str = "ada", address: str = AWAY) -> int:
    """How long an attempt is told to wait; 0 for one that is let through."""
    try:
        throttle.begin_attempt(username, address)
    except TooManyRequests as refused:
        return refused.retry_after_seconds
    return 0


@pytest.mark.usefixtures("services")
def test_the_wait_doubles_and_ends(clock: Clock) -> None:
    fail(times=throttle.PAIR.free)
    waits = []
    for _ in range(12):
        waits.append(wait_of())
        assert wait_of() == waits[-1]  # being refused costs nothing
        clock.wait(seconds=waits[-1])
        fail()
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]
    clock.wait(days=1.1)
    assert [wait_of() for _ in range(4)] == [0, 0, 0, 0]


@pytest.mark.usefixtures("quick", "clock")
def test_the_right_password_is_refused_too(services: Services, factories: Factories) -> None:
    factories.user("ada")
    where: dict[str, Any] = {"address": AWAY, "user_agent": "", "request_id": ""}
    told: dict[str, list[str]] = {"ada": [], "nobody": []}
    for username, words in told.items():
        for password in [*["wrong"] * 7, PASSWORD]:
            with pytest.raises((AuthenticationRequired, TooManyRequests)) as refused:
                services.sessions.sign_in(username, password, **where)
            words.append(str(refused.value))
    assert told["ada"] == told["nobody"]
    assert [text.startswith("There were too many") for text in told["ada"]] == [False] * 5 + [True] * 3
    assert Session.select().count() == 0


@pytest.mark.usefixtures("quick")
def test_signing_in_clears_the_accounts_count(services: Services, factories: Factories, clock: Clock) -> None:
    factories.user("ada")
    for _ in range(5):
        fail("Ada", HOME, times=5)
        clock.wait(seconds=1)
        services.sessions.sign_in("ada", PASSWORD, address=HOME, user_agent="", request_id="")
    assert wait_of("ada", HOME) == 0


@pytest.mark.usefixtures("services")
def test_an_attacker_elsewhere_does_not_lock_the_owner_out(clock: Clock) -> None:
    throttle.begin_attempt("ada", HOME).succeeded()
    for number in range(40):
        clock.wait(seconds=wait_of(address=f"203.0.113.{number}"))
    assert wait_of(address="198.51.100.1") > 0
    assert wait_of(address=HOME) == 0
    assert throttle.ACCOUNT.longest_ms <= 60_000
    assert wait_of(address="198.51.100.1") <= 60
    throttle.begin_attempt("ada", HOME).succeeded()
    assert wait_of(address="198.51.100.1") == 0  # the owner's success clears the account's count


@pytest.mark.usefixtures("services")
def test_an_address_is_known_for_a_while_only(clock: Clock) -> None:
    throttle.begin_attempt("ada", HOME).succeeded()
    clock.wait(days=91)
    fail(address=AWAY, times=5)
    for number in range(20):
        wait_of(address=f"203.0.113.{number}")
    assert wait_of(address=HOME) > 0


@on_sqlite
@pytest.mark.usefixtures("services", "clock")
def test_one_address_cannot_try_one_password_on_everybody() -> None:
    for number in range(throttle.ADDRESS.free):
        assert wait_of(f"user{number}") == 0
    assert wait_of("one-more") == 1
    assert wait_of("one-more", HOME) == 0


@on_sqlite
@pytest.mark.usefixtures("services", "clock")
def test_successes_do_not_wear_an_address_out() -> None:
    for number in range(throttle.ADDRESS.free + 5):
        throttle.begin_attempt(f"user{number}", HOME).succeeded()
    assert wait_of("one-more", HOME) == 0


@on_sqlite
@pytest.mark.usefixtures("services", "clock")
def test_one_hosts_ipv6_addresses_are_one() -> None:
    fail(address="2001:db8::1", times=5)
    assert wait_of(address="2001:db8::ffff:1") == 1
    assert wait_of(address="2001:db8:0:1::1") == 0
    fail("bo", "::ffff:192.0.2.1", times=5)
    assert wait_of("bo", HOME) == 1


@pytest.mark.usefixtures("services", "clock")
def test_many_at_once_gain_nothing() -> None:
    let_through: list[int] = []

    def attempt() -> None:
        with db.connection(), counted(let_through):
            throttle.begin_attempt("ada", AWAY)

    threads = [threading.Thread(target=attempt) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(let_through) == throttle.PAIR.free


@contextmanager
def counted(found: list[int]) -> Iterator[None]:
    try:
        yield
        found.append(1)
    except TooManyRequests:
        pass
    finally:
        if not db.database.is_closed() and not db.is_postgresql():
            db.database.close()


@pytest.mark.usefixtures("services")
def test_nobody_reads_whom_it_was_about() -> None:
    throttle.begin_attempt("ada", HOME).succeeded()
    fail("my secret password in the wrong field", HOME)
    stored = str(db.database.execute_sql("SELECT * FROM sign_in_count").fetchall())
    assert not any(text in stored for text in ("ada'", "secret", HOME))


@pytest.mark.usefixtures("services")
def test_counts_are_swept(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(10):
        fail(f"user{number}", AWAY)
    throttle.begin_attempt("ada", HOME).succeeded()
    assert SignInCount.select().count() == 21 + 3
    clock.wait(days=2)
    fail("bo", HOME)
    assert SignInCount.select().count() == 1 + 3  # what is known of ada's address stays
    monkeypatch.setattr(throttle, "MOST_COUNTS", 20)
    for number in range(30):
        fail(f"user{number}", AWAY)
    assert SignInCount.select().count() <= 22
    assert SignInCount.select().where(SignInCount.succeeded_at_ms.is_null(False)).count() == 1


@pytest.mark.usefixtures("services", "clock")
def test_odd_names_are_counted_like_others() -> None:
    for name in ("\ud800", "a\0b", "x" * 10_000, ""):
        fail(name, "", times=5)
        assert wait_of(name, "") == 1
