"""Every setting of Modelyard: its type, default, description, and where a value came from.

A setting is `section.name`; the environment variable is ``MODELYARD_SECTION_NAME``, and in the settings file it is
`name` in the table ``[section]``. Nothing is read when this module is imported, and there is no global: pass the
object.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import quote

MOST_SERVER_PROCESSES = 8


def setting(default: Any, description: str, *, secret: bool = False, least: int = 0, most: int = 2**31 - 1) -> Any:
    """Declare one setting; without a description it cannot be declared. `least` and `most` bound a number."""
    return field(default=default, metadata={"description": description, "secret": secret, "least": least, "most": most})


@dataclass(frozen=True, kw_only=True)
class DataSettings:
    """Where this server keeps its files."""

    directory: Path = setting(
        Path("modelyard-data"), "Folder of the SQLite database, artifacts, replicas, keys and the lock of this server."
    )


@dataclass(frozen=True, kw_only=True)
class DatabaseSettings:
    """The database."""

    url: str = setting(
        "",
        "`sqlite:///PATH` or `postgresql://USER:PASSWORD@HOST:PORT/NAME`; empty is `modelyard.db` in the data folder.",
        secret=True,
    )
    pool_size: int = setting(
        8, "Connections of each process to PostgreSQL at most (SQLite: one for each thread).", least=1, most=1000
    )
    pool_timeout_seconds: int = setting(
        10, "How long a request waits for a connection before it answers 503.", least=1, most=3600
    )


@dataclass(frozen=True, kw_only=True)
class ServerSettings:
    """The HTTP server."""

    host: str = setting("127.0.0.1", "Address to listen on; loopback unless you say otherwise.")
    port: int = setting(5000, "Port to listen on; 0 takes any free one.", most=65535)
    public_url: str = setting("", "Address by which users reach this server; empty is http://HOST:PORT.")
    workers: int = setting(0, "Server processes; 0 is one on SQLite and one for each core (at most 8) on PostgreSQL.")
    threads: int = setting(64, "Threads of each server process.", least=1, most=10000)
    max_body_bytes: int = setting(
        4 * 1024 * 1024, "Largest body of an API request; artifacts have their own limit.", least=1024
    )
    max_artifact_bytes: int = setting(
        100 * 1024**3, "Largest artifact that one upload may bring.", least=1, most=1152921504606846976
    )
    session_hours: int = setting(14 * 24, "How long a sign-in lasts without use, in hours.", least=1, most=87600)


@dataclass(frozen=True, kw_only=True)
class WorkerSettings:
    """The job worker."""

    threads: int = setting(
        4,
        "Jobs and deliveries that one worker does at once; one thread is kept for jobs.",
        least=2,
        most=10000,
    )
    lease_seconds: int = setting(
        15, "A job whose worker was silent for so long is taken up by another one.", least=1, most=3600
    )
    max_attempts: int = setting(
        8, "How often a failing job or delivery is tried before it counts as failed.", least=1, most=1000
    )


@dataclass(frozen=True, kw_only=True)
class PluginSettings:
    """Plugins."""

    disabled: tuple[str, ...] = setting((), "Entry points that are not loaded, separated by commas.")
    load_deadline_seconds: int = setting(10, "How long the import of one plugin may take.", least=1, most=3600)
    breaker_failures: int = setting(
        5, "After how many failures in a row a connection is left alone for a while.", least=1, most=1000
    )
    breaker_pause_seconds: int = setting(
        30, "For how long, before it is tried once more; twice as long after each failed trial.", least=1, most=300
    )
    trace: bool = setting(False, "Log each call into a plugin; never what is in it. `log.level = DEBUG` does so too.")
    storage: str = setting("local_files", "Storage of projects that have no connection of their own.")
    tracker: str = setting("sql", "Tracker of projects that have no connection of their own.")


@dataclass(frozen=True, kw_only=True)
class OutgoingSettings:
    """Calls to addresses that users gave."""

    allowed_networks: tuple[str, ...] = setting(
        (),
        "Private networks that webhooks may reach, as CIDR, separated by commas; public addresses are always allowed.",
    )


@dataclass(frozen=True, kw_only=True)
class SecretSettings:
    """Encryption of connections' secrets."""

    keys: tuple[str, ...] = setting(
        (),
        "Fernet keys, newest first, separated by commas; empty is the file secret.keys in the data folder.",
        secret=True,
    )


