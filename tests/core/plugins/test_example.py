"""The example of a third-party distribution, loaded as it stands in `examples/`."""

import configparser
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from modelyard.core.plugin_manager import PluginManager

EXAMPLE = Path(__file__).parents[3] / "examples" / "modelyard-carrier-pigeon"


def test_it_is_loaded_with_all_that_it_brings(
    install: Callable[..., str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = configparser.ConfigParser()
    config.read(EXAMPLE / "setup.cfg")
    lines = config["options.entry_points"]["modelyard"].strip().splitlines()
    monkeypatch.syspath_prepend(str(EXAMPLE / "src"))
    install(
        "unused_module",
        "",
        distribution=config["metadata"]["name"],
        version=config["metadata"]["version"],
        entry_points={name.strip(): value.strip() for name, _, value in (line.partition("=") for line in lines)},
    )

    status = PluginManager().plugin("carrier_pigeon")

    assert (status.state, status.error) == ("loaded", None)
    assert (status.distribution, status.version) == ("modelyard-carrier-pigeon", "1.0.0")
    assert [(entry.kind, entry.name) for entry in status.providers] == [
        ("notifier", "carrier_pigeon"),
        ("storage", "zipped_files"),
    ]
    assert status.moments == ("stage_changed",)


def test_it_imports_nothing_of_modelyard_but_its_door() -> None:
    for file in (EXAMPLE / "src").rglob("*.py"):
        assert "modelyard.core" not in file.read_text()


def test_its_own_tests_pass(tmp_path: Path) -> None:
    paths = [str(EXAMPLE / "src"), *filter(None, sys.path)]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--basetemp={tmp_path / 'tests'}", "tests"],
        cwd=EXAMPLE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )

    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout
