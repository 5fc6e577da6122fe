"""From an entry point to a plugin object whose hooks are known to fit: every check on the way.

All of this runs foreign code, so the plugin manager calls it under the guard. What is wrong is said by
`PluginLoadError`, with the mend as its hint.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points

import pluggy

from modelyard.core import hookspecs
from modelyard.core.errors import PluginLoadError
from modelyard.core.hookspecs import HOOK_API_VERSION

GROUP = "modelyard"


@dataclass(frozen=True, slots=True)
class Source:
    """Where a plugin comes from."""

    entry_point: EntryPoint
    name: str
    distribution: str
    version: str


def discover() -> list[Source]:
    """Find the entry points of all installed distributions; Modelyard's own first, so that nobody takes their names."""
    sources = []
    for entry_point in entry_points(group=GROUP):
        distribution = entry_point.dist
        name = str(distribution.metadata["Name"]) if distribution else "unknown"
        sources.append(Source(entry_point, entry_point.name, name, distribution.version if distribution else "unknown"))
    return sorted(sources, key=lambda source: (source.distribution != "modelyard", source.name, source.distribution))


def import_plugin(source: Source) -> object:
    """Import what the entry point names and check the API version it was written for."""
    try:
        plugin: object = source.entry_point.load()
        hash(plugin)
    except ModuleNotFoundError as exc:
        hint = _mend_of_missing_module(source, exc.name or "")
        raise load_error(source, "import", f"it needs the module '{exc.name}', which is missing", hint) from None
    except ImportError as exc:
        hint = f"Upgrade what it imports, or the plugin: pip install --upgrade {source.distribution}"
        raise load_error(source, "import", f"ImportError: {exc}", hint) from None
    except AttributeError as exc:
        hint = f"The entry point '{source.entry_point.value}' or the module behind it is wrong; tell its author."
        raise load_error(source, "import", f"AttributeError: {exc}", hint) from None
    _check_api_version(source, getattr(plugin, "HOOK_API_VERSION", HOOK_API_VERSION))
    return plugin


def _check_api_version(source: Source, declared: object) -> None:
    """Refuse a plugin that was written for other hooks; it says for which by a number, or a range of them."""
    fits: bool | None = None
    if type(declared) is int:
        fits = declared == HOOK_API_VERSION
    elif type(declared) is str:
        from packaging.specifiers import InvalidSpecifier, SpecifierSet  # here: few plugins declare a range

        with suppress(InvalidSpecifier):
            fits = SpecifierSet(declared).contains(str(HOOK_API_VERSION))
    if fits is None:
        problem = f"its HOOK_API_VERSION is {declared!r:.40}, which is no number and no range of numbers"
        raise load_error(source, "import", problem, f"Declare {HOOK_API_VERSION}, or a range such as '>=1,<2'.")
    if not fits:
        problem = f"it was written for hook API {declared!r:.40}, and this is {HOOK_API_VERSION}"
        hint = f"Install a release that fits: pip install --upgrade modelyard {source.distribution}"
        raise load_error(source, "import", problem, hint)


def new_pluggy() -> pluggy.PluginManager:
    """A pluggy manager that knows our hooks and no plugin."""
    manager = pluggy.PluginManager(hookspecs.hookspec.project_name)
    manager.add_hookspecs(hookspecs)
    return manager


def check_hooks(source: Source, plugin: object) -> tuple[str, ...]:
    """Register the plugin on trial, apart from all others, and return the names of its hooks."""
    trial = new_pluggy()
    try:
        trial.register(plugin, source.name)
    except pluggy.PluginValidationError as exc:
        fault = " ".join(str(exc).split())
        hint = "Give the function the hook's own arguments; docs/plugins.md lists them."
        raise load_error(source, "register", f"a hook does not fit: {fault}", hint) from None
    callers = trial.get_hookcallers(plugin) or []
    unknown = sorted(caller.name for caller in callers if not caller.has_spec() and not _all_optional(caller))
    if unknown:
        hint = f"Rename or remove it. Hooks: {', '.join(hook_names())}."
        raise load_error(source, "register", f"there is no hook {', '.join(map(repr, unknown))}", hint)
    return tuple(sorted(caller.name for caller in callers if caller.has_spec()))


def hook_names() -> list[str]:
    """Every hook there is."""
    return sorted(name for name in vars(hookspecs) if hasattr(getattr(hookspecs, name), "modelyard_spec"))


def _all_optional(caller: pluggy.HookCaller) -> bool:
    return all(implementation.optionalhook for implementation in caller.get_hookimpls())


def load_error(source: Source, operation: str, problem: str, hint: str) -> PluginLoadError:
    """The error for a plugin that cannot be used."""
    message = f"The plugin '{source.name}' was not loaded: {problem}."
    return PluginLoadError(message, plugin=source.name, operation=operation, hint=hint)


def _mend_of_missing_module(source: Source, module: str) -> str:
    """Say what to install: the requirement or extra of the plugin's distribution that brings it, else the module."""
    top = module.partition(".")[0]
    if module and source.entry_point.module.partition(".")[0] == top:
        return f"Install it again: pip install --force-reinstall {source.distribution}"
    requires = (source.entry_point.dist.requires or []) if source.entry_point.dist else []
    for requirement in requires:
        wanted, _, marker = requirement.partition(";")
        named = re.match(r"[A-Za-z0-9._-]+", wanted)
        if named and _same_name(named[0], top):
            extra = re.search(r"extra\s*==\s*['\"]([^'\"]+)['\"]", marker)
            target = f"{source.distribution}[{extra[1]}]" if extra else wanted.strip()
            return f"Install it: pip install '{target}'"
    extras = source.entry_point.dist.metadata.get_all("Provides-Extra", []) if source.entry_point.dist else []
    if source.name in extras:
        return f"Install it: pip install '{source.distribution}[{source.name}]'"
    return f"Install the distribution that brings it, most likely: pip install {top.replace('_', '-')}"


def _same_name(distribution: str, module: str) -> bool:
    return re.sub(r"[-_.]+", "-", distribution).lower() == re.sub(r"[-_.]+", "-", module).lower()
