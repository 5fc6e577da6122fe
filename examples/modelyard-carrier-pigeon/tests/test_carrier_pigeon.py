"""The conformance kit, and the diary."""

import json
from pathlib import Path

import modelyard_carrier_pigeon
import pytest
from modelyard_carrier_pigeon.notifier import CarrierPigeon
from modelyard_carrier_pigeon.storage import ZippedFiles

from modelyard import EventRecord
from modelyard.core.testing import NotifierContract, NotifierOutageContract, StorageContract


class TestNotifier(NotifierContract):
    @pytest.fixture
    def notifier(self, tmp_path):
        return CarrierPigeon({"loft": str(tmp_path / "loft")})

    def delivered(self, notifier):
        return [json.loads(line)["id"] for line in Path(notifier.settings["loft"]).read_text().splitlines()]


class TestNotifierOutage(NotifierOutageContract):
    @pytest.fixture
    def unreachable_notifier(self, tmp_path):
        return CarrierPigeon({"loft": str(tmp_path / "no such folder" / "loft")})


class TestStorage(StorageContract):
    @pytest.fixture
    def storage(self, tmp_path):
        return ZippedFiles({"folder": str(tmp_path / "files"), "level": 1})


def test_a_file_and_a_folder_of_one_name_do_not_meet(tmp_path):
    storage = ZippedFiles({"folder": str(tmp_path), "level": 1})
    storage.write("a", [b"file"])
    storage.write("a/b", [b"below"])

    assert b"".join(storage.read("a")) == b"file"
    assert b"".join(storage.read("a/b")) == b"below"


def test_the_diary_is_kept(tmp_path, monkeypatch):
    event = EventRecord(
        id="e1",
        action="model_version.stage_changed",
        occurred_at_ms=0,
        organization="acme",
        project="churn",
        actor_kind="user",
        actor_id="u1",
        actor_name="ada",
        object_kind="model_version",
        object_id="v1",
        object_name="risk/3",
        before={"stage": "Staging"},
        after={"stage": "Production"},
        request_id="r1",
        schema_version=1,
    )
    modelyard_carrier_pigeon.stage_changed(event)
    monkeypatch.setenv("CARRIER_PIGEON_DIARY", str(tmp_path / "diary"))

    modelyard_carrier_pigeon.stage_changed(event)

    assert [json.loads(line) for line in (tmp_path / "diary").read_text().splitlines()] == [
        {"id": "e1", "project": "churn", "model_version": "risk/3", "from": "Staging", "to": "Production", "by": "ada"}
    ]
