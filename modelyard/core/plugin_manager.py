"""Loads plugins, keeps what they offer, and tells them what happened: pluggy behind typed verbs.

pluggy isolates nothing: one entry point that cannot be imported stops its loader, one raising implementation ends the
call for all. So entry points are loaded one by one, every plugin is called alone through a caller that leaves the
others out (argument matching stays pluggy's), and each call goes through the guard.

What goes wrong never stops the start; it is kept in the plugin's `PluginStatus` and logged. It stops the start only
through `require`, which the settings' choice of a provider goes through. A plugin is `failed` when nothing of it is in
use, and `loaded` with an error when a part of it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog

from modelyard.core import hookspecs
from modelyard.core.errors import (
    ConfigurationError,
    InvalidInput,
    NotFound,
    PluginError,
    PluginLoadError,
    PluginNotFound,
)
from modelyard.core.interfaces import Provider
from modelyard.core.plugin_guard import Guard
from modelyard.core.plugin_loading import Source, check_hooks, discover, import_plugin, load_error, new_pluggy
from modelyard.core.plugin_providers import INTERFACES, ProviderEntry, check_provider, refused
from modelyard.core.provider_settings import settings_json_schema

if TYPE_CHECKING:
    from modelyard.core.events import EventRecord

__all__ = ["KINDS", "MOMENTS", "PluginManager", "PluginStatus", "ProviderEntry", "settings_json_schema"]

KINDS = tuple(INTERFACES)
MOMENTS = tuple(sorted(set(hookspecs.MOMENT_OF_ACTION.values())))
MOMENT_DEADLINE_SECONDS = 30.0
_REGISTER_HOOKS = {
    "storage": "register_storages",
    "tracker": "register_trackers",
    "deployment_target": "register_deployment_targets",
    "notifier": "register_notifiers",
}

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class PluginStatus:
    """How a plugin stands: `state` is loaded, failed or disabled; `hint` says how to mend the `error`."""

    name: str
    distribution: str
    version: str
    state: str
    error: str | None = None
    hint: str | None = None
    hooks: tuple[str, ...] = ()
    providers: tuple[ProviderEntry, ...] = ()

    @property
    def moments(self) -> tuple[str, ...]:
        """Those of its hooks that are told what happened."""
        return tuple(hook for hook in self.hooks if hook in MOMENTS)


@dataclass(slots=True)
class _Plugin:
    source: Source
    state: str = "loaded"
    problems: list[tuple[str, str | None]] = field(default_factory=list)
    hooks: tuple[str, ...] = ()

    def fail(self, error: PluginError, *, state: str | None = None) -> None:
        self.state = state or self.state
        self.problems.append((error.message, error.hint))
        log.warning("plugin_problem", plugin=self.source.name, error=error.message, hint=error.hint)


class PluginManager:
    """All installed plugins, loaded when this is made; `guard` is the one that their providers are called through."""

    def __init__(
        self,
        disabled: frozenset[str] = frozenset(),
        load_deadline_seconds: float = 10.0,
        *,
        guard: Guard | None = None,
    ) -> None:
        self.guard = guard or Guard()
        self._load_deadline_seconds = load_deadline_seconds
        self._pluggy = new_pluggy()
        self._plugins: list[_Plugin] = []
        self._providers: dict[tuple[str, str], ProviderEntry] = {}
        self._subscribers: dict[str, tuple[str, ...]] = {}
        self._load(disabled)

    def plugins(self) -> list[PluginStatus]:
        """Every plugin that is installed, by name, with what it brings or why it does not."""
        return sorted(map(self._status, self._plugins), key=lambda status: (status.name, status.distribution))

    def plugin(self, name: str) -> PluginStatus:
        """One plugin by name; `NotFound` names those that are installed."""
        for status in self.plugins():
            if status.name == name:
                return status
        installed = _listed(plugin.source.name for plugin in self._plugins)
        raise NotFound(f"There is no plugin '{name}'.", hint=f"Installed: {installed}.")

    def providers(self, kind: str | None = None) -> list[ProviderEntry]:
        """All providers of one kind, or of all, by kind and name."""
        if kind is not None:
            _check_kind(kind)
        return [entry for key, entry in sorted(self._providers.items()) if kind in (None, key[0])]

    def provider(self, kind: str, name: str) -> ProviderEntry:
        """One provider; `PluginNotFound` says what there is, and why a plugin of that name did not load."""
        _check_kind(kind)
        entry = self._providers.get((kind, name))
        if entry is None:
            raise PluginNotFound(
                f"There is no {kind} provider '{name}'.",
                plugin=name,
                operation="find",
                hint=self._why_missing(kind, name),
            )
        return entry

    def require(self, kind: str, name: str) -> ProviderEntry:
        """Return the provider that a setting selects; `ConfigurationError` with reason and mend stops the start."""
        try:
            return self.provider(kind, name)
        except PluginNotFound as exc:
            raise ConfigurationError(
                f"The settings select the {kind} '{name}', which is not there.", hint=exc.hint, kind=kind, provider=name
            ) from None

    def subscribers(self, moment: str) -> list[str]:
        """The names of the plugins that are told of a moment."""
        if moment not in MOMENTS:
            raise InvalidInput(f"'{moment}' is no moment.", hint=f"Moments: {', '.join(MOMENTS)}.")
        return list(self._subscribers.get(moment, ()))

    def tell(self, plugin: str, moment: str, event: EventRecord) -> None:
        """Tell one plugin of a moment, within 30 seconds. Raises `PluginError` for whatever goes wrong in it."""
        if plugin not in self.subscribers(moment):
            raise PluginNotFound(
                f"The plugin '{plugin}' is not told of '{moment}'.",
                plugin=plugin,
                operation=moment,
                hint=f"Told of it: {_listed(self.subscribers(moment))}.",
            )
        self._call_alone(plugin, moment, MOMENT_DEADLINE_SECONDS, event=event)

    def startup(self, process: str) -> None:
        """Call each plugin's `startup`; what one raises becomes part of its status."""
        for plugin in self._plugins:
            if plugin.state == "loaded" and "startup" in plugin.hooks:
                try:
                    self._call_alone(plugin.source.name, "startup", self._load_deadline_seconds, process=process)
                except PluginError as exc:
                    plugin.fail(exc)

    def _load(self, disabled: frozenset[str]) -> None:
        for source in discover():
            plugin = _Plugin(source)
            self._plugins.append(plugin)
            if source.name in disabled:
                plugin.state = "disabled"
                continue
            try:
                self._register(plugin)
            except PluginError as exc:
                plugin.fail(exc, state="failed")
                continue
            self._collect_providers(plugin)
            if plugin.problems and not self._is_used(plugin):
                plugin.state = "failed"
        for name in sorted(disabled - {plugin.source.name for plugin in self._plugins}):
            log.warning("disabled_plugin_is_not_installed", plugin=name)
        for moment in MOMENTS:
            self._subscribers[moment] = tuple(
                sorted(
                    plugin.source.name
                    for plugin in self._plugins
                    if plugin.state == "loaded" and moment in plugin.hooks
                )
            )

    def _register(self, plugin: _Plugin) -> None:
        source = plugin.source
        taken = next(
            (other for other in self._plugins if other.source.name == source.name and other is not plugin), None
        )
        if taken is not None:
            problem = f"its name is taken by the one of the distribution '{taken.source.distribution}'"
            raise load_error(source, "register", problem, f"Uninstall one of them: pip uninstall {source.distribution}")
        limit = self._load_deadline_seconds
        loaded = self.guard.call(source.name, "import", import_plugin, source, deadline_seconds=limit)
        hooks = self.guard.call(source.name, "register", check_hooks, source, loaded, deadline_seconds=limit)
        try:
            self.guard.call(source.name, "register", self._pluggy.register, loaded, source.name, deadline_seconds=limit)
        except PluginError as exc:
            raise load_error(source, "register", exc.message, "Name each module in one entry point only.") from None
        plugin.hooks = hooks

    def _collect_providers(self, plugin: _Plugin) -> None:
        for kind, hook in _REGISTER_HOOKS.items():
            if hook in plugin.hooks:
                offered: dict[tuple[str, str], ProviderEntry] = {}
                refusals: list[PluginLoadError] = []
                register = self._registrar(plugin.source.name, kind, offered, refusals)
                try:
                    self._call_alone(plugin.source.name, hook, self._load_deadline_seconds, register=register)
                except PluginError as exc:
                    plugin.fail(exc)
                else:
                    for refusal in refusals:
                        plugin.fail(refusal)
                    self._providers |= offered

    def _registrar(
        self,
        plugin: str,
        kind: str,
        offered: dict[tuple[str, str], ProviderEntry],
        refusals: list[PluginLoadError],
    ) -> Callable[[type[Provider]], None]:
        """Make the `register` that one hook of one plugin gets. A refusal is kept, in case the plugin swallows it."""

        def register(cls: type[Provider]) -> None:
            try:
                entry = check_provider(kind, plugin, cls)
                key = (kind, entry.name)
                taken = self._providers.get(key) or offered.get(key)
                if taken is not None:
                    problem = f"the name '{entry.name}' is taken by the plugin '{taken.plugin}'"
                    raise refused(plugin, kind, cls.__name__, problem)
            except PluginLoadError as exc:
                refusals.append(exc)
                raise
            offered[key] = entry

        return register

    def _call_alone(self, plugin: str, hook: str, deadline_seconds: float, **arguments: Any) -> None:
        this = self._pluggy.get_plugin(plugin)
        others = [other for other in self._pluggy.get_plugins() if other is not this]
        caller = self._pluggy.subset_hook_caller(hook, others)
        self.guard.call(plugin, hook, partial(caller, **arguments), deadline_seconds=deadline_seconds)

    def _is_used(self, plugin: _Plugin) -> bool:
        others = set(plugin.hooks) - set(_REGISTER_HOOKS.values())
        return bool(others) or any(entry.plugin == plugin.source.name for entry in self._providers.values())

    def _status(self, plugin: _Plugin) -> PluginStatus:
        source = plugin.source
        in_use = plugin.state == "loaded"
        hints = [hint for _, hint in plugin.problems if hint]
        if plugin.state == "disabled":
            hints = [f"Take '{source.name}' out of the setting plugins.disabled (MODELYARD_PLUGINS_DISABLED)."]
        return PluginStatus(
            name=source.name,
            distribution=source.distribution,
            version=source.version,
            state=plugin.state,
            error=" ".join(error for error, _ in plugin.problems) or None,
            hint=" ".join(dict.fromkeys(hints)) or None,
            hooks=plugin.hooks if in_use else (),
            providers=tuple(entry for entry in self.providers() if entry.plugin == source.name) if in_use else (),
        )

    def _why_missing(self, kind: str, name: str) -> str:
        said = []
        for status in self.plugins():
            if status.name == name and (status.error or status.state != "loaded"):
                said += [status.error or f"The plugin '{name}' is {status.state}.", status.hint]
        said.append(f"There are: {_listed(entry.name for entry in self.providers(kind))}.")
        return " ".join(filter(None, said))


def _check_kind(kind: str) -> None:
    if kind not in KINDS:
        raise InvalidInput(f"'{kind}' is no kind of provider.", hint=f"Kinds: {', '.join(KINDS)}.")


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"
