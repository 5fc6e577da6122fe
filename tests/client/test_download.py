from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from modelyard.client import Client, NotFoundError, Response, ServerUnreachableError
from tests.fake_api import PROJECT, Answer, FakeApi

PATH = f"{PROJECT}/runs/r1/artifacts/content"


def test_streams_into_a_file(api: FakeApi, client: Client, tmp_path: Path) -> None:
    content = bytes(range(256)) * 4000
    api.put("GET", PATH, content)
    seen: list[int] = []
    runs = client.project("acme", "churn").runs
    saved = runs.download("r1", "plots/roc curve.png", tmp_path, on_bytes=seen.append)
    assert saved == tmp_path / "roc curve.png"
    assert saved.read_bytes() == content
    assert sum(seen) == len(content)
    assert len(seen) > 1
    assert api.last.query == {"path": "plots/roc curve.png"}


def test_a_broken_download_leaves_the_old_file(api: FakeApi, client: Client, tmp_path: Path) -> None:
    api.put("GET", PATH, Answer(200, b"x" * 1000, cut_at=100))
    target = tmp_path / "model.bin"
    target.write_bytes(b"old")
    with pytest.raises(ServerUnreachableError, match="broke off"):
        client.project("acme", "churn").runs.download("r1", "model.bin", target)
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_short_answer_of_another_transport_is_noticed(tmp_path: Path) -> None:
    client = Client("http://x.localhost", transport=lambda r: Response(200, {"content-length": "9"}, [b"abc"]))
    with pytest.raises(ServerUnreachableError, match="3 of 9"):
        client.project("acme", "churn").runs.download("r1", "a", tmp_path / "a")


def test_a_file_that_is_not_there(api: FakeApi, client: Client, tmp_path: Path) -> None:
    api.problem("GET", PATH, 404, "not_found", "There is no artifact.")
    with pytest.raises(NotFoundError, match="no artifact"):
        client.project("acme", "churn").runs.download("r1", "a", tmp_path / "new" / "a")
    assert not (tmp_path / "new").exists()


def test_files_walks_folders(api: FakeApi, client: Client) -> None:
    def listing(asked: Any) -> Answer:
        here = {
            "": [{"path": "a.txt", "is_directory": False}, {"path": "d", "is_directory": True}],
            "d": [{"path": "d/b.txt", "is_directory": False}],
        }
        return Answer(body={"items": here[asked.query.get("path", "")], "next_cursor": None})

    api.put("GET", f"{PROJECT}/runs/r1/artifacts", listing)
    assert [file["path"] for file in client.project("acme", "churn").runs.files("r1")] == ["a.txt", "d/b.txt"]
