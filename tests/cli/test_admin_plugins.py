"""A plugin that the command line writes works at once, and the doctor finds what is wrong with others."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
KINDS = ("notifier", "storage", "deployment_target", "tracker")
Done = subprocess.CompletedProcess[str]


def run(*command: str, cwd: Path, path: Path | None = None) -> Done:
    """Run a program of this environment, with a folder more to import from."""
    search = [*([str(path)] if path else []), str(ROOT), *filter(None, sys.path)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(search), "PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop("MODELYARD_CONFIG", None)
    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One plugin of each kind."""
    folder = tmp_path_factory.mktemp("written")
    for kind in KINDS:
        name = f"grey-{kind.replace('_', '-')}"
        made = run("modelyard.cli.main", "admin", "plugins", "new", name, "--kind", kind, cwd=folder)
        assert made.returncode == 0, made.stderr
    return folder


@pytest.mark.parametrize("kind", KINDS)
def test_it_passes_its_own_tests(written: Path, kind: str, tmp_path: Path) -> None:
    folder = written / f"modelyard-grey-{kind.replace('_', '-')}"
    some = ("-k", "lifecycle or well or schema") if kind == "tracker" else ()  # the whole kit is run on sql_tracker
    options = ("-q", "-p", "no:cacheprovider", f"--basetemp={tmp_path / 'tests'}", *some)
    done = run("pytest", *options, "tests", cwd=folder, path=folder / "src")
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout


def test_they_are_typed_and_tidy(written: Path, tmp_path: Path) -> None:
    sources = [str(folder / "src") for folder in sorted(written.iterdir())]
    done = run("mypy", "--strict", f"--cache-dir={tmp_path}", "--follow-imports=silent", *sources, cwd=written)
    assert done.returncode == 0, done.stdout
    for folder in written.iterdir():
        tidy = run("ruff", "check", "--line-length=120", "--no-cache", ".", cwd=folder)
        assert tidy.returncode == 0, tidy.stdout


