"""A plugin that is really installed: it takes notifications and moments, and fails when it is told to."""

from __future__ import annotations

import dataclasses
import importlib
import sys
from pathlib import Path
from textwrap import dedent
from types import ModuleType

import pytest

from modelyard.config.settings import PluginSettings, Settings

PLUGIN = '''
    """Writes down what it is told; raises what `FAIL` holds."""

    from modelyard import Health, Notifier, PluginUnavailable, hookimpl

    SENT, MOMENTS, FAIL = [], [], []

    def fail():
        if FAIL:
            raise FAIL.pop(0)

    class Parrot(Notifier):
        name = "parrot"
        title = "Parrot"

        def health(self):
            return Health(True)

        def send(self, notification):
            fail()
            SENT.append(notification)

    @hookimpl
    def register_notifiers(register):
        register(Parrot)

    @hookimpl
    def stage_changed(event):
        fail()
        MOMENTS.append(("stage_changed", event))

    @hookimpl
    def model_version_created(event):
        MOMENTS.append(("model_version_created", event))
'''


@pytest.fixture(autouse=True)
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the plugin's module and distribution on the path before the platform is built."""
    site = tmp_path / "site"
    info = site / "parrot_dist-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "parrot.py").write_text(dedent(PLUGIN))
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: parrot-dist\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[modelyard]\nparrot = parrot\n")
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.delitem(sys.modules, "parrot", raising=False)
    importlib.invalidate_caches()


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Leave out the example plugin, which the demo may have installed: it listens, too."""
    return dataclasses.replace(settings, plugins=PluginSettings(disabled=("carrier_pigeon",)))


@pytest.fixture
def parrot(services: object) -> ModuleType:
    """The module of the loaded plugin."""
    return sys.modules["parrot"]
