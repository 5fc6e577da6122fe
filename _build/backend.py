"""The build backend: setuptools, preceded by the web pages where a distribution is made.

An sdist brings its pages built, so a wheel made from it needs no Node; an editable install builds none.
"""

import os
import shutil
import subprocess
from pathlib import Path

from setuptools import build_meta
from setuptools.build_meta import *  # noqa: F403 - a backend exposes every PEP 517 and PEP 660 hook

UI = Path(__file__).parent.parent / "modelyard" / "web" / "ui"


def build_pages() -> None:
    """Build the web pages into `modelyard/web/ui/dist`, unless they came along or MODELYARD_BUILD_UI=skip."""
    if os.environ.get("MODELYARD_BUILD_UI") == "skip" or ((UI / "dist").exists() and not (UI.parents[2] / ".git").exists()):
        return
    if shutil.which("npm") is None:
        raise SystemExit("The web pages need Node: install Node >= 20.19 or set MODELYARD_BUILD_UI=skip")
    if not (UI / "node_modules").exists():
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=UI, check=True)
    subprocess.run(["npm", "run", "build"], cwd=UI, check=True)


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    """Build the pages, then the wheel (PEP 517)."""
    build_pages()
    return build_meta.build_wheel(wheel_directory, config_settings, metadata_directory)


def build_sdist(sdist_directory, config_settings=None):
    """Build the pages, then the sdist that carries them (PEP 517)."""
    build_pages()
    return build_meta.build_sdist(sdist_directory, config_settings)
