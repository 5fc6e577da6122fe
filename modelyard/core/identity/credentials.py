"""Secrets that people and programs show: hashing of passwords, making and reading of tokens."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
import threading
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from modelyard.core.errors import InvalidInput, Unavailable

SHORTEST_PASSWORD = 10
LONGEST_PASSWORD = 1024
TOKEN = re.compile(r"my_(?P<public_id>[0-9a-f]{32})_(?P<secret>[\x21-\x7e]+)")


CONCURRENT_HASHES = threading.BoundedSemaphore(max(1, os.cpu_count() or 1))
"""Argon2id takes 64 MiB and a core for each check: more at once than there are cores would only use up the memory."""
PATIENCE_SECONDS = 5


@cache
def _hasher() -> PasswordHasher:
    return PasswordHasher()


@cache
def _nobodys_hash() -> str:
    return _hasher().hash(secrets.token_urlsafe(16))


def hash_password(password: str) -> str:
    """Hash with Argon2id at argon2-cffi's defaults (some 100 ms); raises `InvalidInput` for one that is no good."""
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise InvalidInput(
            f"The password has {len(password)} characters; {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} are allowed.",
            field="password",
        )
    if "\0" in password or not _is_text(password):
        raise InvalidInput("The password holds NUL or half of a surrogate pair.", hint="Take it out.", field="password")
    return _hasher().hash(password)


def password_matches(password: str, stored: str | None) -> bool:
    """Compare; where there is no such user (`stored` is None) it takes as long and says False.

    As many are checked at once as there are cores; whoever waits 5 s for that gets `Unavailable`.
    """
    if not _is_text(password):
        password, stored = "", None
    if not CONCURRENT_HASHES.acquire(timeout=PATIENCE_SECONDS):
        raise Unavailable("Too many sign-ins are being checked.", hint="Try again in a moment.")
    try:
        return _hasher().verify(stored or _nobodys_hash(), password[:LONGEST_PASSWORD]) and stored is not None
    except (VerificationError, InvalidHashError):
        return False
    finally:
        CONCURRENT_HASHES.release()


def is_outdated(stored: str) -> bool:
    """Say whether the password was hashed with other parameters than those of today."""
    return _hasher().check_needs_rehash(stored)


def hash_again(password: str) -> str:
    """Hash a password that was right, with today's parameters, whatever today's rules for new ones are."""
    return _hasher().hash(password[:LONGEST_PASSWORD])


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def new_secret() -> str:
    """Make the random part of a session or token: 32 bytes."""
    return secrets.token_urlsafe(32)


def hash_secret(secret: str) -> str:
    """Hash a random secret; SHA-256 is enough for 32 random bytes."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def secret_matches(secret: str, stored: str) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(hash_secret(secret), stored)


def write_token(public_id: str, secret: str) -> str:
    """Put a token together: ``my_<id>_<secret>``."""
    return f"my_{public_id}_{secret}"


def read_token(token: str) -> tuple[str, str] | None:
    """Take a token apart into id and secret; None for what is no token of ours."""
    parts = TOKEN.fullmatch(token)
    return (parts["public_id"], parts["secret"]) if parts else None
