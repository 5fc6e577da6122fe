from __future__ import annotations

from collections.abc import Iterator

import pytest

from modelyard.client import Client
from tests.fake_api import FakeApi, running

TOKEN = "my_0198_secret"


@pytest.fixture
def api() -> Iterator[FakeApi]:
    with running() as fake:
        yield fake


@pytest.fixture
def slept() -> list[float]:
    return []


@pytest.fixture
def client(api: FakeApi, slept: list[float]) -> Iterator[Client]:
    with Client(api.url, TOKEN, sleep=slept.append) as made:
        yield made
