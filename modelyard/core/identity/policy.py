"""Which role may do what: the one table, to be read by people.

A role includes those to its right of the same line: project admin > editor > viewer; organization owner > admin >
member. An owner or admin of an organization is admin in all its projects; a member has only the roles given in each
project. An instance administrator has no role in any project by that office alone. Everybody may do what ACCOUNT_POLICY
lists with what is their own; a token of one project reaches nothing of its user's but the tokens of that project.
"""

from __future__ import annotations

from modelyard.core.errors import AuthenticationRequired, PermissionDenied
from modelyard.core.identity.actor import Actor

PROJECT_ROLES = ("viewer", "editor", "admin")
ORGANIZATION_ROLES = ("member", "admin", "owner")
SCOPES = ("read", "write", "deploy", "admin", "metrics")

#             permission                 (smallest role, token scope)
PROJECT_POLICY: dict[str, tuple[str, str]] = {
    "project.read": ("viewer", "read"),
    "project.edit": ("admin", "admin"),
    "project.members": ("admin", "admin"),
    "project.leave": ("viewer", "admin"),
    "event.read": ("viewer", "read"),
    "delivery.redeliver": ("editor", "write"),
    "run.read": ("viewer", "read"),
    "run.write": ("editor", "write"),
    "run.purge": ("admin", "admin"),
    "trace.read": ("viewer", "read"),
    "trace.write": ("editor", "write"),
    "artifact.read": ("viewer", "read"),
    "artifact.write": ("editor", "write"),
    "model.read": ("viewer", "read"),
    "model.write": ("editor", "write"),
    "model_version.promote": ("editor", "write"),
    "deployment.read": ("viewer", "read"),
    "deployment.write": ("editor", "deploy"),
    "deployment.predict": ("viewer", "read"),
    "connection.read": ("viewer", "read"),
    "connection.use": ("editor", "write"),
    "connection.write": ("admin", "admin"),
}
ORGANIZATION_POLICY: dict[str, tuple[str, str]] = {
    "organization.read": ("member", "read"),
    "organization.leave": ("member", "admin"),
    "organization.members": ("admin", "admin"),
    "organization.edit": ("owner", "admin"),
    "organization.transfer": ("owner", "admin"),
    "organization.delete": ("owner", "admin"),
    "organization.events": ("admin", "read"),
    "organization.redeliver": ("admin", "write"),
    "service_account.read": ("member", "read"),
    "service_account.write": ("admin", "admin"),
    "service_account.tokens": ("admin", "admin"),
    "project.create": ("admin", "admin"),
    "project.delete": ("admin", "admin"),
    "organization_connection.read": ("member", "read"),
    "organization_connection.use": ("admin", "write"),
    "organization_connection.write": ("admin", "admin"),
}
INSTANCE_POLICY: dict[str, str] = {
    "user.read": "admin",
    "user.create": "admin",
    "user.edit": "admin",
    "user.delete": "admin",
    "metric.read": "metrics",
    "organization.create": "admin",
    "organization.list": "admin",
    "organization.take_role": "admin",
    "project.quotas": "admin",
    "deployment.local": "admin",
    "connection.host": "admin",
    "instance.events": "read",
    "plugin.block": "admin",
}


#             permission              token scope
ACCOUNT_POLICY: dict[str, str] = {
    "account.read": "read",
    "account.edit": "admin",
    "session.read": "read",
    "session.end": "admin",
    "token.read": "read",
    "token.create": "admin",
    "token.revoke": "admin",
}


def require_sign_in(actor: Actor) -> None:
    """Raise `AuthenticationRequired` for an anonymous actor."""
    if not actor.is_signed_in:
        raise AuthenticationRequired("Nobody is signed in.", hint="Sign in, or send `Authorization: Bearer <token>`.")


def require_scope(actor: Actor, scope: str, permission: str) -> None:
    """Raise `PermissionDenied` where the actor's token lacks the scope."""
    if actor.scopes is not None and scope not in actor.scopes:
        raise PermissionDenied(
            f"This token may not do {permission}.", hint=f"Make a token with the scope {scope!r}.", needed_scope=scope
        )


def require_role(role: str, needed: str, order: tuple[str, ...], permission: str) -> None:
    """Raise `PermissionDenied` naming the role that is needed where `role` is smaller."""
    if order.index(role) < order.index(needed):
        raise PermissionDenied(
            f"Your role {role!r} may not do {permission}.", hint=f"It needs the role {needed!r}.", needed_role=needed
        )


def require_instance_admin(actor: Actor, permission: str) -> None:
    """Raise `PermissionDenied` unless an instance administrator acts, with the scope that the permission asks for."""
    require_sign_in(actor)
    require_scope(actor, INSTANCE_POLICY[permission], permission)
    if not actor.is_instance_admin:
        raise PermissionDenied(f"{permission} is for instance administrators.", needed_role="instance administrator")


def require_account(actor: Actor, permission: str) -> None:
    """Raise `PermissionDenied` where a token lacks the scope for its user's own affairs, or is bound to a project."""
    require_sign_in(actor)
    require_scope(actor, ACCOUNT_POLICY[permission], permission)
    if actor.project_id is not None and not permission.startswith("token."):
        raise PermissionDenied(
            f"This token is bound to a project and may not do {permission}.", hint="Use a token that is not bound."
        )


def administers(actor: Actor, permission: str) -> bool:
    """Say whether an instance administrator acts, by browser or by a token with the scope for the permission."""
    scope = INSTANCE_POLICY[permission]
    return actor.is_instance_admin and (actor.scopes is None or scope in actor.scopes)
