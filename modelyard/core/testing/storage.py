"""The contract of `Storage`. Give the fixture `storage`; each test works in a folder of its own."""

# ruff: noqa: D102, S101 - these are tests: their names say what they promise

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest

from modelyard.core.errors import NotFound, PluginUnavailable
from modelyard.core.interfaces import Provider, Storage, StoredFile
from modelyard.core.testing.provider import ProviderContract, assert_no_secret

MIB = 1024 * 1024


def content(storage: Storage, path: str) -> bytes:
    """The whole file."""
    return b"".join(storage.read(path))


def names(storage: Storage, path: str) -> list[str]:
    """The paths in a folder, as the storage lists them."""
    return [file.path for file in storage.list(path)]


def failing_chunks(*before: bytes) -> Iterator[bytes]:
    """Chunks whose sender goes away."""
    yield from before
    raise ConnectionResetError("the sender went away")


class StorageContract(ProviderContract):
    """Files by path: whole or not at all."""

    kind = "storage"

    @pytest.fixture
    def storage(self) -> Storage:
        raise NotImplementedError("Give a fixture named storage that returns a working storage.")

    @pytest.fixture
    def provider(self, storage: Storage) -> Provider:
        return storage

    @pytest.fixture
    def folder(self) -> str:
        return f"contract-{uuid4().hex}"

    def test_what_is_written_is_read(self, storage: Storage, folder: str) -> None:
        stored = storage.write(f"{folder}/a/b.txt", [b"one ", b"two"])

        assert stored == StoredFile(f"{folder}/a/b.txt", 7)
        assert content(storage, f"{folder}/a/b.txt") == b"one two"
        assert storage.stat(f"{folder}/a/b.txt") == stored

    def test_chunks_may_be_a_generator_with_empty_ones(self, storage: Storage, folder: str) -> None:
        stored = storage.write(f"{folder}/f", (chunk for chunk in (b"", b"a", b"", b"b", b"")))

        assert stored.size_bytes == 2
        assert content(storage, f"{folder}/f") == b"ab"

    @pytest.mark.parametrize("chunks", [[], [b""]], ids=["no chunk", "an empty chunk"])
    def test_an_empty_file_is_a_file(self, storage: Storage, folder: str, chunks: list[bytes]) -> None:
        assert storage.write(f"{folder}/empty", chunks).size_bytes == 0
        assert content(storage, f"{folder}/empty") == b""
        assert storage.stat(f"{folder}/empty") == StoredFile(f"{folder}/empty", 0)
        assert names(storage, folder) == [f"{folder}/empty"]

    @pytest.mark.parametrize(
        "name",
        [
            "with space.txt",
            "ünïcødé-模型.bin",
            "100% #1?&=+;.txt",
            "quote'\".txt",
            "-rf",
            "a:b",
            ".hidden",
            "UPPER",
            "~",
            "*",
        ],
    )
    def test_a_name_is_kept_as_it_is(self, storage: Storage, folder: str, name: str) -> None:
        path = f"{folder}/in here/{name}"
        storage.write(path, [b"content of ", name.encode()])

        assert content(storage, path) == b"content of " + name.encode()
        assert storage.stat(path).path == path
        assert names(storage, f"{folder}/in here") == [path]
        storage.delete(path)
        assert names(storage, f"{folder}/in here") == []

    def test_a_second_write_replaces_the_first(self, storage: Storage, folder: str) -> None:
        storage.write(f"{folder}/f", [b"a long first content"])
        storage.write(f"{folder}/f", [b"second"])

        assert content(storage, f"{folder}/f") == b"second"
        assert storage.stat(f"{folder}/f").size_bytes == 6

    def test_chunks_of_a_large_file_are_bytes_of_at_most_one_mebibyte(self, storage: Storage, folder: str) -> None:
        pattern = bytes(range(256)) * (MIB // 256)
        storage.write(f"{folder}/large", [pattern, pattern, pattern, b"end"])

        chunks = list(storage.read(f"{folder}/large"))

        assert all(type(chunk) is bytes and len(chunk) <= MIB for chunk in chunks)
        assert b"".join(chunks) == pattern * 3 + b"end"

    def test_one_huge_chunk_is_taken(self, storage: Storage, folder: str) -> None:
        storage.write(f"{folder}/large", [b"x" * (5 * MIB + 1)])

        assert sum(map(len, storage.read(f"{folder}/large"))) == 5 * MIB + 1

    @pytest.mark.parametrize(
        ("offset", "length", "expected"),
        [
            (0, None, b"0123456789"),
            (4, None, b"456789"),
            (0, 3, b"012"),
            (4, 3, b"456"),
            (8, 100, b"89"),
            (9, 1, b"9"),
            (10, None, b""),
            (11, 5, b""),
            (3, 0, b""),
        ],
    )
    def test_a_range_is_read(
        self, storage: Storage, folder: str, offset: int, length: int | None, expected: bytes
    ) -> None:
        storage.write(f"{folder}/digits", [b"01234", b"56789"])

        assert b"".join(storage.read(f"{folder}/digits", offset=offset, length=length)) == expected

    def test_a_missing_file_is_not_found_before_the_first_chunk(self, storage: Storage, folder: str) -> None:
        with pytest.raises(NotFound):
            next(iter(storage.read(f"{folder}/missing")), None)
        with pytest.raises(NotFound):
            storage.stat(f"{folder}/missing")

    def test_a_folder_is_not_read_as_a_file(self, storage: Storage, folder: str) -> None:
        storage.write(f"{folder}/sub/f", [b"x"])

        with pytest.raises(NotFound):
            next(iter(storage.read(f"{folder}/sub")), None)

    def test_a_folder_is_described_and_lists_its_direct_children_by_name(self, storage: Storage, folder: str) -> None:
        for name in ("b.txt", "a.txt", "sub/deep/c.txt", "sub/d.txt"):
            storage.write(f"{folder}/{name}", [name.encode()])

        assert storage.stat(f"{folder}/sub") == StoredFile(f"{folder}/sub", 0, is_directory=True)
        assert list(storage.list(folder)) == [
            StoredFile(f"{folder}/a.txt", 5),
            StoredFile(f"{folder}/b.txt", 5),
            StoredFile(f"{folder}/sub", 0, is_directory=True),
        ]
        assert names(storage, f"{folder}/sub") == [f"{folder}/sub/d.txt", f"{folder}/sub/deep"]

    def test_the_root_is_a_folder(self, storage: Storage, folder: str) -> None:
        assert storage.stat("").is_directory
        storage.write(f"{folder}/f", [b"x"])

        assert folder in names(storage, "")

    def test_a_missing_folder_lists_nothing(self, storage: Storage, folder: str) -> None:
        assert names(storage, f"{folder}/nothing here") == []

    def test_deleting_a_file_leaves_its_neighbours(self, storage: Storage, folder: str) -> None:
        storage.write(f"{folder}/f", [b"x"])
        storage.write(f"{folder}/f2", [b"x"])

        storage.delete(f"{folder}/f")

        assert names(storage, folder) == [f"{folder}/f2"]
        with pytest.raises(NotFound):
            storage.stat(f"{folder}/f")

    def test_deleting_a_folder_takes_all_in_it_and_no_name_that_begins_alike(
        self, storage: Storage, folder: str
    ) -> None:
        for path in ("run/f", "run/sub/g", "run2/f", "run.txt"):
            storage.write(f"{folder}/{path}", [b"x"])

        storage.delete(f"{folder}/run")

        assert names(storage, folder) == [f"{folder}/run.txt", f"{folder}/run2"]
        with pytest.raises(NotFound):
            storage.stat(f"{folder}/run/sub/g")

    def test_deleting_what_is_not_there_is_silent(self, storage: Storage, folder: str) -> None:
        storage.delete(f"{folder}/missing")
        storage.delete(f"{folder}/missing/file")

    def test_a_name_can_be_used_again_after_deleting(self, storage: Storage, folder: str) -> None:
        storage.write(f"{folder}/f", [b"old"])
        storage.delete(f"{folder}/f")
        storage.write(f"{folder}/f", [b"new"])

        assert content(storage, f"{folder}/f") == b"new"

    def test_chunks_that_fail_leave_the_old_content(self, storage: Storage, folder: str) -> None:
        storage.write(f"{folder}/f", [b"old"])

        with pytest.raises(Exception):  # noqa: B017, PT011 - what it is made into is the storage's own affair
            storage.write(f"{folder}/f", failing_chunks(b"new " * MIB))

        assert content(storage, f"{folder}/f") == b"old"
        assert names(storage, folder) == [f"{folder}/f"]

    @pytest.mark.parametrize("before", [(), (b"some",)], ids=["at once", "after a chunk"])
    def test_chunks_that_fail_leave_no_new_file(self, storage: Storage, folder: str, before: tuple[bytes, ...]) -> None:
        with pytest.raises(Exception):  # noqa: B017, PT011 - as above
            storage.write(f"{folder}/f", failing_chunks(*before))

        with pytest.raises(NotFound):
            storage.stat(f"{folder}/f")
        assert names(storage, folder) == []

    def test_who_reads_while_it_is_replaced_sees_one_whole_content(self, storage: Storage, folder: str) -> None:
        old, new = b"o" * (3 * MIB), b"n" * (3 * MIB)
        storage.write(f"{folder}/f", [old])
        reader = iter(storage.read(f"{folder}/f"))
        first = next(reader)

        storage.write(f"{folder}/f", [new])

        assert first + b"".join(reader) in (old, new)
        assert content(storage, f"{folder}/f") == new

    def test_concurrent_writers_leave_one_whole_file_and_readers_see_whole_files(
        self, storage: Storage, folder: str
    ) -> None:
        path = f"{folder}/contended"
        contents = [bytes([letter]) * (200_000 + letter) for letter in b"abcdefgh"]
        storage.write(path, [contents[0]])

        def write(whole: bytes) -> None:
            storage.write(path, [whole[:100_000], whole[100_000:]])

        with ThreadPoolExecutor(8) as threads:
            writes = [threads.submit(write, whole) for whole in contents * 2]
            reads = [threads.submit(content, storage, path) for _ in contents * 2]
            for done in writes:
                done.result()

        assert all(read.result() in contents for read in reads)
        assert content(storage, path) in contents
        assert names(storage, folder) == [path]

    def test_files_side_by_side_are_written_at_once(self, storage: Storage, folder: str) -> None:
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(lambda number: storage.write(f"{folder}/new/{number:02}", [b"x"]), range(24)))

        assert names(storage, f"{folder}/new") == [f"{folder}/new/{number:02}" for number in range(24)]


class StorageOutageContract:
    """For a storage with something behind it: give the fixture `unreachable_storage`, whose back end is down."""

    @pytest.fixture
    def unreachable_storage(self) -> Storage:
        raise NotImplementedError("Give a fixture named unreachable_storage.")

    def test_every_method_says_that_it_is_unavailable(self, unreachable_storage: Storage) -> None:
        storage = unreachable_storage
        with pytest.raises(PluginUnavailable):
            storage.write("f", [b"x"])
        with pytest.raises(PluginUnavailable):
            next(iter(storage.read("f")), None)
        with pytest.raises(PluginUnavailable):
            storage.stat("f")
        with pytest.raises(PluginUnavailable):
            list(storage.list(""))
        with pytest.raises(PluginUnavailable):
            storage.delete("f")

    def test_its_health_says_so_without_raising(self, unreachable_storage: Storage) -> None:
        assert unreachable_storage.health().ok is False

    def test_no_secret_is_in_what_it_says(self, unreachable_storage: Storage) -> None:
        with pytest.raises(PluginUnavailable) as caught:
            unreachable_storage.stat("f")

        assert_no_secret(unreachable_storage, str(caught.value), unreachable_storage.health().message)
