"""The storage of a single machine: files in a folder."""

from collections.abc import Callable

from modelyard import Storage, hookimpl
from modelyard.plugins.local_files.storage import LocalFiles


@hookimpl
def register_storages(register: Callable[[type[Storage]], None]) -> None:
    """Offer `local_files`."""
    register(LocalFiles)
