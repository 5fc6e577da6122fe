"""Every setting of Modelyard: its type, default, description, and where a value came from.

A setting is `section.name`; the environment variable is ``MODELYARD_SECTION_NAME``, and in the settings file it is
`name` in the table ``[section]``. Nothing is read when this module is imported, and there is no global: pass the
object.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from urllib.parse import quote

MOST_SERVER_PROCESSES = 8
DAY_MS = 24 * 3600 * 1000
TYPE_NAMES = {str: "text", int: "number", bool: "true or false", tuple: "list"}
"""What people call the types of settings; everything else is a path."""
ADDRESS = r"https?://[^/?#\s]+(/[^?#\s]*)?"
ORIGIN = r"https?://[a-z0-9.-]+(:\d+)?|https?://\[[0-9a-f:]+\](:\d+)?"
RATE = r"off|[1-9]\d{0,9}/(second|minute|hour|day)"


def setting(
    default: Any,
    description: str,
    *,
    secret: bool = False,
    least: int = 0,
    most: int = 2**31 - 1,
    pattern: str = "",
    check: Callable[[str], object] | None = None,
    example: str = "",
) -> Any:
    """Declare one setting; without a description it cannot be declared.

    `least` and `most` bound a number; a text, or each of a list, must match `pattern` as a whole, and `check` raises
    ValueError for one that cannot be taken; `example` is what the error shows in place of the default.
    """
    kept = {
        "description": description,
        "secret": secret,
        "least": least,
        "most": most,
        "pattern": pattern,
        "check": check,
        "example": example,
    }
    return field(default=default, metadata=kept)


@dataclass(frozen=True, kw_only=True)
class DataSettings:
    """Where this server keeps its files."""

    directory: Path = setting(
        Path("modelyard-data"), "Folder of the SQLite database, artifacts, replicas, keys and the lock of this server."
    )
    audit_retention_days: int = setting(0, "How long events are kept, in days; 0 is for ever.", most=36500)
    delivery_retention_days: int = setting(
        30, "How long the log of ended deliveries is kept, in days.", least=1, most=36500
    )
    job_retention_days: int = setting(7, "How long ended jobs are kept, in days.", least=1, most=36500)
    deleted_retention_days: int = setting(
        30, "How long deleted projects and organizations can be restored before they are purged.", most=3650
    )
    deleted_run_retention_days: int = setting(
        30, "How long deleted runs, experiments and logged models are kept before they are purged.", most=3650
    )

    @property
    def deleted_retention_ms(self) -> int:
        """The retention of projects and organizations in milliseconds."""
        return self.deleted_retention_days * DAY_MS

    @property
    def deleted_run_retention_ms(self) -> int:
        """The retention of runs, experiments and logged models in milliseconds."""
        return self.deleted_run_retention_days * DAY_MS


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
    idle_transaction_timeout_seconds: int = setting(
        30,
        "When PostgreSQL rolls back for a process that froze in a transaction, so that its locks go; 0 is never.",
        most=86400,
    )


@dataclass(frozen=True, kw_only=True)
class ServerSettings:
    """The HTTP server."""

    host: str = setting("127.0.0.1", "Address to listen on; loopback unless you say otherwise.")
    port: int = setting(5000, "Port to listen on; 0 takes any free one.", most=65535)
    public_url: str = setting(
        "",
        "Address by which users reach this server; empty is http://HOST:PORT.",
        pattern=ADDRESS,
        example="https://models.example",
    )
    trusted_proxies: tuple[str, ...] = setting(
        (),
        "Networks of the proxies in front, as CIDR, separated by commas; only their X-Forwarded-For and -Proto count.",
        check=ip_network,
        example="10.0.0.0/8",
    )
    cors_origins: tuple[str, ...] = setting(
        (),
        "Origins (`https://app.example`) whose pages may read the API's answers, separated by commas; else none may.",
        pattern=ORIGIN,
        example="https://app.example",
    )
    workers: int = setting(0, "Server processes; 0 is one on SQLite and one for each core (at most 8) on PostgreSQL.")
    threads: int = setting(64, "Threads of each server process.", least=1, most=10000)
    max_body_bytes: int = setting(
        4 * 1024 * 1024, "Largest body of an API request; artifacts have their own limit.", least=1024
    )
    max_artifact_bytes: int = setting(
        100 * 1024**3, "Largest artifact that one upload may bring.", least=1, most=1152921504606846976
    )
    session_hours: int = setting(14 * 24, "How long a sign-in lasts without use, in hours.", least=1, most=87600)
    session_max_hours: int = setting(
        30 * 24, "How long a sign-in lasts at most, however much it is used, in hours.", least=1, most=87600
    )


@dataclass(frozen=True, kw_only=True)
class LimitSettings:
    """Rate limits: `NUMBER/second`, `/minute`, `/hour` or `/day`, or `off` for one of them."""

    enabled: bool = setting(True, "Whether requests are counted and refused over the limits below.")
    storage_url: str = setting(
        "",
        "`redis://HOST:PORT/0` counts for all server processes; empty: each counts by itself, so N allow N times.",
        secret=True,
    )
    address: str = setting("600000/minute", "Requests from one address, whoever sends them.", pattern=RATE)
    reads: str = setting("3000/minute", "Reads of the API by one token or user.", pattern=RATE)
    writes: str = setting("1200/minute", "Changes by the API by one token or user.", pattern=RATE)
    tracking: str = setting("300000/minute", "Requests of MLflow clients by one token or user.", pattern=RATE)
    predictions: str = setting("120000/minute", "Predictions asked for by one token or user.", pattern=RATE)
    sign_in: str = setting(
        "120/minute", "Attempts to sign in, and other changes without a sign-in, from one address.", pattern=RATE
    )


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
        "Private networks that plugins may reach, as CIDR, separated by commas; public addresses are always allowed.",
        check=ip_network,
        example="10.0.0.0/8",
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
class TelemetrySettings:
    """Metrics and traces that are sent somewhere; `/metrics` is there for Prometheus in any case."""

    statsd_host: str = setting("", "Host of a statsd server that is told what Prometheus can ask for; empty is none.")
    statsd_port: int = setting(8125, "Its UDP port.", least=1, most=65535)
    statsd_prefix: str = setting("modelyard", "What the names of its metrics begin with.")
    otlp_endpoint: str = setting(
        "",
        "Address of an OpenTelemetry collector (OTLP over HTTP) that gets traces of requests; empty is none.",
        pattern=ADDRESS,
        example="http://127.0.0.1:4318",
    )


@dataclass(frozen=True, kw_only=True)
class LogSettings:
    """Logging."""

    level: str = setting("INFO", "DEBUG, INFO, WARNING or ERROR.")
    format: str = setting("auto", "`json`, `console`, or `auto`: console on a terminal, else JSON.")
    access: bool = setting(False, "Whether each answered request is a line of the log.")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All sections, and for each setting the place that its value came from."""

    data: DataSettings = field(default_factory=DataSettings)
    database: DatabaseSettings = field(default_factory=DatabaseSettings)
    server: ServerSettings = field(default_factory=ServerSettings)
    limits: LimitSettings = field(default_factory=LimitSettings)
    worker: WorkerSettings = field(default_factory=WorkerSettings)
    plugins: PluginSettings = field(default_factory=PluginSettings)
    outgoing: OutgoingSettings = field(default_factory=OutgoingSettings)
    secret: SecretSettings = field(default_factory=SecretSettings)
    oidc: OidcSettings = field(default_factory=OidcSettings)
    telemetry: TelemetrySettings = field(default_factory=TelemetrySettings)
    log: LogSettings = field(default_factory=LogSettings)
    origins: Mapping[str, str] = field(default_factory=dict)
    connections: tuple[Mapping[str, Any], ...] = ()
    """The tables ``[[connections]]`` of the file, as they stand there."""
    file: Path | None = None

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
                key=key,
                type=TYPE_NAMES.get(type(declared.default), "path"),
                value=masked,
                default=declared.default,
                description=declared.metadata["description"],
                origin=self.origins.get(key, "default"),
            )


@dataclass(frozen=True, slots=True)
class Described:
    """One setting as `modelyard config show` prints it; `value` is masked if it is a secret."""

    key: str
    type: str
    value: Any
    default: Any
    description: str
    origin: str

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return "MODELYARD_" + self.key.replace(".", "_").upper()


def declared_settings() -> Iterator[tuple[str, Any]]:
    """Yield (`section.name`, dataclass field) of every setting."""
    for section in fields(Settings):
        if section.name in {"origins", "connections", "file"}:
            continue
        section_class: Any = section.default_factory
        for declared in fields(section_class):
            yield f"{section.name}.{declared.name}", declared
