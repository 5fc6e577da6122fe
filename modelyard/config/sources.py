"""Where settings come from: defaults, a TOML file, the environment, flags; the last one that speaks wins."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from modelyard.config.settings import Settings, declared_settings

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
    found.update(_from_file(_settings_file(file, environ)))
    found.update(_from_environment(environ))
    found.update({key: (value, "flag") for key, value in (flags or {}).items() if value is not None})
    return _build(found)


def _settings_file(file: Path | None, environ: Mapping[str, str]) -> Path | None:
    named = file or (Path(environ["MODELYARD_CONFIG"]) if environ.get("MODELYARD_CONFIG") else None)
    if named is None:
        here = Path("modelyard.toml")
        return here if here.is_file() else None
    if not named.is_file():
        raise SettingError(f"There is no settings file {named}. Create it, or leave out --config and MODELYARD_CONFIG.")
    return named


def _from_file(file: Path | None) -> dict[str, tuple[Any, str]]:
    if file is None:
        return {}
    try:
        tables = tomllib.loads(file.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingError(f"{file} is not TOML: {error}") from error
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
    for key, declared in declared_settings():
        if key in found:
            value, origin = found[key]
            section, name = key.split(".")
            sections.setdefault(section, {})[name] = _convert(key, value, declared, origin)
    origins = {key: origin for key, (_, origin) in found.items()}
    factories: dict[str, Any] = {part.name: part.default_factory for part in fields(Settings)}
    return Settings(**{name: factories[name](**values) for name, values in sections.items()}, origins=origins)


def _convert(key: str, value: Any, declared: Any, origin: str) -> Any:
    """Turn what a source holds into the default's type."""
    default = declared.default
    if isinstance(default, tuple):
        parts = value.split(",") if isinstance(value, str) else value
        if isinstance(parts, list | tuple) and all(isinstance(part, str) for part in parts):
            return tuple(part.strip() for part in parts if part.strip())
        raise SettingError(f"{key} = {value!r} (from {origin}) is not a list of texts.")
    if isinstance(default, bool):
        return _truth(key, value, origin)
    if isinstance(default, Path):
        return Path(str(value)).expanduser()
    if isinstance(default, int) and not isinstance(value, bool):
        try:
            number = int(value)
        except (TypeError, ValueError):
            raise SettingError(f"{key} = {value!r} (from {origin}) is not a whole number.") from None
        least, most = declared.metadata["least"], declared.metadata["most"]
        if not least <= number <= most:
            raise SettingError(f"{key} = {number} (from {origin}) is not from {least} to {most}.")
        return number
    if isinstance(default, str) and isinstance(value, str):
        if key in CHOICES and value not in CHOICES[key]:
            raise SettingError(f"{key} = {value!r} (from {origin}) is none of {', '.join(CHOICES[key])}.")
        return value
    raise SettingError(f"{key} = {value!r} (from {origin}) is not a {type(default).__name__}.")


def _truth(key: str, value: Any, origin: str) -> bool:
    words = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}
    found = value if isinstance(value, bool) else words.get(value.lower()) if isinstance(value, str) else None
    if found is None:
        raise SettingError(f"{key} = {value!r} (from {origin}) is neither true nor false.")
    return found
