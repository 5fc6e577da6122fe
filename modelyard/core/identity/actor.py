"""Who acts: what a request, a job or a command knows of its author."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Actor:
    """The author of a change.

    `kind` is ``user`` (a browser), ``token`` (a program), ``system`` (the platform itself) or ``anonymous``; `scopes`
    is None where everything that the roles allow is allowed; `project_id` binds a token to one project and
    `expires_at_ms` says when it ends; `session_id` names the session of a browser.
    """

    kind: str
    id: str = ""
    name: str = ""
    user_id: int | None = None
    is_instance_admin: bool = False
    scopes: frozenset[str] | None = None
    project_id: int | None = None
    request_id: str = ""
    address: str = ""
    session_id: str = ""
    expires_at_ms: int | None = None
    roles: dict[int, str | None] = field(default_factory=dict, compare=False)

    @property
    def is_signed_in(self) -> bool:
        """Whether anybody is there at all."""
        return self.kind != "anonymous"


ANONYMOUS = Actor(kind="anonymous")


def system_actor(name: str) -> Actor:
    """Make the actor for work that the platform does on its own, such as reconciling."""
    return Actor(kind="system", id=name, name=name)


def anonymous_actor(*, request_id: str, address: str) -> Actor:
    """Make the actor of somebody who showed nothing."""
    return Actor(kind=ANONYMOUS.kind, request_id=request_id, address=address)
