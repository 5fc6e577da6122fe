"""The check of a provider class that a plugin offers, and the entry that is kept of it.

Looking at a class runs foreign code, so the plugin manager does it under the guard.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from inspect import isabstract
from typing import Any

from marshmallow import Schema

from modelyard.core.errors import PluginLoadError
from modelyard.core.interfaces import DeploymentTarget, Notifier, Provider, Storage, Tracker
from modelyard.core.provider_settings import free_keys, secret_keys, settings_json_schema

INTERFACES: dict[str, type[Any]] = {
    "storage": Storage,
    "tracker": Tracker,
    "deployment_target": DeploymentTarget,
    "notifier": Notifier,
}
_PROVIDER_NAME = re.compile(r"[a-z0-9_]+")


@dataclass(frozen=True, slots=True)
class ProviderEntry:
    """A provider class that a plugin has registered, with what its settings look like.

    `secret_keys` are its secret settings, `free_keys` those that do not decide where a secret is sent.
    """

    kind: str
    name: str
    plugin: str
    cls: type[Provider]
    json_schema: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)
    secret_keys: frozenset[str] = frozenset()
    free_keys: frozenset[str] = frozenset()

    @property
    def title(self) -> str:
        """What people call it."""
        return self.cls.title

    @property
    def capabilities(self) -> frozenset[str]:
        """What it can do besides the interface."""
        return self.cls.capabilities


def check_provider(kind: str, plugin: str, cls: object) -> ProviderEntry:
    """Return the entry for a class that keeps the contract of its kind; the error names plugin, class and fault."""
    interface = INTERFACES[kind]
    if not isinstance(cls, type) or not issubclass(cls, interface):
        what = cls.__name__ if isinstance(cls, type) else f"an object of type {type(cls).__name__}"
        raise refused(plugin, kind, what, f"it is no subclass of modelyard.{interface.__name__}")
    provider: type[Provider] = cls
    faults = list(_faults(provider))
    if faults:
        raise refused(plugin, kind, cls.__name__, "; ".join(faults))
    try:
        described = settings_json_schema(provider)
        hidden, free = secret_keys(provider.settings_schema), free_keys(provider.settings_schema)
    except Exception as exc:  # noqa: BLE001 - a schema is foreign code; the guard around us bounds what is said of it
        problem = f"its settings_schema cannot be described: {type(exc).__name__}: {exc}"
        raise refused(plugin, kind, cls.__name__, problem) from None
    return ProviderEntry(kind, provider.name, plugin, provider, described, hidden, free)


def _faults(cls: type[Provider]) -> Iterator[str]:
    if isabstract(cls):
        yield f"abstract methods are left: {', '.join(sorted(cls.__abstractmethods__))}"
    name: Any = getattr(cls, "name", None)
    if not isinstance(name, str) or not _PROVIDER_NAME.fullmatch(name) or len(name) > 63:
        yield f"name must match [a-z0-9_]+ with at most 63 characters, not {name!r:.80}"
    title: Any = getattr(cls, "title", None)
    if not isinstance(title, str) or not title.strip():
        yield "title must be a text for people"
    schema: Any = getattr(cls, "settings_schema", None)
    if not isinstance(schema, type) or not issubclass(schema, Schema):
        yield "settings_schema must be a marshmallow Schema class"
    capabilities: Any = getattr(cls, "capabilities", None)
    if not isinstance(capabilities, frozenset) or not all(isinstance(word, str) for word in capabilities):
        yield "capabilities must be a frozenset of str"


def refused(plugin: str, kind: str, class_name: str, problem: str) -> PluginLoadError:
    """The error for a class that may not be registered."""
    message = f"The plugin '{plugin}' offers the {kind} class {class_name}, which is refused: {problem}."
    return PluginLoadError(message, plugin=plugin, operation="register", hint="Mend the class, or ask its author to.")
