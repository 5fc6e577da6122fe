"""Where settings come from: defaults, a TOML file, the environment, flags; the last one that speaks wins."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from modelyard.config.settings import Settings, declared_settings

CONNECTION_KEYS = {"organization", "name", "kind", "provider"}
OPTIONAL_CONNECTION_KEYS = {"project", "settings", "subscriptions", "enabled"}
CONNECTION_TYPES: dict[str, Any] = {"settings": {}, "subscriptions": [], "enabled": True}
CHOICES = {"log.level": ("DEBUG", "INFO", "WARNING", "ERROR"), "log.format": ("auto", "json", "console")}


class SettingError(ValueError):
    """A setting that cannot be taken: the text names it, its value, its origin and the mend."""


def load_settings(
    *,
    file: Path | None = None,
    environ: Mapping[str, str] | None = None,
    flags: Mapping[str, Any] | None = None,
) -> Settings:
    """Read all sources; raises `SettingError` for an unknown name or a value of another type.

    The file is `file`, else ``MODELYARD_CONFIG``, else ``modelyard.toml`` in the current folder where there is one.
    """
    environ = os.environ if environ is None else environ
    found: dict[str, tuple[Any, str]] = {}
    named = _settings_file(file, environ)
    tables = _tables(named)
    connections = _connections(tables.pop("connections", []), named)
    found.update(_from_file(tables, named))
    found.update(_from_environment(environ))
    found.update({key: (value, "flag") for key, value in (flags or {}).items() if value is not None})
    return replace(_build(found), connections=connections, file=named)


def _settings_file(file: Path | None, environ: Mapping[str, str]) -> Path | None:
    named = file or (Path(environ["MODELYARD_CONFIG"]) if environ.get("MODELYARD_CONFIG") else None)
    if named is None:
        here = Path("modelyard.toml")
        return here if here.is_file() else None
    if not named.is_file():
        raise SettingError(f"There is no settings file {named}. Create it, or leave out --config and MODELYARD_CONFIG.")
    return named


def _tables(file: Path | None) -> dict[str, Any]:
    if file is None:
        return {}
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingError(f"{file} is not TOML: {error}") from error


def _connections(tables: Any, file: Path | None) -> tuple[dict[str, Any], ...]:
    """Return the connections that a file declares; raises `SettingError` for a key that is missing or unknown."""
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise SettingError(f"'connections' in {file} is no list of tables. Write each under [[connections]].")
    for number, table in enumerate(tables, 1):
        missing, unknown = CONNECTION_KEYS - set(table), set(table) - CONNECTION_KEYS - OPTIONAL_CONNECTION_KEYS
        wrong = f"lacks {sorted(missing)}" if missing else f"has the unknown {sorted(unknown)}" if unknown else ""
        if wrong:
            raise SettingError(f"[[connections]] number {number} in {file} {wrong}.")
        for key, value in table.items():
            if type(value) is not type(CONNECTION_TYPES.get(key, "")):
                raise SettingError(f"{key} of [[connections]] number {number} in {file} is a {type(value).__name__}.")
    return tuple(tables)


def _from_file(tables: Mapping[str, Any], file: Path | None) -> dict[str, tuple[Any, str]]:
    known = {key for key, _ in declared_settings()}
    found = {}
    for section, table in tables.items():
        if not isinstance(table, dict):
            raise SettingError(f"{section!r} in {file} stands outside a table. Put it under [server], [database], ...")
        for name, value in table.items():
            key = f"{section}.{name}"
            if key not in known:
                raise SettingError(f"{file} sets {key!r}, which is no setting. `modelyard config show` lists them.")
            found[key] = (value, f"file {file}")
    return found


def _from_environment(environ: Mapping[str, str]) -> dict[str, tuple[Any, str]]:
    found = {}
    known = {"MODELYARD_" + key.replace(".", "_").upper(): key for key, _ in declared_settings()}
    sections = tuple({f"MODELYARD_{key.split('.')[0].upper()}_" for key in known.values()})
    for variable in environ:
        if variable.startswith(sections) and variable not in known:
            raise SettingError(f"{variable} is no setting. `modelyard config show` lists them.")
    for variable, key in known.items():
        if environ.get(variable, "") != "":
            found[key] = (environ[variable], f"environment {variable}")
    return found


def _build(found: Mapping[str, tuple[Any, str]]) -> Settings:
    sections: dict[str, dict[str, Any]] = {}
    wrong: list[str] = []
    for key, declared in declared_settings():
        if key in found:
            value, origin = found[key]
            section, name = key.split(".")
            try:
                sections.setdefault(section, {})[name] = _convert(key, value, declared, origin)
            except SettingError as error:
                wrong.append(str(error))
    if wrong:
        raise SettingError("\n".join(wrong))
    origins = {key: origin for key, (_, origin) in found.items()}
    factories: dict[str, Any] = {part.name: part.default_factory for part in fields(Settings)}
    return Settings(**{name: factories[name](**values) for name, values in sections.items()}, origins=origins)


def _convert(key: str, value: Any, declared: Any, origin: str) -> Any:
    """Turn what a source holds into the default's type."""
    default = declared.default
    if isinstance(default, tuple):
        parts = value.split(",") if isinstance(value, str) else value
        if not isinstance(parts, list | tuple) or not all(isinstance(part, str) for part in parts):
            raise SettingError(f"{key} = {value!r} (from {origin}) is not a list of texts.")
        return tuple(_text(key, part.strip(), declared, origin) for part in parts if part.strip())
    if isinstance(default, bool):
        return _truth(key, value, origin)
    if isinstance(default, Path):
        return Path(str(value)).expanduser()
    if isinstance(default, int) and not isinstance(value, bool):
        return _number(key, value, declared, origin)
    if isinstance(default, str) and isinstance(value, str):
        return _text(key, value, declared, origin) if value else value
    raise SettingError(f"{key} = {value!r} (from {origin}) is not a {type(default).__name__}.")


def _number(key: str, value: Any, declared: Any, origin: str) -> int:
    try:
        number = int(value)
    except (TypeError, ValueError):
        raise SettingError(f"{key} = {value!r} (from {origin}) is not a whole number.") from None
    least, most = declared.metadata["least"], declared.metadata["most"]
    if not least <= number <= most:
        raise SettingError(f"{key} = {number} (from {origin}) is not from {least} to {most}.")
    return number


def _text(key: str, text: str, declared: Any, origin: str) -> str:
    if key in CHOICES and text not in CHOICES[key]:
        raise SettingError(f"{key} = {text!r} (from {origin}) is none of {', '.join(CHOICES[key])}.")
    pattern, check = declared.metadata["pattern"], declared.metadata["check"]
    mend = f"Write it as {declared.metadata['example'] or declared.default!r} is."
    if pattern and not re.fullmatch(pattern, text):
        raise SettingError(f"{key} = {text!r} (from {origin}) cannot be taken. {mend}")
    if check is not None:
        try:
            check(text)
        except ValueError as error:
            raise SettingError(f"{key} = {text!r} (from {origin}): {error}. {mend}") from None
    return text


def _truth(key: str, value: Any, origin: str) -> bool:
    words = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}
    found = value if isinstance(value, bool) else words.get(value.lower()) if isinstance(value, str) else None
    if found is None:
        raise SettingError(f"{key} = {value!r} (from {origin}) is neither true nor false.")
    return found
