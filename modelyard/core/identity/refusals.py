"""Sign-ins that were refused, as events: at most one for each account and address in a quarter of an hour.

The first one is told at once; those that follow are counted, and told together when the time is over. An account that
does not exist is not named, since people type passwords into the wrong field, too: all such attempts from one address
count together.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modelyard.core.db import atomic, now_ms
from modelyard.core.events import Events
from modelyard.core.identity.actor import Actor, anonymous_actor
from modelyard.core.identity.models import SignInCount, User
from modelyard.core.identity.throttle import DAY_MS, PAIR, key_of, locked_counts, network_of
from modelyard.core.jobs import Lease, enqueue

TELL = "session.tell_refusals"
QUIET_MS = PAIR.longest_ms
UNKNOWN = "unknown account"


class Refusals:
    """Counts refusals and tells of them; of each count `blocked_until_ms` is until when nothing more is told."""

    def __init__(self, events: Events) -> None:
        self._events = events

    def note(self, user: User | None, *, address: str, request_id: str) -> None:
        """Count one more refusal; `user` is who it claimed to be, None for an account that does not exist."""
        network = network_of(address)
        whose = {"user": user.public_id if user else "", "name": user.username if user else UNKNOWN, "from": network}
        key = _key(whose)
        now = now_ms()
        with atomic():
            count = locked_counts([key])[key]
            count.failures += 1
            if count.blocked_until_ms <= now:
                self._tell(count, whose, anonymous_actor(request_id=request_id, address=address))
            elif count.failures == 1:
                wait_seconds = (count.blocked_until_ms - now) / 1000
                enqueue(TELL, whose, dedupe_key=f"{TELL}:{key}", after_seconds=wait_seconds)
            count.expires_at_ms = now + DAY_MS
            count.save()

    def tell_rest(self, lease: Lease, whose: Mapping[str, str]) -> None:
        """Tell of those that were counted since the last event; silent where there are none."""
        key = _key(whose)
        with atomic():
            lease.confirm()
            count = locked_counts([key])[key]
            if count.failures:
                self._tell(count, whose, anonymous_actor(request_id="", address=whose["from"]))
                count.save()

    def _tell(self, count: SignInCount, whose: Mapping[str, str], actor: Actor) -> None:
        self._events.record(
            "session.refused",
            actor=actor,
            object_id=whose["user"],
            object_name=whose["name"],
            after={"attempts": count.failures},
        )
        count.failures, count.blocked_until_ms = 0, now_ms() + QUIET_MS


def _key(whose: Mapping[str, Any]) -> str:
    return key_of("refused", whose["user"], whose["from"])
