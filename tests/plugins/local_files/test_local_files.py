"""The built-in storage: the kit, and what only a file system has."""

import os
import socket
from pathlib import Path

import pytest

from modelyard import InvalidInput, NotFound
from modelyard.core.providers import validate_settings
from modelyard.core.testing import StorageContract
from modelyard.plugins.local_files.storage import INCOMING, LocalFiles


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "root"


@pytest.fixture
def files(root: Path) -> LocalFiles:
    return LocalFiles({"root": str(root)})


class TestContract(StorageContract):
    @pytest.fixture
    def storage(self, files: LocalFiles) -> LocalFiles:
        return files


class TestLinks:
    @pytest.fixture
    def secret(self, tmp_path: Path, root: Path) -> Path:
        outside = tmp_path / "outside"
        outside.mkdir()
        (outside / "secret").write_text("not yours")
        root.mkdir(parents=True)
        return outside

    def test_a_link_out_of_the_root_is_refused(self, files: LocalFiles, root: Path, secret: Path) -> None:
        (root / "folder").symlink_to(secret)
        (root / "file").symlink_to(secret / "secret")

        for path in ("file", "folder/secret"):
            with pytest.raises(InvalidInput, match="leads out"):
                next(iter(files.read(path)))
            with pytest.raises(InvalidInput, match="leads out"):
                files.stat(path)
            with pytest.raises(InvalidInput, match="leads out"):
                files.write(path, [b"overwritten"])
        assert (secret / "secret").read_text() == "not yours"

    def test_a_link_out_of_the_root_is_not_listed(self, files: LocalFiles, root: Path, secret: Path) -> None:
        (root / "folder").symlink_to(secret)
        (root / "here").write_text("x")

        assert [file.path for file in files.list("")] == ["here"]
        with pytest.raises(InvalidInput, match="leads out"):
            files.list("folder")

    def test_deleting_a_link_leaves_what_it_leads_to(self, files: LocalFiles, root: Path, secret: Path) -> None:
        (root / "folder").symlink_to(secret)

        with pytest.raises(InvalidInput, match="leads out"):
            files.delete("folder/secret")
        files.delete("folder")

        assert not (root / "folder").is_symlink()
        assert (secret / "secret").exists()

    def test_deleting_a_folder_does_not_follow_links_in_it(self, files: LocalFiles, root: Path, secret: Path) -> None:
        files.write("folder/f", [b"x"])
        (root / "folder" / "link").symlink_to(secret)

        files.delete("folder")

        assert (secret / "secret").exists()
        assert not (root / "folder").exists()

    def test_a_link_within_the_root_is_followed(self, files: LocalFiles, root: Path) -> None:
        files.write("data/f", [b"content"])
        (root / "alias").symlink_to(root / "data")

        assert b"".join(files.read("alias/f")) == b"content"

    def test_links_in_a_circle_and_into_nothing_harm_nobody(self, files: LocalFiles, root: Path) -> None:
        files.write("f", [b"x"])
        (root / "circle").symlink_to(root / "circle")
        (root / "nothing").symlink_to(root / "gone")

        assert [file.path for file in files.list("")] == ["f"]
        with pytest.raises(InvalidInput):
            files.stat("circle")
        with pytest.raises(NotFound):
            files.stat("nothing")

    def test_a_root_that_is_a_link_is_fine(self, tmp_path: Path) -> None:
        (tmp_path / "disk").mkdir()
        (tmp_path / "link").symlink_to(tmp_path / "disk")
        files = LocalFiles({"root": str(tmp_path / "link")})

        files.write("a/f", [b"x"])

        assert (tmp_path / "disk" / "a" / "f").read_bytes() == b"x"


class TestShape:
    def test_a_folder_is_not_overwritten_by_a_file(self, files: LocalFiles) -> None:
        files.write("a/b", [b"x"])

        with pytest.raises(InvalidInput, match="is a folder"):
            files.write("a", [b"x"])

    @pytest.mark.parametrize("path", ["a/b", "a/b/c"])
    def test_nothing_can_be_below_a_file(self, files: LocalFiles, path: str) -> None:
        files.write("a", [b"x"])

        with pytest.raises(InvalidInput, match="is a file"):
            files.write(path, [b"x"])
        with pytest.raises(NotFound):
            files.stat(path)
        files.delete(path)
        assert b"".join(files.read("a")) == b"x"

    def test_a_part_that_no_file_system_takes_is_refused(self, files: LocalFiles) -> None:
        with pytest.raises(InvalidInput, match="255 bytes"):
            files.write("ü" * 128, [b"x"])

    def test_pipes_and_sockets_are_no_files(self, files: LocalFiles, root: Path) -> None:
        files.write("f", [b"x"])
        os.mkfifo(root / "pipe")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(root / "socket"))

            assert [file.path for file in files.list("")] == ["f"]
            with pytest.raises(NotFound):
                next(iter(files.read("pipe")))


class TestIncoming:
    def test_the_folder_of_unfinished_files_is_nobodys(self, files: LocalFiles, root: Path) -> None:
        files.write("f", [b"x"])
        assert (root / INCOMING).is_dir()

        assert [file.path for file in files.list("")] == ["f"]
        for call in (files.stat, files.list, files.delete):
            with pytest.raises(InvalidInput, match="of Modelyard's own"):
                call(INCOMING)
        with pytest.raises(InvalidInput, match="of Modelyard's own"):
            files.write(f"{INCOMING}/f", [b"x"])

    def test_nothing_unfinished_is_left_behind(self, files: LocalFiles, root: Path) -> None:
        def broken() -> object:
            yield b"some"
            raise OSError("the sender went away")

        with pytest.raises(OSError, match="the sender"):
            files.write("f", broken())  # type: ignore[arg-type]

        assert list((root / INCOMING).iterdir()) == []


class TestHealth:
    def test_it_makes_its_folder(self, files: LocalFiles, root: Path) -> None:
        assert files.health().ok
        assert root.is_dir()

    def test_it_says_why_it_is_not_well(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("x")

        health = LocalFiles({"root": str(tmp_path / "file" / "root")}).health()

        assert not health.ok
        assert str(tmp_path) in health.message


@pytest.mark.parametrize("root", ["relative", "", "./here", "/with\0nul", None, 7])
def test_the_root_must_be_an_absolute_path(root: object) -> None:
    with pytest.raises(InvalidInput, match="root"):
        validate_settings(LocalFiles.settings_schema, {"root": root})