def test_it_is_installed_by_pip_and_found_well(written: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    options = ("--no-build-isolation", "--no-deps", "--quiet", "--disable-pip-version-check", "--no-index")
    installed = run("pip", "install", *options, "--target", str(site), "./modelyard-grey-notifier", cwd=written)
    assert installed.returncode == 0, installed.stderr
    looked = run(
        "modelyard.cli.main", "admin", "plugins", "doctor", "grey_notifier", "-o", "json", cwd=written, path=site
    )
    (found,) = json.loads(looked.stdout)
    assert (looked.returncode, found["problems"], found["advice"]) == (0, [], [])
    assert (found["distribution"], found["version"], found["hook_api"]) == (
        "modelyard-grey-notifier",
        "0.1.0",
        ">=1,<2",
    )
    assert found["providers"] == ["notifier:grey_notifier"]
    assert found["import_seconds"] > 0


@pytest.mark.parametrize("name", ["Grey", "1owl", "a--b", "a/b", "", "x" * 41, "../x", "owl\n"])
def test_a_name_that_is_none_writes_nothing(tmp_path: Path, name: str) -> None:
    from modelyard.cli.errors import Failure
    from modelyard.cli.scaffold import write_plugin

    with pytest.raises(Failure, match="no name for a plugin"):
        write_plugin(name, "notifier", tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_nothing_is_written_over(tmp_path: Path) -> None:
    from modelyard.cli.errors import Failure
    from modelyard.cli.scaffold import write_plugin

    folder = write_plugin("owl", "notifier", tmp_path)
    (folder / "README.md").write_text("mine")
    with pytest.raises(Failure, match="is there already"):
        write_plugin("owl", "storage", tmp_path)
    assert (folder / "README.md").read_text() == "mine"


NOTIFIER = """
    from marshmallow import Schema, fields
    from modelyard import Health, Notifier, hookimpl

    class Settings(Schema):
        token = fields.String()

    class Owl(Notifier):
        name = "owl"
        title = "Owl"
        settings_schema = Settings

        def health(self):
            return Health(True)

        def send({arguments}):
            pass

    @hookimpl
    def register_notifiers(register):
        register(Owl)
"""


@pytest.fixture
def look(tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Install the plugin `sick` and examine it."""
    from modelyard.core.plugin_doctor import examine, installed

    def examined(source: str, metadata: str = "", *, deadline_seconds: float = 30) -> dict[str, Any]:
        info = tmp_path / "sick_dist-1.0.dist-info"
        info.mkdir()
        (tmp_path / "sick.py").write_text(dedent(source))
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: sick-dist\nVersion: 1.0\n{metadata}")
        (info / "entry_points.txt").write_text("[modelyard]\nsick = sick\n")
        with pytest.MonkeyPatch.context() as patch:
            patch.syspath_prepend(str(tmp_path))
            patch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), str(ROOT)]))
            patch.setattr("modelyard.core.plugin_doctor.GRACE_SECONDS", 1.0)
            (plugin,) = installed("sick")
            found = examine(plugin, deadline_seconds=deadline_seconds)
        said = " ".join(f"{each.what} {each.mend}" for each in found.problems)
        return {"said": said, "count": len(found.problems), "found": found}

    return examined


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("import flux_capacitor", ("'flux_capacitor'", "pip install flux-capacitor")),
        ("import sys; sys.exit(3)", ("SystemExit",)),
        ("HOOK_API_VERSION = '>=7'", ("hook API '>=7'", "pip install --upgrade")),
        ("from modelyard import hookimpl\n@hookimpl\ndef startup(proces): pass", ("startup", "proces")),
        (NOTIFIER.format(arguments="self, notification, urgency"), ("Owl.send", "urgency", "interface's parameters")),
        (NOTIFIER.format(arguments="self"), ("Owl.send", "too many positional arguments")),
        ("import os; os._exit(7)", ("ended the process", "with 7", "plugins.disabled")),
        ("import os; os.kill(os.getpid(), 9)", ("ended the process", "with -9")),
    ],
)
def test_what_is_wrong_is_said_with_the_mend(
    look: Callable[..., dict[str, Any]], source: str, words: tuple[str, ...]
) -> None:
    found = look(source)
    assert found["count"] == 1, found["said"]
    for word in words:
        assert word in found["said"]


def test_one_that_hangs_is_killed(look: Callable[..., dict[str, Any]]) -> None:
    source = "import signal, threading\nsignal.alarm(0)\nwhile True: pass"
    said = look(source, deadline_seconds=1)["said"]
    assert "1 seconds" in said or "was not loaded within" in said


def test_requirements_that_are_missing_are_named(look: Callable[..., dict[str, Any]]) -> None:
    wanted = (
        "flux-capacitor>=2",
        "click>=999",
        "click",
        'nothing; extra == "all"',
        'nothing; python_version < "3"',
        "=?",
    )
    found = look(
        NOTIFIER.format(arguments="self, notification"), "".join(f"Requires-Dist: {each}\n" for each in wanted)
    )
    for word in ("flux-capacitor, which", "pip install 'flux-capacitor>=2'", "click>=999", "'=?' cannot be read"):
        assert word in found["said"]
    assert found["count"] == 3
    assert "looks like a secret" in found["found"].advice[0].what
    assert "no label" in found["found"].advice[1].what
    assert found["found"].hooks == ["register_notifiers"]


def test_the_exit_code_tells(tmp_path: Path) -> None:
    well = run("modelyard.cli.main", "admin", "plugins", "doctor", "log", cwd=tmp_path)
    assert (well.returncode, "none" in well.stdout) == (0, True)
    unknown = run("modelyard.cli.main", "admin", "plugins", "doctor", "no-such", cwd=tmp_path)
    assert unknown.returncode == 3
    assert "Installed: " in unknown.stderr
    info = tmp_path / "sick_dist-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: sick-dist\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[modelyard]\nsick = no_such_module\n")
    sick = run("modelyard.cli.main", "admin", "plugins", "doctor", "sick", cwd=tmp_path, path=tmp_path)
    assert sick.returncode == 1
    assert "pip install --force-reinstall sick-dist" in sick.stdout
