"""Everything that goes wrong, as classes; `modelyard.client` shows the tree."""

from __future__ import annotations

from typing import Any


class ClientError(Exception):
    """The root. What the server did not say is empty; `status` is 0 where there was no answer."""

    def __init__(
        self,
        detail: str,
        *,
        code: str = "",
        status: int = 0,
        hint: str = "",
        errors: Any = None,
        request_id: str = "",
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code
        self.status = status
        self.hint = hint
        self.errors = errors
        self.request_id = request_id
        self.retry_after_seconds = retry_after_seconds

    def __str__(self) -> str:
        return f"{self.detail} {self.hint}" if self.hint else self.detail


class InvalidInputError(ClientError, ValueError):
    """A value that cannot be taken; `errors` names the fields."""


class TooLargeError(InvalidInputError):
    """More than a limit of the server allows."""


class AuthenticationError(ClientError):
    """There was no token or password, or one that is wrong, expired or revoked."""


class PermissionDeniedError(ClientError):
    """You are known there, but the role or the token's scope is too small."""


class NotFoundError(ClientError, LookupError):
    """There is no such thing for you: it never was, is gone, or is another tenant's."""


class ConflictError(ClientError):
    """A good request that the present state forbids: a name that is taken, a step that does not lead there."""


class ChangedMeanwhileError(ConflictError):
    """The thing is not as `If-Match` says that you saw it; read it again before you edit it."""


class UnavailableError(ClientError):
    """The server or something behind it cannot answer now; the same request may succeed later."""


class RateLimitedError(UnavailableError):
    """Too many requests; `retry_after_seconds` says when the next one is welcome."""


class ServerUnreachableError(UnavailableError):
    """Nobody answered at the address, or the connection broke off."""


class ServerError(ClientError):
    """The server failed; its log has more under `request_id`."""


class UnexpectedAnswerError(ClientError):
    """Something answered, but not as this API does: most often the address is another program's."""


class NotConfiguredError(ClientError):
    """There is no address of a server, or the address or token cannot be one."""


class DeploymentError(ClientError):
    """Waiting ended without a ready deployment; `deployment` is how it was last seen."""

    def __init__(self, detail: str, deployment: dict[str, Any], *, hint: str = "") -> None:
        super().__init__(detail, hint=hint)
        self.deployment = deployment


class DeploymentFailedError(DeploymentError):
    """The deployment failed or was stopped."""


class DeploymentTimeoutError(DeploymentError):
    """The deployment was not ready by the deadline; it may still become so."""


class PlainHttpWarning(UserWarning):
    """A password or token goes over the network where others can read it."""
