"""Answers that are kept for a day, so that a request sent twice under one key changes things once.

The answer is stored in the transaction of the change that it tells of: either both are there after a crash, or neither.
It may hold a secret that is shown once, such as a new token, and is therefore encrypted.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from peewee import BigIntegerField, CharField, TextField

from modelyard.core.db import Table, now_ms
from modelyard.core.errors import InvalidInput
from modelyard.core.secret_box import SecretBox

KEPT_MS = 24 * 3600 * 1000


class IdempotentAnswer(Table):
    """What was answered to a request, with the hash that tells whether a later one under the key is the same.

    Both are encrypted: a plain hash of a request with a password in it would be a quick way to guess that.
    """

    actor = CharField(max_length=100)
    route_hash = CharField(max_length=64)
    key = CharField(max_length=255)
    encrypted_answer = TextField()
    created_at_ms = BigIntegerField(default=now_ms, index=True)

    class Meta:
        indexes = ((("actor", "route_hash", "key"), True),)


@dataclass(frozen=True, slots=True)
class KeyedRequest:
    """One request under a key, by one actor to one route."""

    actor: str
    route: str
    key: str
    content: bytes

    @property
    def route_hash(self) -> str:
        """The route in a fixed length."""
        return hashlib.sha256(self.route.encode()).hexdigest()

    @property
    def request_hash(self) -> str:
        """What must be the same for it to be the same request."""
        return hashlib.sha256(self.content).hexdigest()


class IdempotencyService:
    """Keeps and finds answers."""

    def __init__(self, secrets: SecretBox) -> None:
        self._secrets = secrets

    def find(self, keyed: KeyedRequest) -> dict[str, Any] | None:
        """Return the answer that was kept in the last 24 hours; `InvalidInput` where the key was another request's."""
        found = IdempotentAnswer.get_or_none(
            IdempotentAnswer.actor == keyed.actor,
            IdempotentAnswer.route_hash == keyed.route_hash,
            IdempotentAnswer.key == keyed.key,
            IdempotentAnswer.created_at_ms > now_ms() - KEPT_MS,
        )
        if found is None:
            return None
        kept = self._secrets.open(found.encrypted_answer)
        if kept.pop("request_hash") != keyed.request_hash:
            raise InvalidInput(
                f"The Idempotency-Key {keyed.key!r} was used for another request within 24 hours.",
                hint="Make a new key for each thing that is to be done.",
                field="Idempotency-Key",
            )
        return kept

    def keep(self, keyed: KeyedRequest, answer: dict[str, Any]) -> None:
        """Keep the answer, in the transaction of the change; peewee's `IntegrityError` where another kept one first."""
        IdempotentAnswer.delete().where(IdempotentAnswer.created_at_ms <= now_ms() - KEPT_MS).execute()
        IdempotentAnswer.create(
            actor=keyed.actor,
            route_hash=keyed.route_hash,
            key=keyed.key,
            encrypted_answer=self._secrets.seal({**answer, "request_hash": keyed.request_hash}),
        )
