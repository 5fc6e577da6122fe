"""Encryption of connections' secrets: Fernet, newest key first, keys in the settings or a file for our eyes only."""

from __future__ import annotations

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
    """Seals and opens small JSON objects."""

    def __init__(self, keys: Sequence[str]) -> None:
        try:
            self._fernet = MultiFernet([Fernet(key) for key in keys])
        except ValueError:
            raise ConfigurationError(
                "secret.keys holds something that is no Fernet key.",
                hint="A key is 32 random bytes in URL-safe base64; delete it or correct it.",
            ) from None

    def seal(self, values: Mapping[str, Any]) -> str | None:
        """Encrypt; None for nothing to hide."""
        return self._fernet.encrypt(json.dumps(dict(values)).encode()).decode() if values else None

    def open(self, sealed: str | None) -> dict[str, Any]:
        """Decrypt what `seal` made; raises `ConfigurationError` where none of the keys opens it."""
        if sealed is None:
            return {}
        try:
            opened: dict[str, Any] = json.loads(self._fernet.decrypt(sealed.encode()))
            return opened
        except InvalidToken:
            raise ConfigurationError(
                "None of this server's keys opens a stored secret.",
                hint="Give the key that it was written with in MODELYARD_SECRET_KEYS.",
            ) from None


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
    return [line for line in file.read_text("ascii").split() if line]
