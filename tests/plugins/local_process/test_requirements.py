"""A model's requirements beside what is installed here."""

from __future__ import annotations

import shutil
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from modelyard import ReplicaSpec
from modelyard.plugins.local_process.requirements import compare
from modelyard.plugins.local_process.target import LocalProcess

PEEWEE = metadata.version("peewee")
CASES = [
    ("", [], []),
    (f"peewee=={PEEWEE}", [], []),
    ("Peewee>=1", [], []),
    ("peewee<1", [], [f"peewee {PEEWEE} (asked for: <1)"]),
    ("no-such-thing==1.0", ["no-such-thing==1.0"], []),
    ("no-such-thing==1.0 ; python_version < '3'", [], []),
    ("no-such-thing>=2  # a comment\n# another\n\npeewee", ["no-such-thing>=2"], []),
    ("no-such-thing==1 \\\n    --hash=sha256:00", ["no-such-thing==1"], []),
    ("-r other.txt\n--index-url https://x\n./folder\nhttps://x/y.whl\ngit+https://x/y", [], []),
    ("mlflow==" + metadata.version("mlflow-skinny"), [], []),
    ("mlflow[extras]", [], []),
    ("no-such-thing @ https://example.org/x.whl", ["no-such-thing @ https://example.org/x.whl"], []),
    ("\0 rubbish ===", [], []),
]


@pytest.mark.parametrize(("text", "missing", "other"), CASES)
def test_compare(tmp_path: Path, text: str, missing: list[str], other: list[str]) -> None:
    (tmp_path / "requirements.txt").write_text(text)
    found = compare(tmp_path / "requirements.txt")
    assert (list(found.missing), list(found.other)) == (missing, other)


def test_the_small_mlflow_is_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = metadata.version

    def without_the_large_one(name: str) -> str:
        if name == "mlflow":
            raise metadata.PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(metadata, "version", without_the_large_one)
    (tmp_path / "requirements.txt").write_text("mlflow>=2")
    assert compare(tmp_path / "requirements.txt").missing == ()


def test_a_file_that_is_not_there_asks_for_nothing(tmp_path: Path) -> None:
    assert compare(tmp_path / "requirements.txt").why_not() == ""


@pytest.fixture
def changed(spec: ReplicaSpec, plain: Path, tmp_path: Path) -> Any:
    """A replica whose model asks for what the test says."""

    def change(requirements: str) -> ReplicaSpec:
        shutil.copytree(plain, tmp_path / "model")
        (tmp_path / "model" / "requirements.txt").write_text(requirements)
        return replace(spec, model_directory=tmp_path / "model")

    return change


def test_a_missing_package_fails_with_the_line_for_pip(target: LocalProcess, changed: Any) -> None:
    spec = changed("mlflow\nno-such-thing==1.0\nnor-this>2\n")
    status = target.start(spec)
    assert status.state == "failed"
    assert status.message.endswith("pip install 'no-such-thing==1.0' 'nor-this>2'")
    assert target.observe(spec) == status
    (spec.model_directory / "requirements.txt").write_text("mlflow")
    assert target.start(spec).state == "starting"


def test_another_version_is_shown_and_does_not_fail(target: LocalProcess, changed: Any, becomes: Any) -> None:
    spec = changed("mlflow\npeewee==1.0\n")
    note = f"Other versions than the model asks for: peewee {PEEWEE} (asked for: ==1.0)."
    assert target.start(spec).message == note
    assert becomes(spec, "ready").message == note
    assert note in target.logs(spec)
