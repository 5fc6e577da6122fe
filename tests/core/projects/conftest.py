"""Providers of a stranger's, offered by the platform as if they were installed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any, ClassVar

import pytest
from marshmallow import Schema, fields, validate

from modelyard import DeploymentTarget, Health, Notification, Notifier, ReplicaSpec, ReplicaStatus, Storage, StoredFile
from modelyard.core.bootstrap import Services
from modelyard.core.errors import NotFound, PluginUnavailable
from modelyard.core.plugin_providers import check_provider


class PagerSettings(Schema):
    """A number to call, and what opens the line."""

    number = fields.Integer(required=True, validate=validate.Range(min=1))
    token = fields.String(load_default=None, metadata={"secret": True})
    pin = fields.Integer(load_default=None, metadata={"secret": True})


class Pager(Notifier):
    """Says what it was given, as careless plugins do."""

    name = "pager"
    title = "Pager"
    settings_schema = PagerSettings
    sent: ClassVar[list[Notification]] = []

    def health(self) -> Health:
        return Health(True, f"called {self.settings['number']} with {self.settings['token']}")

    def send(self, notification: Notification) -> None:
        if self.settings["number"] == 666:
            raise PluginUnavailable(f"no line for {self.settings['token']}", plugin="pager", operation="send")
        self.sent.append(notification)


class Stuck(Notifier):
    """Cannot be built until `go` is set."""

    name = "stuck"
    title = "Stuck"
    begun: ClassVar[threading.Event] = threading.Event()
    go: ClassVar[threading.Event] = threading.Event()

    def __init__(self, settings: Any) -> None:
        super().__init__(settings)
        self.begun.set()
        self.go.wait()

    def health(self) -> Health:
        return Health(True)

    def send(self, notification: Notification) -> None:
        """Nothing."""


class Shelf(Storage):
    """Files in memory, for all who connect it."""

    name = "shelf"
    title = "Shelf"
    files: ClassVar[dict[str, bytes]] = {}

    def health(self) -> Health:
        return Health(True)

    def write(self, path: str, chunks: Iterable[bytes]) -> StoredFile:
        self.files[path] = b"".join(chunks)
        return StoredFile(path, len(self.files[path]))

    def read(self, path: str, *, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        yield self.files[path][offset:][:length]

    def stat(self, path: str) -> StoredFile:
        if path not in self.files:
            raise NotFound(f"There is no file {path!r}.")
        return StoredFile(path, len(self.files[path]))

    def list(self, path: str) -> Iterable[StoredFile]:
        return [StoredFile(name, 1) for name in self.files if name.startswith(path)]

    def delete(self, path: str) -> None:
        self.files.pop(path, None)


class Rack(DeploymentTarget):
    """Runs nothing."""

    name = "rack"
    title = "Rack"

    def health(self) -> Health:
        return Health(True)

    def start(self, spec: ReplicaSpec) -> ReplicaStatus:
        return ReplicaStatus("starting")

    def observe(self, spec: ReplicaSpec) -> ReplicaStatus:
        return ReplicaStatus("absent")

    def stop(self, spec: ReplicaSpec) -> None:
        """Nothing runs."""

    def logs(self, spec: ReplicaSpec, *, lines: int = 200) -> str:
        return ""


class HostRack(Rack):
    """Runs on the server's host."""

    name = "host_rack"
    capabilities = frozenset({"runs_on_server_host"})


@pytest.fixture
def offer(services: Services, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, type], None]:
    """Offer one more provider."""

    def add(kind: str, cls: type) -> None:
        monkeypatch.setitem(services.plugins._providers, (kind, cls.name), check_provider(kind, "fakes", cls))  # type: ignore[attr-defined]

    return add


@pytest.fixture
def fakes(offer: Callable[[str, type], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Offer those above."""
    monkeypatch.setattr(Pager, "sent", [])
    monkeypatch.setattr(Shelf, "files", {})
    for name in ("begun", "go"):
        monkeypatch.setattr(Stuck, name, threading.Event())
    for kind, cls in (
        ("notifier", Pager),
        ("notifier", Stuck),
        ("storage", Shelf),
        ("deployment_target", Rack),
        ("deployment_target", HostRack),
    ):
        offer(kind, cls)
