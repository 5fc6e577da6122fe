"""Looks at one installed plugin in a process of its own: whatever it does there harms nobody.

`examine` starts the process and waits; run as a program, this module is the process. What the plugin is found to be
goes back through a file, as it may write to its standard output what it likes.
"""

from __future__ import annotations

import inspect
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from time import perf_counter
from typing import Any

from modelyard.core.errors import NotFound, PluginError
from modelyard.core.plugin_guard import Guard
from modelyard.core.plugin_loading import Source, discover, import_plugin

GRACE_SECONDS = 10.0
LIKE_SECRETS = ("token", "password", "secret", "api_key", "apikey", "credential")


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, and what to do about it."""

    what: str
    mend: str = ""


@dataclass(slots=True)
class Diagnosis:
    """What is known of a plugin after its examination; it is well where there are no problems."""

    name: str
    distribution: str
    version: str
    import_seconds: float | None = None
    hook_api: str = ""
    hooks: list[str] = field(default_factory=list)
    providers: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    advice: list[Problem] = field(default_factory=list)


def installed(name: str | None = None) -> list[Source]:
    """Return all installed plugins, or the one of that name; `NotFound` names those that are installed."""
    found = discover()
    if name is None:
        return found
    named = [source for source in found if source.name == name]
    if not named:
        names = ", ".join(sorted({source.name for source in found}))
        raise NotFound(f"There is no plugin {name!r}.", hint=f"Installed: {names}.")
    return named


def examine(source: Source, *, deadline_seconds: float) -> Diagnosis:
    """Look at a plugin in a fresh process, which is killed after the deadline and a grace of ten seconds."""
    empty = Diagnosis(source.name, source.distribution, source.version)
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "diagnosis.json"
        command = [sys.executable, "-m", "modelyard.core.plugin_doctor", source.name, source.distribution, str(answer)]
        process = subprocess.Popen(
            [*command, str(deadline_seconds)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            _, said = process.communicate(timeout=deadline_seconds + GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            what = f"It was not loaded within {deadline_seconds + GRACE_SECONDS:g} seconds, and was killed."
            empty.problems.append(Problem(what, "Ask its author, or switch it off by the setting plugins.disabled."))
            return empty
        if not answer.exists():
            last = said.decode("utf-8", "replace").strip().splitlines()[-1:] or ["it said nothing"]
            what = f"It ended the process that loaded it, with {process.returncode}: {last[0][:300]}"
            empty.problems.append(Problem(what, "Switch it off by the setting plugins.disabled, and tell its author."))
            return empty
        return _read(json.loads(answer.read_text("utf-8")))


def _read(told: dict[str, Any]) -> Diagnosis:
    for key in ("problems", "advice"):
        told[key] = [Problem(**each) for each in told[key]]
    return Diagnosis(**told)


def look(source: Source, *, deadline_seconds: float) -> Diagnosis:
    """Load a plugin in this process and say what is found: for a process that may be lost."""
    from modelyard.core.plugin_manager import PluginManager

    found = Diagnosis(source.name, source.distribution, source.version)
    found.problems += _requirements(source)
    began = perf_counter()
    try:
        plugin = Guard().call(source.name, "import", import_plugin, source, deadline_seconds=deadline_seconds)
    except PluginError as error:
        found.problems.append(Problem(error.message, error.hint or ""))
        return found
    found.import_seconds = round(perf_counter() - began, 3)
    found.hook_api = str(getattr(plugin, "HOOK_API_VERSION", ""))
    others = {other.name for other in discover() if other.distribution != "modelyard"} - {source.name}
    manager = PluginManager(frozenset(others), deadline_seconds)
    mine = (source.name, source.distribution)
    status = next(each for each in manager.plugins() if (each.name, each.distribution) == mine)
    if status.error:
        found.problems.append(Problem(status.error, status.hint or ""))
    found.hooks = list(status.hooks)
    for entry in status.providers:
        found.providers.append(f"{entry.kind}:{entry.name}")
        found.problems += _signatures(entry.kind, entry.cls)
        found.advice += _settings_advice(entry)
    return found


def _requirements(source: Source) -> Iterator[Problem]:
    """Compare what the distribution requires with what is installed; extras are the user's choice."""
    from packaging.requirements import InvalidRequirement, Requirement

    for text in (source.entry_point.dist.requires or []) if source.entry_point.dist else []:
        try:
            wanted = Requirement(text)
        except InvalidRequirement:
            yield Problem(f"Its requirement {text!r:.100} cannot be read.", "Tell its author.")
            continue
        if wanted.marker is not None and not wanted.marker.evaluate({"extra": ""}):
            continue
        line = f"pip install '{wanted.name}{wanted.specifier}'"
        try:
            present = version(wanted.name)
        except PackageNotFoundError:
            yield Problem(f"It requires {wanted.name}, which is not installed.", line)
            continue
        if not wanted.specifier.contains(present, prereleases=True):
            yield Problem(f"It requires {wanted.name}{wanted.specifier}; {present} is installed.", line)


def _signatures(kind: str, cls: type[Any]) -> Iterator[Problem]:
    """Find methods that cannot be called as the interface promises."""
    from modelyard.core.plugin_providers import INTERFACES

    interface = INTERFACES[kind]
    for name in sorted(interface.__abstractmethods__):
        promised, given = inspect.signature(getattr(interface, name)), inspect.signature(getattr(cls, name))
        kinds = {each.name: each.kind for each in promised.parameters.values()}
        positional = [each for each, kind_ in kinds.items() if kind_ is not inspect.Parameter.KEYWORD_ONLY]
        keywords = dict.fromkeys(each for each in kinds if each not in positional)
        try:
            given.bind(*positional, **keywords)
        except TypeError as error:
            what = f"{cls.__name__}.{name}{given} cannot be called as {name}{promised}: {error}."
            yield Problem(what, "Give the method the interface's parameters.")


def _settings_advice(entry: Any) -> Iterator[Problem]:
    for name, described in entry.json_schema.get("properties", {}).items():
        where = f"The setting {name!r} of {entry.kind}:{entry.name}"
        if name not in entry.secret_keys and name.lower().endswith(LIKE_SECRETS):
            yield Problem(f"{where} looks like a secret.", 'If it is one, mark it: metadata={"secret": True}.')
        if not described.get("title"):
            yield Problem(f"{where} has no label.", 'Give its field metadata={"title": ..., "description": ...}.')


def main(arguments: list[str]) -> None:
    """Look at the plugin that the arguments name, and write what is found to the file that they name."""
    name, distribution, file, seconds = arguments
    source = next(each for each in discover() if (each.name, each.distribution) == (name, distribution))
    found = look(source, deadline_seconds=float(seconds))
    new = Path(f"{file}.new")
    new.write_text(json.dumps(asdict(found)), "utf-8")
    new.replace(file)
    sys.stderr.flush()
    os._exit(0)  # a plugin's threads would be waited for


if __name__ == "__main__":
    main(sys.argv[1:])
