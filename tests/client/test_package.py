from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from modelyard import client as package
from modelyard.client import Client
from modelyard.client.resource import Resource

PAGE = (Path(__file__).parents[2] / "docs" / "client.md").read_text("utf-8")


def test_importing_the_client_loads_nothing_else() -> None:
    program = (
        "import sys, modelyard.client; "
        "heavy = {'requests', 'urllib3', 'flask', 'peewee', 'marshmallow', 'click', 'rich'} & set(sys.modules); "
        "others = {name for name in sys.modules if name.startswith('modelyard.')}; "
        "others = {name for name in others if not f'{name}.'.startswith('modelyard.client.')}; "
        "sys.exit(f'{heavy} {others}' if heavy or others else 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_page_names_every_error_and_no_other() -> None:
    errors = {name for name in package.__all__ if name.endswith(("Error", "Warning"))}
    assert set(re.findall(r"`(\w+(?:Error|Warning))`", PAGE)) - {"ValueError", "LookupError", "OSError"} == errors


def test_the_page_has_every_verb_of_every_part_and_no_other() -> None:
    client = Client("http://app.localhost")
    project = client.project("acme", "churn")
    parts = {"client.project": project}
    parts |= {f"client.{name}": part for name, part in vars(client).items() if isinstance(part, Resource)}
    parts |= {f"project.{name}": part for name, part in vars(project).items() if isinstance(part, Resource)}
    rows = re.findall(r"^\| `(?:project = )?((?:client|project)\.\w+)[^|]*\| (.*) \|$", PAGE, re.MULTILINE)
    documented = {name: set(re.findall(r"`(\w+)", verbs)) for name, verbs in rows if name in parts}
    assert documented == {name: _public(part) for name, part in parts.items()}


def test_the_page_has_every_verb_of_the_client_itself() -> None:
    assert all(f"client.{name}(" in PAGE for name in _public(Client("http://app.localhost")))


def _public(part: object) -> set[str]:
    return {name for name in dir(type(part)) if not name.startswith("_") and callable(getattr(type(part), name))}
