"""One call into a plugin: what is asked of whom, what came of it, and the errors that the guard itself raises."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import structlog

from modelyard.core.errors import (
    ModelyardError,
    PluginContractError,
    PluginError,
    PluginSuspended,
    PluginTimeout,
    PluginUnavailable,
)
from modelyard.core.plugin_breaker import HALF_OPEN, BreakerState, time_of
from modelyard.core.plugin_failures import describe, places
from modelyard.core.plugin_holds import RECHECK_SECONDS, Hold

Expected = type[Any] | tuple[type[Any], ...]

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Call:
    """Which plugin is asked for what, by whom: everything about a call but the function.

    `lane` names a pool of threads of its own within the connection.
    """

    plugin: str
    operation: str
    deadline_seconds: float = 0.0
    connection: str | None = None
    secrets: Collection[str] = ()
    expect: Expected | None = None
    lane: str = ""
    is_direct: bool = False


@dataclass(slots=True)
class Outcome:
    """What came of a call: the value, or the error to raise; `was_asked` is False where no thread was left for it."""

    value: Any = None
    error: ModelyardError | None = None
    was_asked: bool = True


def capture(call: Call, work: Callable[[], Any]) -> Outcome:
    """Run foreign code; come back with an outcome whatever it did: a plugin's SystemExit must not end our thread."""
    try:
        value = work()
        if call.expect is not None and not isinstance(value, call.expect):
            raise _wrong_type(call, value)
        return Outcome(value)
    except BaseException as exc:
        if type(exc) is KeyboardInterrupt and threading.current_thread() is threading.main_thread():
            raise
        return _failure(call, exc)


def _failure(call: Call, exception: BaseException) -> Outcome:
    try:
        error = describe(exception, plugin=call.plugin, operation=call.operation, secrets=call.secrets)
        if type(error) is PluginError:
            log.warning(
                "plugin_call_failed",
                plugin=call.plugin,
                operation=call.operation,
                connection=call.connection,
                error=error.message,
                trace=places(exception.__traceback__),
            )
        return Outcome(error=error)
    except BaseException:  # noqa: BLE001 - the exception's own str, name or attributes raise
        message = f"The plugin '{call.plugin}' failed in '{call.operation}' with an exception that cannot be described."
        return Outcome(error=PluginError(message, plugin=call.plugin, operation=call.operation))


def _wrong_type(call: Call, value: object) -> PluginContractError:
    wanted = call.expect if isinstance(call.expect, tuple) else (call.expect,)
    names = " or ".join(cls.__name__ for cls in wanted if cls is not None)
    return PluginContractError(
        f"The plugin '{call.plugin}' answered '{call.operation}' with {type(value).__name__} instead of {names}.",
        plugin=call.plugin,
        operation=call.operation,
    )


def late(call: Call, *, threads: int, started: bool) -> Outcome:
    """The outcome of a call whose deadline has passed."""
    asked = f"The plugin '{call.plugin}' did not answer '{call.operation}' within {call.deadline_seconds:g} seconds"
    message = f"{asked}." if started else f"{asked}: all {threads} threads are busy."
    return Outcome(error=PluginTimeout(message, plugin=call.plugin, operation=call.operation))


def all_lost(call: Call, *, threads: int) -> Outcome:
    """The outcome of a call that found every thread hanging."""
    error = PluginUnavailable(
        f"The plugin '{call.plugin}' was not asked for '{call.operation}': {threads} of {threads} threads hang.",
        plugin=call.plugin,
        operation=call.operation,
        hint="It is asked again as soon as one of them returns; restarting the process ends them.",
    )
    return Outcome(error=error, was_asked=False)


def breaker_open(call: Call, state: BreakerState) -> PluginSuspended:
    """The error of a call that an open breaker stops."""
    seconds = state.trial_in_seconds or 0.0
    since = time_of(state.opened_at_ms or 0)
    trial = "a trial runs just now" if state.state == HALF_OPEN else f"the next trial is in {seconds:.0f} seconds"
    return PluginSuspended(
        f"The plugin '{call.plugin}' was not asked for '{call.operation}': it has failed since {since}, and {trial}. "
        f"Last: {state.reason}",
        plugin=call.plugin,
        operation=call.operation,
        retry_after_seconds=seconds,
    )


def held(call: Call, hold: Hold, now_ms: int) -> PluginSuspended:
    """The error of a call into a plugin that is blocked or in quarantine."""
    wait = RECHECK_SECONDS if hold.until_ms is None else (hold.until_ms - now_ms) / 1000
    return PluginSuspended(
        f"The plugin '{call.plugin}' was not asked for '{call.operation}': {hold}",
        plugin=call.plugin,
        operation=call.operation,
        hint=f"An instance administrator can release it: modelyard plugins unblock {call.plugin}",
        retry_after_seconds=max(1.0, wait),
    )
