"""docs/plugins.md cannot rot: every hook and method is in it as it is, and its first example works."""

import inspect
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from modelyard import DeploymentTarget, Notification, Notifier, Storage, hookimpl
from modelyard.core import hookspecs, testing
from modelyard.core.plugin_loading import hook_names
from modelyard.core.plugin_manager import MOMENTS, PluginManager
from modelyard.core.providers import BoundNotifier, bind

PAGE = (Path(__file__).parents[3] / "docs" / "plugins.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def test_there_are_hooks() -> None:
    assert hookimpl.project_name == hookspecs.hookspec.project_name == "modelyard"
    assert set(MOMENTS) < set(hook_names())
    assert "startup" in hook_names()


@pytest.mark.parametrize("hook", hook_names())
def test_a_hook_has_a_heading_with_its_arguments(hook: str) -> None:
    arguments = ", ".join(inspect.signature(getattr(hookspecs, hook)).parameters)

    assert f"\n### {hook}({arguments})\n" in PAGE


@pytest.mark.parametrize("hook", hook_names())
def test_a_hooks_docstring_says_when_it_is_called(hook: str) -> None:
    docstring = inspect.getdoc(getattr(hookspecs, hook)) or ""

    assert ":param " in docstring


def test_no_hook_is_made_up() -> None:
    assert set(re.findall(r"^### (\w+)\(", PAGE, re.MULTILINE)) == set(hook_names())


@pytest.mark.parametrize("interface", [Storage, Notifier, DeploymentTarget])
def test_an_interface_is_shown_with_its_signatures(interface: type) -> None:
    assert f"\n### {interface.__name__}\n" in PAGE
    for method in interface.__abstractmethods__:  # type: ignore[attr-defined]
        assert f"def {method}{inspect.signature(getattr(interface, method))}: ...".replace("'", "") in PAGE


@pytest.mark.parametrize("contract", sorted(set(testing.__all__) - {"ProviderContract"}))
def test_a_contract_is_named(contract: str) -> None:
    assert f"| `{contract}` |" in PAGE


def test_the_first_example_works(install: Callable[..., str], tmp_path: Path) -> None:
    source = next(block for block in BLOCKS if "class Bell(Notifier)" in block)
    install("modelyard_bell", source, distribution="modelyard-bell", entry_points={"bell": "modelyard_bell"})
    manager = PluginManager()

    assert (manager.plugin("bell").state, manager.plugin("bell").error) == ("loaded", None)
    entry = manager.require("notifier", "bell")
    bound = bind(entry, {"file": str(tmp_path / "bell.txt")}, {"token": "t"}, manager.guard, "c1")
    assert isinstance(bound, BoundNotifier)
    assert bound.health().ok
    bound.send(Notification("n1", "run.finished", "A run has finished", "", 0))
    assert (tmp_path / "bell.txt").read_text() == "n1 A run has finished\n"


@pytest.mark.parametrize("block", BLOCKS)
def test_python_in_the_page_can_be_compiled(block: str) -> None:
    compile(block, "docs/plugins.md", "exec")
