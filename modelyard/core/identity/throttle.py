"""Slows down whoever guesses passwords; the counts are rows, so that they hold for all server processes together.

An attempt counts as failed from its beginning and is taken back when the password was right, so that many at once gain
nothing. Attempts that are refused count nowhere: the wait does not grow by them, and it always ends.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network

from modelyard.core.db import atomic, database, is_postgresql, locked, now_ms
from modelyard.core.errors import TooManyRequests, Unavailable
from modelyard.core.identity.models import SignInCount

DAY_MS = 24 * 3600 * 1000
KNOWN_ADDRESS_MS = 90 * DAY_MS
MOST_COUNTS = 300_000
PRUNED_AT_ONCE = 100
MOST_TRIES = 5


@dataclass(frozen=True, slots=True)
class Limit:
    """After `free` failures each further attempt waits: 1 s, then twice as long each time, up to `longest_ms`."""

    free: int
    longest_ms: int

    def wait_ms(self, failures: int) -> int:
        """Return how long the next attempt has to wait after so many failures."""
        over = min(failures - self.free, 30)
        return 0 if over < 0 else min(1000 * 2**over, self.longest_ms)


PAIR = Limit(free=5, longest_ms=15 * 60_000)
"""One account from one address."""
ACCOUNT = Limit(free=20, longest_ms=60_000)
"""One account from all addresses that it has not signed in from: looser, since it is its owner who has to wait."""
ADDRESS = Limit(free=100, longest_ms=15 * 60_000)
"""One address, whatever the account."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try at a password that was let through; `counted` are the keys of the counts that it raised."""

    pair: str
    account: str
    counted: tuple[str, ...]

    def succeeded(self) -> None:
        """Clear what counts against the account here, take this attempt off the address, and know the address."""
        now = now_ms()
        with atomic():
            for key, row in locked_counts({self.account, *self.counted}).items():
                if key in {self.pair, self.account}:
                    row.failures = row.blocked_until_ms = 0
                else:
                    row.failures = max(0, row.failures - 1)
                    row.blocked_until_ms = row.blocked_until_ms if ADDRESS.wait_ms(row.failures) else 0
                if key == self.pair:
                    row.succeeded_at_ms, row.expires_at_ms = now, now + KNOWN_ADDRESS_MS
                row.save()


def begin_attempt(username: str, address: str) -> Attempt:
    """Let a try at the account's password through, or raise `TooManyRequests`, for unknown accounts just as for others.

    An address from which the account signed in before is held back by its own failures alone, so that nobody
    elsewhere locks its owner out.
    """
    network = network_of(address)
    pair, account, place = (
        key_of(*parts) for parts in (("pair", username, network), ("account", username), (network,))
    )
    limits = {pair: PAIR, account: ACCOUNT, place: ADDRESS}
    now = now_ms()
    with atomic():
        rows = locked_counts(limits)
        counted = (pair,) if rows[pair].succeeded_at_ms is not None else (pair, account, place)
        wait_ms = max(rows[key].blocked_until_ms - now for key in counted)
        if wait_ms > 0:
            seconds = -(-wait_ms // 1000)
            raise TooManyRequests(
                "There were too many failed sign-ins.", hint=f"Try again in {seconds} s.", retry_after_seconds=seconds
            )
        for key in counted:
            row = rows[key]
            row.failures += 1
            row.blocked_until_ms = now + limits[key].wait_ms(row.failures)
            row.expires_at_ms = max(row.expires_at_ms, now + DAY_MS)
            row.save()
    with atomic():  # of its own: who deletes counts while holding others may wait for somebody who waits for these
        _prune(now)
    return Attempt(pair, account, counted)


def forget_failures(username: str, address: str) -> None:
    """Clear what counts against the account, at this address and at all that it has not signed in from."""
    keys = [key_of("pair", username, network_of(address)), key_of("account", username)]
    with atomic():
        mine = SignInCount.key_hash.in_(keys)
        SignInCount.update(failures=0, blocked_until_ms=0).where(mine).execute()


def locked_counts(keys: Iterable[str]) -> dict[str, SignInCount]:
    """Return the counts under these keys, made where they are missing, locked until the transaction ends."""
    wanted = sorted(keys)
    if is_postgresql():  # rows that are not there yet cannot be locked in order; their keys can
        for key in wanted:
            number = int.from_bytes(bytes.fromhex(key[:16]), "big", signed=True)
            database.execute_sql("SELECT pg_advisory_xact_lock(%s)", (number,))
    for _ in range(MOST_TRIES):
        mine = SignInCount.select().where(SignInCount.key_hash.in_(wanted)).order_by(SignInCount.key_hash)
        rows = {row.key_hash: row for row in locked(mine)}
        missing = [key for key in wanted if key not in rows]
        if not missing:
            return {key: _unless_expired(row) for key, row in rows.items()}
        for key in missing:
            SignInCount.insert(key_hash=key, expires_at_ms=now_ms() + DAY_MS).on_conflict_ignore().execute()
    raise Unavailable("Too many sign-ins are being counted.", hint="Try again in a moment.")


def _unless_expired(row: SignInCount) -> SignInCount:
    if row.expires_at_ms < now_ms():
        row.failures, row.blocked_until_ms, row.succeeded_at_ms = 0, 0, None
    return row


def _prune(now: int) -> None:
    """Delete some of the counts that have expired, and of the oldest where there are too many; known addresses stay."""
    newest = SignInCount.select(SignInCount.id).order_by(SignInCount.id.desc()).limit(1).scalar()
    crowded_out = (SignInCount.id <= newest - MOST_COUNTS) & SignInCount.succeeded_at_ms.is_null()
    for too_old in (SignInCount.expires_at_ms < now, crowded_out):
        found = SignInCount.select(SignInCount.id).where(too_old).limit(PRUNED_AT_ONCE)
        if is_postgresql():
            found = found.for_update(skip_locked=True)
        ids = [row.id for row in found]
        if ids:
            SignInCount.delete().where(SignInCount.id.in_(ids)).execute()


def network_of(address: str) -> str:
    """Return what counts as one address: of IPv6 the /64, which one host has for itself."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        return str(parsed.ipv4_mapped or ip_network((int(parsed) >> 64 << 64, 64)))
    return address


def key_of(*parts: str) -> str:
    """Hash what is counted: people type passwords into the wrong field, too."""
    return hashlib.sha256("\0".join(parts).lower().encode("utf-8", "surrogatepass")).hexdigest()
