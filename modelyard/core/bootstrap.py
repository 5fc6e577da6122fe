"""Puts the platform together: opens the database, loads the plugins, and builds each service once."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any

from modelyard.config.settings import Settings
from modelyard.core import db, outgoing
from modelyard.core.access_cache import AccessCache
from modelyard.core.artifacts.service import ArtifactService
from modelyard.core.deployments.models import Deployment
from modelyard.core.deployments.reconcile import Reconciler
from modelyard.core.deployments.service import DeploymentService
from modelyard.core.errors import ConfigurationError, Unavailable
from modelyard.core.events import Events
from modelyard.core.idempotency import IdempotencyService
from modelyard.core.identity.oidc import OidcService, check_settings
from modelyard.core.identity.service import SessionService, TokenService, UserService
from modelyard.core.identity.sign_in_attempts import SignInAttempts
from modelyard.core.logs import configure_logging
from modelyard.core.migrations import cannot_open, pending
from modelyard.core.notifications.service import NotificationService
from modelyard.core.plugin_blocks import PluginBlockService, StoredHolds
from modelyard.core.plugin_breaker import BreakerRules
from modelyard.core.plugin_guard import Guard
from modelyard.core.plugin_manager import PluginManager
from modelyard.core.plugin_statistics import trace_call
from modelyard.core.projects.connections import ConnectionService
from modelyard.core.projects.mapped_roles import MappedRoles
from modelyard.core.projects.models import Connection
from modelyard.core.projects.service import OrganizationService, ProjectService
from modelyard.core.registry.models_service import ModelService
from modelyard.core.registry.versions_service import ModelVersionService
from modelyard.core.secret_box import SecretBox, load_keys
from modelyard.core.tracking.experiments import ExperimentService
from modelyard.core.tracking.logged_models import LoggedModelService
from modelyard.core.tracking.runs import RunService


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that a front end, a job or a command calls."""

    settings: Settings
    plugins: PluginManager
    guard: Guard
    plugin_blocks: PluginBlockService
    events: Events
    access: AccessCache
    idempotency: IdempotencyService
    users: UserService
    sessions: SessionService
    tokens: TokenService
    oidc: OidcService
    sign_in_attempts: SignInAttempts
    organizations: OrganizationService
    projects: ProjectService
    connections: ConnectionService
    notifications: NotificationService
    experiments: ExperimentService
    runs: RunService
    logged_models: LoggedModelService
    artifacts: ArtifactService
    models: ModelService
    model_versions: ModelVersionService
    deployments: DeploymentService
    reconciler: Reconciler


def build(settings: Settings, *, process: str) -> Services:
    """Open the database, load the plugins and build the services for a process (``web``, ``worker`` or ``cli``).

    Raises `ConfigurationError`, with the mend, when a setting selects a plugin that is not there, and when the database
    cannot be opened or its schema is not this code's: `modelyard.core.migrations.upgrade` comes first.
    """
    check_settings(settings)
    configure_logging(level=settings.log.level, style=settings.log.format)
    db.open_database(
        settings.database_url,
        pool_size=settings.database.pool_size,
        pool_timeout_seconds=settings.database.pool_timeout_seconds,
    )
    _check_schema()
    outgoing.set_policy(outgoing.OutgoingPolicy(_networks(settings)))
    holds = StoredHolds()
    guard = _guard(settings, holds)
    plugins = PluginManager(
        disabled=frozenset(settings.plugins.disabled),
        load_deadline_seconds=settings.plugins.load_deadline_seconds,
        guard=guard,
    )
    storage = plugins.require("storage", settings.plugins.storage)
    tracker = plugins.require("tracker", settings.plugins.tracker)
    holds.exempt = frozenset({storage.plugin, tracker.plugin})
    services = _wire(settings, plugins, guard)
    holds.events = services.events
    plugins.startup(process)
    return services


def _guard(settings: Settings, holds: StoredHolds) -> Guard:
    rules = BreakerRules(settings.plugins.breaker_failures, settings.plugins.breaker_pause_seconds)
    guard = Guard(rules=rules, holds=holds)
    if settings.plugins.trace or settings.log.level == "DEBUG":
        guard.observers.append(trace_call)
    return guard


def _check_schema() -> None:
    try:
        with db.connection():
            missing = pending()
    except Unavailable as error:
        raise cannot_open(error) from error
    if missing:
        raise ConfigurationError(
            f"The database lacks the steps {', '.join(missing)}.", hint="Run `modelyard admin db upgrade`."
        )


def _open_secrets(settings: Settings) -> SecretBox:
    """Load the keys, and try them on a secret that is stored already, so that a lost key is noticed at the start."""
    with db.connection():
        sealed = Connection.select(Connection.encrypted_secrets).where(Connection.encrypted_secrets.is_null(False))
        stored = sealed.limit(1).scalar() or Deployment.select(Deployment.encrypted_token).limit(1).scalar()
    box = SecretBox(load_keys(settings.secret.keys, settings.data.directory, may_create=stored is None))
    box.open(stored)
    return box


def _networks(settings: Settings) -> tuple[IPv4Network | IPv6Network, ...]:
    try:
        return tuple(ip_network(text) for text in settings.outgoing.allowed_networks)
    except ValueError as error:
        origin = settings.origins.get("outgoing.allowed_networks", "default")
        raise ConfigurationError(
            f"outgoing.allowed_networks (from {origin}): {error}.", hint="Write networks as 10.0.0.0/8."
        ) from None


def _wire(settings: Settings, plugins: PluginManager, guard: Guard) -> Services:
    events = Events(plugins.subscribers)
    data_directory = settings.data.directory.resolve()
    secrets = _open_secrets(settings)
    connections = ConnectionService(
        events=events,
        plugins=plugins,
        guard=guard,
        secrets=secrets,
        data_directory=data_directory,
        default_storage=settings.plugins.storage,
        default_tracker=settings.plugins.tracker,
    )
    tracker_of: Any = connections.tracker_of
    experiments = ExperimentService(events, tracker_of)
    artifacts = ArtifactService(connections.storage_of, max_artifact_bytes=settings.server.max_artifact_bytes)
    versions = ModelVersionService(events)
    sessions = SessionService(events, settings.server.session_hours * 3600)
    return Services(
        settings=settings,
        plugins=plugins,
        guard=guard,
        plugin_blocks=PluginBlockService(events=events, plugins=plugins, guard=guard, selected=guard.holds.exempt),
        events=events,
        access=AccessCache(),
        idempotency=IdempotencyService(secrets),
        users=UserService(events),
        sessions=sessions,
        tokens=TokenService(events),
        oidc=OidcService(
            events=events,
            sessions=sessions,
            roles=MappedRoles(events, check_settings(settings)),
            allow_sign_up=settings.oidc.allow_sign_up,
        ),
        sign_in_attempts=SignInAttempts(secrets),
        organizations=OrganizationService(events),
        projects=ProjectService(events, experiments.create_default_experiment),
        connections=connections,
        notifications=NotificationService(plugins=plugins, connections=connections, public_url=settings.public_url),
        experiments=experiments,
        runs=RunService(events, tracker_of),
        logged_models=LoggedModelService(events, tracker_of),
        artifacts=artifacts,
        models=ModelService(events),
        model_versions=versions,
        deployments=DeploymentService(
            events=events, connections=connections, versions=versions, secrets=secrets, data_directory=data_directory
        ),
        reconciler=Reconciler(events=events, connections=connections, secrets=secrets, data_directory=data_directory),
    )
