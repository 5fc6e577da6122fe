"""Encryption of connections' secrets: Fernet, newest key first, keys in the settings or a file for our eyes only."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from modelyard.core.errors import ConfigurationError

KEY_FILE = "secret.keys"


class SecretBox:
    """Seals and opens small JSON objects. What is sealed names its key: ``<key id>.<Fernet token>``.

    With a key `file` it notices a key that another process has put there: before it seals, and when it is to open
    something that names a key it does not know.
    """

    def __init__(self, keys: Sequence[str], *, file: Path | None = None) -> None:
        self._file = file
        self._seen = self._stamp()
        self._use(keys)

    @property
    def newest(self) -> str:
        """The id of the key that seals."""
        return next(iter(self._keys))

    def seal(self, values: Mapping[str, Any]) -> str | None:
        """Encrypt; None for nothing to hide."""
        if not values:
            return None
        self._notice_new_keys()
        newest, fernet = next(iter(self._keys.items()))
        return f"{newest}.{fernet.encrypt(json.dumps(dict(values)).encode()).decode()}"

    def open(self, sealed: str | None) -> dict[str, Any]:
        """Decrypt what `seal` made; raises `ConfigurationError` where none of the keys opens it."""
        if sealed is None:
            return {}
        named, dot, token = sealed.rpartition(".")
        if named not in self._keys and self._file is not None:
            self._notice_new_keys()
        known = self._keys
        keys = [known[named]] if named in known else [] if dot else list(known.values())
        try:
            opened: dict[str, Any] = json.loads(MultiFernet(keys).decrypt(token.encode()))
            return opened
        except (InvalidToken, ValueError):
            raise ConfigurationError(
                "None of this server's keys opens a stored secret.",
                hint="Give the key that it was written with in MODELYARD_SECRET_KEYS.",
            ) from None

    def _use(self, keys: Sequence[str]) -> None:
        try:
            found = {key_id(key): Fernet(key) for key in keys}
            MultiFernet(list(found.values()))
            self._keys = found
        except ValueError:
            raise ConfigurationError(
                "secret.keys holds something that is no Fernet key.",
                hint="A key is 32 random bytes in URL-safe base64; delete it or correct it.",
            ) from None

    def _notice_new_keys(self) -> None:
        stamp = self._stamp()
        if self._file is not None and stamp not in (None, self._seen):
            self._use(read_keys(self._file))
            self._seen = stamp

    def _stamp(self) -> tuple[int, ...] | None:
        """Return what changes with each key file: each is a new file that takes the place of the last."""
        try:
            found = self._file.stat() if self._file is not None else None
        except OSError:
            return None
        return (found.st_ino, found.st_mtime_ns, found.st_size) if found else None


def key_id(key: str) -> str:
    """The name of a key, which tells nothing of it."""
    return hashlib.sha256(b"modelyard key " + key.encode()).hexdigest()[:8]


def read_keys(file: Path) -> list[str]:
    """Return the keys of a key file, newest first."""
    return [line for line in file.read_text("ascii").split() if line]


def load_keys(configured: Sequence[str], data_directory: Path, *, may_create: bool = True) -> Sequence[str]:
    """Return the keys of the settings, else those of the key file, which is made at first use (mode 0600).

    Raises `ConfigurationError` where the file is gone and, as there are secrets already, none may be made.
    """
    if configured:
        return configured
    file = data_directory / KEY_FILE
    if not file.exists() and not may_create:
        raise ConfigurationError(
            f"The database holds secrets, but their key {file} is gone.",
            hint="Put it back, or give the key in MODELYARD_SECRET_KEYS.",
        )
    data_directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not file.exists():
        new = data_directory / f"{KEY_FILE}.{secrets.token_hex(8)}"
        descriptor = os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(Fernet.generate_key() + b"\n")
            stream.flush()
            os.fsync(stream.fileno())
        with suppress(FileExistsError):  # another process was first; its keys count
            os.link(new, file)
        new.unlink()
    return read_keys(file)
