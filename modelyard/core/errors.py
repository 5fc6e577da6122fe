"""Every error that Modelyard raises on purpose.

    ModelyardError
    ├── InvalidInput              a value that cannot be taken; names it
    ├── NotFound                  there is no such thing, or it is another tenant's
    ├── Conflict                  true input that the present state forbids
    │   ├── AlreadyExists         the name is taken
    │   ├── InvalidTransition     no way leads from this state to that one
    │   └── LeaseLost             another worker holds the job now
    ├── PreconditionFailed        the thing is not as the caller last saw it
    ├── TooLarge                  more than a limit allows; names the limit
    ├── AuthenticationRequired    nobody is signed in, or the credential is not good
    ├── PermissionDenied          signed in, known here, and the role is too small
    ├── ConfigurationError        a setting that stops the start
    ├── Unavailable               a part of the platform cannot answer now; ask again later
    └── PluginError               a plugin failed; names plugin and operation
        ├── PluginLoadError       it could not be imported or breaks the contract
        ├── PluginNotFound        no plugin of that name is loaded
        ├── PluginTimeout         it did not answer by its deadline
        ├── PluginUnavailable     what stands behind it does not answer; worth another try
        │   └── PluginSuspended   it was not asked at all: its breaker is open, it is blocked or in quarantine
        ├── PluginRefused         what stands behind it said no for good; not asked again
        └── PluginContractError   it answered with what the interface does not allow

Core knows neither HTTP nor exit codes: `modelyard.web.errors` and `modelyard.cli.errors` map classes to them.
"""

from __future__ import annotations

from typing import Any, ClassVar


class ModelyardError(Exception):
    """The root; `code` is stable and part of the API, `hint` says what to do about it."""

    code: ClassVar[str] = "error"

    def __init__(self, message: str, *, hint: str | None = None, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.details = details

    def __str__(self) -> str:
        return f"{self.message} {self.hint}" if self.hint else self.message


class InvalidInput(ModelyardError, ValueError):
    """A value that cannot be taken; the message names the field and quotes the value."""

    code = "invalid_input"


class NotFound(ModelyardError, LookupError):
    """There is no such thing for this caller: it never was, is deleted, or belongs to another tenant."""

    code = "not_found"


class Conflict(ModelyardError):
    """A good request that the present state forbids."""

    code = "conflict"


class AlreadyExists(Conflict):
    """The name is taken."""

    code = "already_exists"


class InvalidTransition(Conflict):
    """No way leads from the state that the thing is in to the one asked for."""

    code = "invalid_transition"


class LeaseLost(Conflict):
    """The job's lease ran out and another worker holds it: nothing more may be written for it here."""

    code = "lease_lost"


class PreconditionFailed(ModelyardError):
    """The thing was changed since the caller saw it, so that their edit would undo somebody's work unseen."""

    code = "precondition_failed"


class TooLarge(ModelyardError):
    """More than a limit allows; the message names the limit."""

    code = "too_large"


class AuthenticationRequired(ModelyardError):
    """Nobody is signed in, or the credential is wrong, expired or revoked (which of them is not told)."""

    code = "authentication_required"


class PermissionDenied(ModelyardError):
    """The caller is known here but their role or scope is too small; the hint names the one that is needed."""

    code = "permission_denied"


class ConfigurationError(ModelyardError):
    """A setting that stops the start; the message names the setting, its value and its origin."""

    code = "configuration_error"


class Unavailable(ModelyardError):
    """A part of the platform cannot answer now; the same request may succeed later."""

    code = "unavailable"


class PluginError(ModelyardError):
    """A plugin's call failed; `plugin` and `operation` name it. A plugin that raises it may leave them to the guard."""

    code = "plugin_failed"

    def __init__(self, message: str, *, plugin: str = "", operation: str = "", hint: str | None = None) -> None:
        super().__init__(message, hint=hint, plugin=plugin, operation=operation)
        self.plugin = plugin
        self.operation = operation


class PluginLoadError(PluginError):
    """An entry point could not be imported in time, or what it brought breaks the contract."""

    code = "plugin_load_failed"


class PluginNotFound(PluginError):
    """Nothing of that name is registered; the hint names what is, or what to install."""

    code = "plugin_not_found"


class PluginTimeout(PluginError):
    """The plugin did not answer by its deadline; its thread may still be running."""

    code = "plugin_timeout"


class PluginUnavailable(PluginError):
    """What stands behind the plugin does not answer; worth another try later. Plugins raise it themselves.

    `retry_after_seconds` is how long it asked to be left alone, where it said so.
    """

    code = "plugin_unavailable"

    def __init__(
        self,
        message: str,
        *,
        plugin: str = "",
        operation: str = "",
        hint: str | None = None,
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(message, plugin=plugin, operation=operation, hint=hint)
        self.retry_after_seconds = retry_after_seconds


class PluginRefused(PluginError):
    """What stands behind the plugin refused for good: the same call is not tried again. Plugins raise it themselves."""

    code = "plugin_refused"


class PluginSuspended(PluginUnavailable):
    """The plugin was not asked; `retry_after_seconds` says when it is worth another try."""

    code = "plugin_suspended"


class PluginContractError(PluginError):
    """The plugin answered with something that its interface does not allow."""

    code = "plugin_contract_broken"
