"""The keys of stored secrets: a file that only we may read, and what a wrong key says."""

from __future__ import annotations

import stat
import threading
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from modelyard.core.errors import ConfigurationError
from modelyard.core.secret_box import KEY_FILE, SecretBox, load_keys


def key() -> str:
    return Fernet.generate_key().decode()


def test_the_key_file_is_ours_alone_and_stays(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    keys = load_keys([], folder)
    assert stat.S_IMODE((folder / KEY_FILE).stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert [file.name for file in folder.iterdir()] == [KEY_FILE]
    assert load_keys([], folder) == keys
    assert load_keys(["given"], folder) == ["given"]


def test_processes_that_start_at_once_agree_on_a_key(tmp_path: Path) -> None:
    start, found = threading.Barrier(8), []

    def load() -> None:
        start.wait()
        found.append(tuple(load_keys([], tmp_path)))

    threads = [threading.Thread(target=load) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1
    assert [file.name for file in tmp_path.iterdir()] == [KEY_FILE]


def test_what_is_sealed_is_unreadable_and_opens_again() -> None:
    box = SecretBox([key()])
    sealed = box.seal({"token": "hunter2 ünï", "pin": 7})
    assert sealed is not None
    assert "hunter2" not in sealed
    assert box.open(sealed) == {"token": "hunter2 ünï", "pin": 7}
    assert (box.seal({}), box.open(None)) == (None, {})


def test_keys_are_rotated_newest_first() -> None:
    old, new = key(), key()
    sealed = SecretBox([old]).seal({"a": "b"})
    assert SecretBox([new, old]).open(sealed) == {"a": "b"}
    assert SecretBox([new]).open(SecretBox([new, old]).seal({"a": "b"})) == {"a": "b"}


def test_a_wrong_key_says_the_mend() -> None:
    sealed = SecretBox([key()]).seal({"token": "hunter2"})
    with pytest.raises(ConfigurationError, match="MODELYARD_SECRET_KEYS") as refused:
        SecretBox([key()]).open(sealed)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("keys", [["not a key"], [key(), "short"], [], ["ü"]])
def test_what_is_no_key_is_refused_and_not_quoted(keys: list[str]) -> None:
    with pytest.raises(ConfigurationError, match="Fernet key") as refused:
        SecretBox(keys)
    assert not any(given in str(refused.value) for given in keys)
