"""A Modelyard plugin: notifications by carrier pigeon, storage in zipped files, and a diary of stage changes."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from modelyard import EventRecord, Notifier, Storage, hookimpl
from modelyard_carrier_pigeon.loft import append_line
from modelyard_carrier_pigeon.notifier import CarrierPigeon
from modelyard_carrier_pigeon.storage import ZippedFiles

HOOK_API_VERSION = 1
DIARY = "CARRIER_PIGEON_DIARY"


@hookimpl
def register_notifiers(register: Callable[[type[Notifier]], None]) -> None:
    """Offer `carrier_pigeon`."""
    register(CarrierPigeon)


@hookimpl
def register_storages(register: Callable[[type[Storage]], None]) -> None:
    """Offer `zipped_files`."""
    register(ZippedFiles)


@hookimpl
def stage_changed(event: EventRecord) -> None:
    """Write each change of a stage into the diary that the environment names, if it names one.

    A moment may be told twice: the event's id is in the line, so that a reader can drop the second.
    """
    diary = os.environ.get(DIARY)
    if diary:
        append_line(
            Path(diary),
            {
                "id": event.id,
                "project": event.project,
                "model_version": event.object_name,
                "from": event.before.get("stage"),
                "to": event.after.get("stage"),
                "by": event.actor_name,
            },
        )
