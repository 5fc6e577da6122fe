"""The contract between Modelyard and its plugins, in the order of the life cycle.

There are two vocabularies of hooks and no third. `register_*` hooks offer providers: they get a `register` function, do
no I/O and return nothing. Moments are named in the past tense: they are told, from a job worker, after the change was
committed, at least once and to one plugin at a time, with an attempt log. `startup` is the one hook besides.

A plugin is a module (or object) named by an entry point in the group ``modelyard``::

    from modelyard import Notifier, hookimpl

    @hookimpl
    def register_notifiers(register):
        register(PigeonNotifier)

What goes wrong in a hook costs that hook's own call and nothing else; the reason is shown by `modelyard plugins list`.
A plugin that cannot be imported in time, has a hook with a wrong argument or a hook that does not exist, is left out
altogether. docs/plugins.md is the guide for authors.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from modelyard.core.events import EventRecord
    from modelyard.core.interfaces import DeploymentTarget, Notifier, Storage, Tracker

HOOK_API_VERSION = 1
"""Rises when a hook changes so that an older plugin would misread it. A plugin may set `HOOK_API_VERSION` to the one it
was written for, or to a range (``">=1,<3"``) that it was tried with; where this one is not in it the plugin is not
loaded, and the reason is shown."""

hookspec = pluggy.HookspecMarker("modelyard")
hookimpl = pluggy.HookimplMarker("modelyard")

# --- Start -----------------------------------------------------------------------------------------------------------


@hookspec
def startup(process: str) -> None:
    """Called once in each process after all plugins are loaded, before the first request or job.

    :param process: ``web``, ``worker`` or ``cli``.

    Runs outside any transaction, within the deadline for loading (10 s). What it raises is shown as the plugin's error;
    the plugin stays loaded.
    """


# --- Providers -------------------------------------------------------------------------------------------------------


@hookspec
def register_storages(register: Callable[[type[Storage]], None]) -> None:
    """Offer places to keep artifacts.

    Called once when the plugin is loaded, in every process, within the deadline for loading.

    :param register: call it with each `Storage` class; it refuses a class that breaks the contract or a name that is
        taken, by an exception that names both. When the hook raises, none of the classes of this call is offered.
    """


@hookspec
def register_trackers(register: Callable[[type[Tracker]], None]) -> None:
    """Offer backends for experiments and runs. :param register: as for `register_storages`, with `Tracker` classes."""


@hookspec
def register_deployment_targets(register: Callable[[type[DeploymentTarget]], None]) -> None:
    """Offer places where models run. :param register: as for `register_storages`, with `DeploymentTarget` classes."""


@hookspec
def register_notifiers(register: Callable[[type[Notifier]], None]) -> None:
    """Offer ways to tell people. :param register: as for `register_storages`, with `Notifier` classes."""


# --- Moments ---------------------------------------------------------------------------------------------------------


@hookspec
def run_finished(event: EventRecord) -> None:
    """Told when a run has ended as FINISHED, FAILED or KILLED.

    :param event: `event.object_id` is the run's id, `event.after["status"]` how it ended.

    In a job worker, outside any transaction, under a deadline of 30 s. If it raises it is tried again with back-off.
    """


@hookspec
def model_version_created(event: EventRecord) -> None:
    """Told when a version of a registered model exists. :param event: `event.object_name` is ``model/number``.

    Where, when and what happens on an error: as for `run_finished`.
    """


@hookspec
def stage_changed(event: EventRecord) -> None:
    """Told when a model version has moved to another stage.

    :param event: `event.before["stage"]` and `event.after["stage"]` say from where to where.

    Where, when and what happens on an error: as for `run_finished`.
    """


@hookspec
def deployment_changed(event: EventRecord) -> None:
    """Told when a deployment was created, changed, became ready, failed, stopped or was deleted.

    :param event: `event.action` says which, `event.after["status"]` how it stands.

    Where, when and what happens on an error: as for `run_finished`.
    """


MOMENT_OF_ACTION = {
    "run.finished": "run_finished",
    "model_version.created": "model_version_created",
    "model_version.stage_changed": "stage_changed",
    "deployment.created": "deployment_changed",
    "deployment.updated": "deployment_changed",
    "deployment.became_ready": "deployment_changed",
    "deployment.failed": "deployment_changed",
    "deployment.stopped": "deployment_changed",
    "deployment.deleted": "deployment_changed",
}
"""Which moment an event's action is told as; an action that is not here is told to notifiers only."""
