"""The real parts that tests use. Under CI=true a missing part fails; elsewhere its tests are skipped."""

from __future__ import annotations

import functools
import os
import shutil
from pathlib import Path

import pytest

POSTGRESQL_VARIABLE = "MODELYARD_TEST_POSTGRESQL"
OLDER_MLFLOW_VARIABLE = "MODELYARD_TEST_MLFLOW_312"
NODE_MODULES_VARIABLE = "MODELYARD_TEST_NODE_MODULES"


def need(found: object, reason: str) -> None:
    """Skip, or fail in CI, unless `found`."""
    if found:
        return
    if os.environ.get("CI") == "true":
        pytest.fail(f"CI lacks a part: {reason}", pytrace=False)
    pytest.skip(reason)


@functools.cache
def postgresql_url() -> str:
    """The address of a server whose user may create databases, without a database's name."""
    url = os.environ.get(POSTGRESQL_VARIABLE, "")
    need(url, f"no PostgreSQL: set {POSTGRESQL_VARIABLE}, for example to postgresql://postgres@127.0.0.1:5432")
    return url.rstrip("/")


@functools.cache
def chromium() -> str:
    """The browser's path."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    need(path, "no chromium on the PATH")
    assert path is not None
    return path


@functools.cache
def command(name: str) -> str:
    """The path of a server that the system's packages bring, such as `redis-server` or `prometheus`."""
    path = shutil.which(name)
    need(path, f"no {name} on the PATH")
    assert path is not None
    return path


@functools.cache
def node_module(name: str) -> Path:
    """The folder of a server from npm, such as `statsd` or `oidc-provider`."""
    modules = Path(os.environ.get(NODE_MODULES_VARIABLE) or Path(__file__).parent / "parts" / "node_modules")
    need((modules / name).is_dir(), f"no {name} from npm: cd tests/parts && npm ci --ignore-scripts")
    return modules / name


@functools.cache
def older_mlflow() -> Path:
    """The folder of mlflow-skinny 3.12, to be put before what is installed."""
    folder = os.environ.get(OLDER_MLFLOW_VARIABLE, "")
    found = Path(folder, "mlflow").is_dir() if folder else False
    need(
        found,
        f"no older client: pip install --no-deps --target DIR 'mlflow-skinny==3.12.*', {OLDER_MLFLOW_VARIABLE}=DIR",
    )
    return Path(folder)


@functools.cache
def pages() -> Path:
    """The folder of the built web pages."""
    folder = Path(__file__).parent.parent / "modelyard" / "web" / "ui" / "dist"
    need((folder / "index.html").is_file(), "the pages are not built: cd modelyard/web/ui && npm ci && npm run build")
    return folder


@functools.cache
def axe() -> str:
    """The script of axe-core, which finds barriers in a page."""
    script = Path(__file__).parent.parent / "modelyard" / "web" / "ui" / "node_modules" / "axe-core" / "axe.min.js"
    need(script.is_file(), "no axe-core: cd modelyard/web/ui && npm ci")
    return script.read_text()
