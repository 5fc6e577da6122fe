"""Who loads what, seen in fresh interpreters."""

import pkgutil
import subprocess
import sys

import modelyard.core

CORE_MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(modelyard.core.__path__, "modelyard.core.")
    if not module.name.startswith("modelyard.core.testing")
)


def loaded_by(*modules: str) -> set[str]:
    program = f"import importlib, sys\nfor name in {modules!r}: importlib.import_module(name)\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    return set(done.stdout.split())


def test_core_loads_no_plugin() -> None:
    assert "modelyard.core.plugin_manager" in CORE_MODULES
    assert {name for name in loaded_by(*CORE_MODULES) if name.startswith("modelyard.plugins")} == set()


def test_the_pytest_plugin_loads_nothing_heavy() -> None:
    more = loaded_by("modelyard.core.testing.pytest_plugin") - loaded_by("pytest")

    assert more == {"modelyard", "modelyard.core", "modelyard.core.testing", "modelyard.core.testing.pytest_plugin"}


def test_the_authors_door_names_what_a_plugin_needs() -> None:
    for name in modelyard.__all__:
        assert getattr(modelyard, name) is not None