@dataclass(frozen=True, kw_only=True)
class OidcSettings:
    """Sign-in with an OpenID Connect provider."""

    issuer: str = setting("", "The provider's address, as its discovery document names it; empty is no such sign-in.")
    client_id: str = setting("", "How the provider knows this server.")
    client_secret: str = setting("", "The password that goes with it; empty for a public client.", secret=True)
    scopes: str = setting("openid profile email groups", "What is asked of the provider, separated by spaces.")
    name: str = setting("OpenID Connect", "What the button of the sign-in page calls the provider.")
    username_claim: str = setting("preferred_username", "The claim that new usernames are made of.")
    groups_claim: str = setting("groups", "The claim that lists a person's groups.")
    role_mappings: tuple[str, ...] = setting(
        (),
        "`GROUP=instance_admin`, `GROUP=ORGANIZATION:ROLE` or `GROUP=ORGANIZATION/PROJECT:ROLE`, separated by commas.",
    )
    allow_sign_up: bool = setting(True, "Whether somebody who comes for the first time gets an account.")


@dataclass(frozen=True, kw_only=True)
class LogSettings:
    """Logging."""

    level: str = setting("INFO", "DEBUG, INFO, WARNING or ERROR.")
    format: str = setting("auto", "`json`, `console`, or `auto`: console on a terminal, else JSON.")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All sections, and for each setting the place that its value came from."""

    data: DataSettings = field(default_factory=DataSettings)
    database: DatabaseSettings = field(default_factory=DatabaseSettings)
    server: ServerSettings = field(default_factory=ServerSettings)
    worker: WorkerSettings = field(default_factory=WorkerSettings)
    plugins: PluginSettings = field(default_factory=PluginSettings)
    outgoing: OutgoingSettings = field(default_factory=OutgoingSettings)
    secret: SecretSettings = field(default_factory=SecretSettings)
    oidc: OidcSettings = field(default_factory=OidcSettings)
    log: LogSettings = field(default_factory=LogSettings)
    origins: Mapping[str, str] = field(default_factory=dict)

    @property
    def database_url(self) -> str:
        """The database's address, with the default filled in."""
        return self.database.url or f"sqlite:///{quote(str(self.data.directory.resolve() / 'modelyard.db'))}"

    @property
    def server_processes(self) -> int:
        """How many server processes there are to be: one on SQLite, else as many as set, or one for each core."""
        if self.database_url.startswith("sqlite:"):
            return 1
        return self.server.workers or min(MOST_SERVER_PROCESSES, os.cpu_count() or 1)

    @property
    def public_url(self) -> str:
        """The address that users reach this server by, without a slash at its end."""
        return self.server.public_url.rstrip("/") or f"http://{self.server.host}:{self.server.port}"

    def described(self) -> Iterator[Described]:
        """Yield every setting in the order of declaration, secrets masked."""
        for key, declared in declared_settings():
            section, name = key.split(".")
            value = getattr(getattr(self, section), name)
            masked = "********" if declared.metadata["secret"] and value else value
            yield Described(
                key, masked, declared.default, declared.metadata["description"], self.origins.get(key, "default")
            )


@dataclass(frozen=True, slots=True)
class Described:
    """One setting as `modelyard config show` prints it; `value` is masked if it is a secret."""

    key: str
    value: Any
    default: Any
    description: str
    origin: str


def declared_settings() -> Iterator[tuple[str, Any]]:
    """Yield (`section.name`, dataclass field) of every setting."""
    for section in fields(Settings):
        if section.name == "origins":
            continue
        section_class: Any = section.default_factory
        for declared in fields(section_class):
            yield f"{section.name}.{declared.name}", declared
