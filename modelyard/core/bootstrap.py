"""Puts the platform together: opens the database, loads the plugins, and builds each service once."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any

from modelyard.config.settings import Settings
from modelyard.core import db, outgoing, telemetry
from modelyard.core.access_cache import AccessCache
from modelyard.core.artifacts.service import ArtifactService
from modelyard.core.deployments.reconcile import Reconciler
from modelyard.core.deployments.service import DeploymentService
from modelyard.core.errors import ConfigurationError, Unavailable
from modelyard.core.events import Events
from modelyard.core.idempotency import IdempotencyService
from modelyard.core.identity.oidc import OidcService, check_settings
from modelyard.core.identity.passwords import PasswordService
from modelyard.core.identity.service_accounts import ServiceAccountService
from modelyard.core.identity.sessions import SessionService
from modelyard.core.identity.setup import SetupService
from modelyard.core.identity.sign_in_attempts import SignInAttempts
from modelyard.core.identity.tokens import TokenService
from modelyard.core.identity.users import UserService
from modelyard.core.logs import configure_logging
from modelyard.core.migrations import cannot_open, pending
from modelyard.core.notifications.audit import AuditService
from modelyard.core.notifications.deliveries import DeliveryService
from modelyard.core.notifications.retention import RetentionService
from modelyard.core.notifications.service import NotificationService
from modelyard.core.plugin_blocks import PluginBlockService, StoredHolds
from modelyard.core.plugin_breaker import BreakerRules
from modelyard.core.plugin_guard import Guard
from modelyard.core.plugin_manager import PluginManager
from modelyard.core.plugin_statistics import trace_call
from modelyard.core.projects.connections import ConnectionService
from modelyard.core.projects.declared_connections import DeclaredConnections
from modelyard.core.projects.invitations import InvitationService
from modelyard.core.projects.mapped_roles import MappedRoles
from modelyard.core.projects.organizations import OrganizationService
from modelyard.core.projects.projects import ProjectService
from modelyard.core.projects.purge import Purger
from modelyard.core.projects.trackers import ProjectTrackers
from modelyard.core.registry.models_service import ModelService
from modelyard.core.registry.versions_service import ModelVersionService
from modelyard.core.secret_box import KEY_FILE, SecretBox, load_keys
from modelyard.core.secret_keys import SecretKeys, sealed_columns
from modelyard.core.tracking.assessments import AssessmentService
from modelyard.core.tracking.changes import ChangeService
from modelyard.core.tracking.comparisons import ComparisonService
from modelyard.core.tracking.experiments import ExperimentService
from modelyard.core.tracking.logged_models import LoggedModelService
from modelyard.core.tracking.retention import TrackingRetention
from modelyard.core.tracking.runs import RunService
from modelyard.core.tracking.traces import TraceService


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
    passwords: PasswordService
    setup: SetupService
    sessions: SessionService
    tokens: TokenService
    service_accounts: ServiceAccountService
    oidc: OidcService
    sign_in_attempts: SignInAttempts
    organizations: OrganizationService
    projects: ProjectService
    invitations: InvitationService
    connections: ConnectionService
    trackers: ProjectTrackers
    declared_connections: DeclaredConnections
    notifications: NotificationService
    deliveries: DeliveryService
    audit: AuditService
    retention: RetentionService
    experiments: ExperimentService
    runs: RunService
    comparisons: ComparisonService
    changes: ChangeService
    logged_models: LoggedModelService
    traces: TraceService
    assessments: AssessmentService
    artifacts: ArtifactService
    models: ModelService
    model_versions: ModelVersionService
    deployments: DeploymentService
    reconciler: Reconciler
    purger: Purger
    tracking_retention: TrackingRetention


def build(settings: Settings, *, process: str) -> Services:
    """Open the database, load the plugins and build the services for a process (``web``, ``worker`` or ``cli``).

    Raises `ConfigurationError`, with the mend, when a setting selects a plugin that is not there, and when the database
    cannot be opened or its schema is not this code's: `modelyard.core.migrations.upgrade` comes first.
    """
    check_settings(settings)
    configure_logging(level=settings.log.level, style=settings.log.format)
    telemetry.configure(settings.telemetry)
    db.open_database(
        settings.database_url,
        pool_size=settings.database.pool_size,
        pool_timeout_seconds=settings.database.pool_timeout_seconds,
        idle_transaction_timeout_seconds=settings.database.idle_transaction_timeout_seconds,
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


def check_start(settings: Settings) -> str | None:
    """Find out whether a server could start with these settings, and carry out the connections that they declare.

    Returns the link by which the first administrator comes in, where there is no user yet. Raises as `build` does.
    """
    services = build(settings, process="cli")
    services.declared_connections.apply(settings.connections)
    return services.setup.create_link()


def _guard(settings: Settings, holds: StoredHolds) -> Guard:
    rules = BreakerRules(settings.plugins.breaker_failures, settings.plugins.breaker_pause_seconds)
    guard = Guard(rules=rules, holds=holds)
    guard.observers.append(telemetry.count_plugin_call)
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


def secret_keys(settings: Settings) -> SecretKeys:
    """Open the database and return the keys of its secrets, for administration.

    Raises `ConfigurationError` where there are none, and as `build` does.
    """
    db.open_database(settings.database_url)
    _check_schema()
    directory = settings.data.directory.resolve()
    if not settings.secret.keys and not (directory / KEY_FILE).exists():
        raise ConfigurationError(
            f"There is no key file {directory / KEY_FILE}.", hint="It is made when the server first starts."
        )
    return SecretKeys(configured=settings.secret.keys, data_directory=directory)


def _open_secrets(settings: Settings) -> SecretBox:
    """Load the keys, and try them on stored secrets, so that a lost key is noticed at the start."""
    directory = settings.data.directory
    with db.connection():
        columns = [column.model.select(column).where(column.is_null(False)).limit(1) for column in sealed_columns()]
        stored = [sealed for query in columns if (sealed := query.scalar()) is not None]
    keys = load_keys(settings.secret.keys, directory, may_create=not stored)
    box = SecretBox(keys, file=None if settings.secret.keys else directory / KEY_FILE)
    for sealed in stored:
        box.open(sealed)
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
    runs = RunService(events, tracker_of)
    projects = ProjectService(events, experiments.create_default_experiment)
    artifacts = ArtifactService(connections.artifacts_of, max_artifact_bytes=settings.server.max_artifact_bytes)
    versions = ModelVersionService(events, tracker_of)
    users = UserService(events)
    tokens = TokenService(events)
    sessions = SessionService(
        events,
        idle_seconds=settings.server.session_hours * 3600,
        longest_seconds=settings.server.session_max_hours * 3600,
    )
    return Services(
        settings=settings,
        plugins=plugins,
        guard=guard,
        plugin_blocks=PluginBlockService(events=events, plugins=plugins, guard=guard, selected=guard.holds.exempt),
        events=events,
        access=AccessCache(),
        idempotency=IdempotencyService(secrets),
        users=users,
        passwords=PasswordService(events, settings.public_url),
        setup=SetupService(users, settings.public_url),
        sessions=sessions,
        tokens=tokens,
        service_accounts=ServiceAccountService(events, tokens),
        oidc=OidcService(
            events=events,
            sessions=sessions,
            roles=MappedRoles(events, check_settings(settings)),
            allow_sign_up=settings.oidc.allow_sign_up,
        ),
        sign_in_attempts=SignInAttempts(secrets),
        organizations=OrganizationService(events),
        projects=projects,
        invitations=InvitationService(events),
        connections=connections,
        trackers=ProjectTrackers(events, projects, connections),
        declared_connections=DeclaredConnections(connections, plugins),
        notifications=NotificationService(plugins=plugins, connections=connections, public_url=settings.public_url),
        deliveries=DeliveryService(events),
        audit=AuditService(),
        retention=RetentionService(settings.data),
        experiments=experiments,
        runs=runs,
        comparisons=ComparisonService(runs),
        changes=ChangeService(events, tracker_of),
        logged_models=LoggedModelService(events, tracker_of),
        traces=TraceService(events, tracker_of),
        assessments=AssessmentService(events, tracker_of),
        artifacts=artifacts,
        models=ModelService(events),
        model_versions=versions,
        deployments=DeploymentService(
            events=events, connections=connections, versions=versions, secrets=secrets, data_directory=data_directory
        ),
        reconciler=Reconciler(events=events, connections=connections, secrets=secrets, data_directory=data_directory),
        purger=Purger(
            events=events, storage_of=connections.storage_of, retention_ms=settings.data.deleted_retention_ms
        ),
        tracking_retention=TrackingRetention(
            events=events,
            trackers=tracker_of,
            storage_of=connections.storage_of,
            retention_ms=settings.data.deleted_run_retention_ms,
        ),
    )
