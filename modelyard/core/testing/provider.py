"""What holds for every provider, whatever its interface."""

# ruff: noqa: D102, S101 - these are tests: their names say what they promise

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import pytest

from modelyard.core.interfaces import Health, Provider
from modelyard.core.plugin_providers import check_provider
from modelyard.core.provider_settings import secret_keys, secret_texts

_WATCHED = frozenset(
    {"open", "os.listdir", "os.mkdir", "os.remove", "os.rename", "os.scandir", "socket.connect", "socket.getaddrinfo"}
    | {"socket.bind", "sqlite3.connect", "subprocess.Popen"}
)
_CODE = (".py", ".pyc", ".so", ".pyd", "__pycache__")


class _Watch(threading.local):
    """What the present thread is caught at; audit hooks cannot be removed, so there is one, and it looks here."""

    seen: list[str] | None = None


_watch = _Watch()
_installed = threading.Lock()


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if _watch.seen is not None and event in _WATCHED:
        subject = str(arguments[0]) if arguments else ""
        if not subject.endswith(_CODE):
            _watch.seen.append(f"{event} {subject}")


@contextmanager
def watched_io() -> Iterator[list[str]]:
    """Collect the input and output that this thread does, as Python's audit events; reading code is none."""
    if _installed.acquire(blocking=False):
        sys.addaudithook(_audit)
    seen: list[str] = []
    _watch.seen = seen
    try:
        yield seen
    finally:
        _watch.seen = None


def assert_no_secret(provider: Provider, *texts: str) -> None:
    """Fail where a text holds the value of a secret setting of the provider."""
    hidden = secret_keys(type(provider).settings_schema)
    secrets = secret_texts({key: value for key, value in provider.settings.items() if key in hidden})
    for text in texts:
        assert not any(secret and secret in text for secret in secrets), "a secret is in what the provider says"


@pytest.mark.modelyard_contract
class ProviderContract:
    """The tests of all contracts; `provider` is the fixture of the one below."""

    kind: ClassVar[str]

    def test_the_class_is_taken_by_register(self, provider: Provider) -> None:
        entry = check_provider(self.kind, "conformance_kit", type(provider))

        assert entry.name == type(provider).name

    def test_its_settings_pass_its_own_schema(self, provider: Provider) -> None:
        schema = type(provider).settings_schema()
        given = schema.dump(provider.settings)

        assert schema.validate(given) == {}

    def test_building_it_does_no_input_or_output(self, provider: Provider) -> None:
        with watched_io() as seen:
            type(provider)(provider.settings)

        assert seen == []

    def test_it_is_well(self, provider: Provider) -> None:
        health = provider.health()

        assert isinstance(health, Health)
        assert isinstance(health.message, str)
        assert health.ok is True, health.message
