"""What the command line makes of an error: an exit code, and "what, why, what to do" on stderr.

0  done
1  an unexpected error, or an interruption
2  the command was not written as `--help` says
3  there is no such thing for you
4  not signed in, or the role or scope is too small
5  the present state forbids it
6  a value that cannot be taken
7  the server, or something behind it, cannot be reached or cannot answer now
8  a setting or profile is wrong or missing
9  a deployment that was waited for failed, or was not ready in time
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Any

import click

UNEXPECTED, USAGE, NOT_FOUND, PERMISSION, CONFLICT, INVALID, UNAVAILABLE, CONFIGURATION, DEPLOYMENT = range(1, 10)


def exit_codes() -> dict[type[BaseException], int]:
    """Return the code of every error class that Modelyard raises; a subclass not named here has its parent's."""
    from modelyard import client
    from modelyard.config.sources import SettingError
    from modelyard.core import errors as core

    return {
        client.ClientError: UNEXPECTED,
        client.InvalidInputError: INVALID,
        client.TooLargeError: INVALID,
        client.AuthenticationError: PERMISSION,
        client.PermissionDeniedError: PERMISSION,
        client.NotFoundError: NOT_FOUND,
        client.ConflictError: CONFLICT,
        client.ChangedMeanwhileError: CONFLICT,
        client.UnavailableError: UNAVAILABLE,
        client.RateLimitedError: UNAVAILABLE,
        client.ServerUnreachableError: UNAVAILABLE,
        client.ServerError: UNEXPECTED,
        client.UnexpectedAnswerError: UNEXPECTED,
        client.NotConfiguredError: CONFIGURATION,
        client.DeploymentError: DEPLOYMENT,
        client.DeploymentFailedError: DEPLOYMENT,
        client.DeploymentTimeoutError: DEPLOYMENT,
        SettingError: CONFIGURATION,
        core.ModelyardError: UNEXPECTED,
        core.InvalidInput: INVALID,
        core.NotFound: NOT_FOUND,
        core.Conflict: CONFLICT,
        core.AlreadyExists: CONFLICT,
        core.InvalidTransition: CONFLICT,
        core.LeaseLost: CONFLICT,
        core.TooLarge: INVALID,
        core.PreconditionFailed: CONFLICT,
        core.AuthenticationRequired: PERMISSION,
        core.PermissionDenied: PERMISSION,
        core.ConfigurationError: CONFIGURATION,
        core.Unavailable: UNAVAILABLE,
        core.PluginError: UNAVAILABLE,
        core.PluginLoadError: CONFIGURATION,
        core.PluginNotFound: CONFIGURATION,
        core.PluginTimeout: UNAVAILABLE,
        core.PluginUnavailable: UNAVAILABLE,
        core.PluginRefused: UNAVAILABLE,
        core.PluginSuspended: UNAVAILABLE,
        core.PluginContractError: UNEXPECTED,
        ProfileError: CONFIGURATION,
    }


class ProfileError(Exception):
    """A profile that is not there or cannot be read; the text holds the mend."""


class Failure(click.ClickException):
    """The end of a command: the lines for stderr and the exit code."""

    def __init__(self, what: str, *, why: Sequence[str] = (), mend: str = "", note: str = "", code: int = 1) -> None:
        super().__init__(what)
        self.why = why
        self.mend = mend
        self.note = note
        self.code = code

    @property
    def exit_code(self) -> int:  # type: ignore[override]
        """The code that the process ends with."""
        return self.code

    def show(self, file: IO[Any] | None = None) -> None:
        """Write the error to stderr."""
        click.echo(f"{click.style('Error:', fg='red', bold=True)} {visible(self.message)}", file=file, err=True)
        for line in self.why:
            click.echo(f"  Why: {visible(line)}", file=file, err=True)
        if self.mend:
            click.echo(f"  What to do: {visible(self.mend)}", file=file, err=True)
        if self.note:
            click.echo(f"  {visible(self.note)}", file=file, err=True)


def visible(text: str) -> str:
    """Replace what would command the terminal (escape sequences in a name, say) by a visible mark."""
    return "".join(
        letter if letter.isprintable() or letter in "\n\t" else "\N{REPLACEMENT CHARACTER}" for letter in text
    )


def failure_of(error: Exception) -> Failure:
    """Make the end of a command of what it raised; MODELYARD_DEBUG adds the stack trace on stderr."""
    if os.environ.get("MODELYARD_DEBUG"):
        click.echo("".join(traceback.format_exception(error)), err=True)
    codes = exit_codes()
    home = next((kind for kind in type(error).__mro__ if kind in codes), None)
    if home is None:
        return _unexpected(error)
    what, request_id = _what(error), getattr(error, "request_id", "")
    return Failure(
        what,
        why=[*_reasons(getattr(error, "errors", None), what)],
        mend=getattr(error, "hint", None) or "",
        note=f"Request: {request_id}" if request_id else "",
        code=codes[home],
    )


def _what(error: Exception) -> str:
    return str(getattr(error, "detail", None) or getattr(error, "message", None) or error)


def _unexpected(error: Exception) -> Failure:
    if isinstance(error, OSError):
        return Failure(f"{error.strerror or error}: {error.filename}" if error.filename else str(error))
    return Failure(
        f"{type(error).__name__}: {error}",
        why=["This is a fault of the program, or of something that it did not expect."],
        mend="Run it again with MODELYARD_DEBUG=1 for the stack trace, and report that.",
    )


def _reasons(errors: Any, said: str) -> Iterator[str]:
    """Yield what the problem's `errors` (texts by field) add to what is said already."""
    for name, texts in errors.items() if isinstance(errors, Mapping) else ():
        for text in texts if isinstance(texts, list) else [texts]:
            if str(text) not in said:
                yield f"{name}: {text}"
