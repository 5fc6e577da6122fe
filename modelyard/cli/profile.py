"""Login profiles: which server, which token, which project; kept in one file that only its owner can read."""

from __future__ import annotations

import json
import os
import tempfile
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from modelyard.cli.errors import ProfileError

DEFAULT_NAME = "default"


@dataclass(frozen=True, slots=True)
class Profile:
    """One login; `project` is the ``ORG/PROJECT`` that commands work in unless told otherwise.

    Of all profiles the one that is `in_use` is taken where none is named.
    """

    url: str
    token: str = field(default="", repr=False)
    username: str = ""
    project: str = ""
    in_use: bool = False


def profile_file() -> Path:
    """Return MODELYARD_PROFILE_FILE, else `modelyard/profiles.toml` in the user's configuration folder."""
    named = os.environ.get("MODELYARD_PROFILE_FILE")
    if named:
        return Path(named).expanduser()
    return Path(os.environ.get("XDG_CONFIG_HOME") or "~/.config").expanduser() / "modelyard" / "profiles.toml"


def load_profiles() -> dict[str, Profile]:
    """Return all profiles by name."""
    return _read()


def name_in_use() -> str:
    """Return the name of the profile that is taken where none is named."""
    return next((name for name, profile in _read().items() if profile.in_use), DEFAULT_NAME)


def use_profile(name: str) -> Profile:
    """Take this profile from now on where none is named; raises `ProfileError` where there is none of that name."""
    profiles = _read()
    if name not in profiles:
        known = ", ".join(profiles) or "none"
        raise ProfileError(f"There is no profile {name!r}; there are: {known}. `modelyard login URL` makes one.")
    _write({key: replace(profile, in_use=key == name) for key, profile in profiles.items()})
    return profiles[name]


def load_profile(name: str) -> Profile | None:
    """Return a profile, None where there is none of that name."""
    return _read().get(name)


def save_profile(name: str, profile: Profile) -> Path:
    """Write a profile in place of the one of that name; the file is written whole or not at all, for its owner."""
    profiles = _read()
    before = profiles.get(name)
    return _write({**profiles, name: replace(profile, in_use=before is not None and before.in_use)})


def remove_profile(name: str) -> None:
    """Forget a profile; silent where there is none."""
    profiles = _read()
    if profiles.pop(name, None) is not None:
        _write(profiles)


def _read() -> dict[str, Profile]:
    file = profile_file()
    try:
        tables = tomllib.loads(file.read_text("utf-8"))
        return {name: Profile(**table) for name, table in tables.items()}
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, TypeError) as error:
        raise ProfileError(f"The profiles in {file} cannot be read: {error}. Mend or remove the file.") from error


def _write(profiles: Mapping[str, Profile]) -> Path:
    file = profile_file().resolve()
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor, temporary = tempfile.mkstemp(dir=file.parent, prefix=".profiles-")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as written:
            written.write(_as_toml(profiles))
            written.flush()
            os.fsync(written.fileno())
        Path(temporary).replace(file)
    finally:
        Path(temporary).unlink(missing_ok=True)
    return file


def _as_toml(profiles: Mapping[str, Profile]) -> str:
    tables = []
    for name, profile in profiles.items():
        kept = {key: value for key, value in asdict(profile).items() if value}
        lines = [f"{key} = {'true' if value is True else _text(value)}\n" for key, value in kept.items()]
        tables.append(f"[{_text(name)}]\n{''.join(lines)}")
    return "\n".join(tables)


def _text(value: str) -> str:
    """Write a basic string of TOML, which is JSON's but for DEL."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
