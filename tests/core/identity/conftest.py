"""What tests of people share."""

from __future__ import annotations

from typing import Any

import pytest

from modelyard.core.identity import credentials
from modelyard.core.identity.models import User
from tests.factories import CHEAP_HASH, PASSWORD, Factories


@pytest.fixture
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hash and compare passwords without Argon2, which takes 100 ms: `hash of <password>`."""
    real = credentials.hash_password

    def hashed(password: str) -> str:
        monkeypatch.setattr(credentials, "_hasher", lambda: type("Quick", (), {"hash": lambda self, text: text})())
        return f"hash of {real(password)}"

    def matches(password: str, stored: str | None) -> bool:
        return stored == f"hash of {password}" or (stored == CHEAP_HASH and password == PASSWORD)

    monkeypatch.setattr(credentials, "hash_password", hashed)
    monkeypatch.setattr(credentials, "password_matches", matches)
    monkeypatch.setattr(credentials, "is_outdated", lambda stored: False)


@pytest.fixture
def ada(factories: Factories) -> User:
    return factories.user("ada")


@pytest.fixture
def root(factories: Factories) -> User:
    """An instance administrator."""
    return factories.user("root", is_instance_admin=True)


def stored(table: str) -> str:
    """All that a table holds."""
    from modelyard.core.db import database

    rows: Any = database.execute_sql(f'SELECT * FROM "{table}"').fetchall()
    return str(rows)
