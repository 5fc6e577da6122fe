"""Plugins that are really installed: a module and a dist-info folder on `sys.path`, found as anybody's are."""

import importlib
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from textwrap import dedent

import pytest

from modelyard.core.plugin_manager import PluginManager

GOOD_NOTIFIER = """
    from modelyard import Health, Notifier, hookimpl

    TOLD = []

    class Good{name}(Notifier):
        name = "{provider}"
        title = "Good"

        def health(self):
            return Health(True, "well")

        def send(self, notification):
            TOLD.append(notification)

    @hookimpl
    def register_notifiers(register):
        register(Good{name})

    @hookimpl
    def stage_changed(event):
        TOLD.append(event)
"""

Install = Callable[..., str]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Install a plugin: `install("pigeon", source)` writes the module `pigeon` and its distribution `pigeon-dist`."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))
    before = set(sys.modules)

    def write(
        name: str,
        source: str,
        *,
        version: str = "1.2",
        entry_points: Mapping[str, str] | None = None,
        metadata: str = "",
        distribution: str = "",
    ) -> str:
        distribution = distribution or f"{name}-dist"
        module = name.replace("-", "_")
        (site / f"{module}.py").write_text(dedent(source))
        info = site / f"{distribution.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        head = f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n"
        (info / "METADATA").write_text(head + dedent(metadata))
        lines = [f"{key} = {value}" for key, value in (entry_points or {name: module}).items()]
        (info / "entry_points.txt").write_text("\n".join(["[modelyard]", *lines, ""]))
        importlib.invalidate_caches()
        return name

    yield write
    for module in set(sys.modules) - before:
        if str(site) in (getattr(sys.modules[module], "__file__", None) or ""):
            del sys.modules[module]


@pytest.fixture
def neighbours_work(install: Install) -> Callable[[PluginManager], None]:
    """Install two plugins, one before and one after most names, and return the check that they work."""
    for name in ("a_neighbour", "z_neighbour"):
        install(name, GOOD_NOTIFIER.format(name=name[0].upper(), provider=f"{name}_notifier"))
    return assert_neighbours_work


@pytest.fixture
def hang() -> Iterator[threading.Event]:
    """What hanging plugins wait for, as `builtins.modelyard_test_hang`; set when the test ends."""
    import builtins

    event = threading.Event()
    builtins.modelyard_test_hang = event  # type: ignore[attr-defined]
    yield event
    event.set()
    del builtins.modelyard_test_hang  # type: ignore[attr-defined]


def assert_neighbours_work(manager: PluginManager) -> None:
    """Both are loaded, offer their notifier, and are told of a moment."""
    event = object()
    for name in ("a_neighbour", "z_neighbour"):
        assert manager.plugin(name).state == "loaded"
        assert manager.plugin(name).error is None
        assert manager.provider("notifier", f"{name}_notifier").plugin == name
        manager.tell(name, "stage_changed", event)  # type: ignore[arg-type]
        assert sys.modules[name].TOLD[-1] is event
