"""Writes a new plugin: a distribution that can be installed and passes its own tests, to be changed by its author.

The templates are in `plugin_templates`, a folder for each kind besides what all share.
"""

from __future__ import annotations

import re
from pathlib import Path
from string import Template

from modelyard.cli.errors import CONFLICT, INVALID, Failure

TEMPLATES = Path(__file__).parent / "plugin_templates"
PLUGIN_NAME = re.compile(r"[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*")
LONGEST_NAME = 40


def write_plugin(name: str, kind: str, parent: Path) -> Path:
    """Write the plugin into a new folder of `parent` and return it; nothing is written over."""
    if not PLUGIN_NAME.fullmatch(name) or len(name) > LONGEST_NAME:
        raise Failure(
            f"{name[:80]!r} is no name for a plugin.",
            mend="Use a-z, 0-9 and single hyphens between them, beginning with a letter, at most 40 characters.",
            code=INVALID,
        )
    provider = name.replace("-", "_")
    words = {
        "distribution": f"modelyard-{provider.replace('_', '-')}",
        "module": f"modelyard_{provider}",
        "provider": provider,
        "class": "".join(word.capitalize() for word in provider.split("_")),
        "title": provider.replace("_", " ").capitalize(),
        "kind": kind,
        "kind_words": kind.replace("_", " "),
    }
    folder = parent / words["distribution"]
    if folder.exists():
        raise Failure(f"{folder} is there already.", mend="Choose another name, or remove it.", code=CONFLICT)
    for template, place in _places(kind, words).items():
        text = Template((TEMPLATES / template).read_text("utf-8")).substitute(words)
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        (folder / place).write_text(text, "utf-8")
    return folder


def _places(kind: str, words: dict[str, str]) -> dict[str, str]:
    """Which template becomes which file."""
    source = f"src/{words['module']}"
    return {
        "pyproject.txt": "pyproject.toml",
        "readme.txt": "README.md",
        "typed.txt": f"{source}/py.typed",
        f"{kind}/init.txt": f"{source}/__init__.py",
        f"{kind}/provider.txt": f"{source}/{kind}.py",
        f"{kind}/test.txt": f"tests/test_{words['provider']}.py",
    }
