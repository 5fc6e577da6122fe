"""Artifacts: paths that stay inside, bytes that stream, permissions, limits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from modelyard.core.artifacts.service import ArtifactService, check_artifact_path
from modelyard.core.bootstrap import Services
from modelyard.core.errors import InvalidInput, NotFound, PermissionDenied, TooLarge
from modelyard.core.identity.actor import Actor
from modelyard.core.interfaces import StoredFile
from modelyard.core.projects.models import Project
from tests.factories import Factories

MIB = 1024 * 1024
on_sqlite = pytest.mark.parametrize("database_kind", ["sqlite"])

BAD_PATHS = [
    "..", "../a", "a/..", "a/../b", ".", "a/./b", "/", "/etc/passwd", "//a", "a//b", "a/", "a\\b", "..\\a", "a\0b",
    "a\nb", "a\x7fb", "a\u0085b", "%2e%2e/a", "%2E%2E", "%252e%252e/a", "..%2fa", "%2fetc", "a%5cb", "a%00b", "a%0ab",
    "a%2f%2fb", "%25252525252525252525252e",
]  # fmt: skip
GOOD_PATHS = ["a", "a/b/c.txt", "...", "a..b", ".hidden", "50%", "50%25", "a%20b", "ünï/漢字 🦊.bin", "a b", "~", "C:x"]


@pytest.mark.parametrize("path", BAD_PATHS)
def test_paths_that_do_not_stay_inside_are_refused(path: str) -> None:
    with pytest.raises(InvalidInput, match="Invalid artifact path"):
        check_artifact_path(path)


@pytest.mark.parametrize("path", GOOD_PATHS)
def test_paths_that_are_merely_odd_are_taken(path: str) -> None:
    assert check_artifact_path(path) == path


@pytest.fixture
def project(factories: Factories) -> Project:
    return factories.project()


@pytest.fixture
def editor(factories: Factories, project: Project) -> Actor:
    return factories.actor(factories.member(project, "editor"))


@pytest.fixture
def artifacts(services: Services) -> ArtifactService:
    return services.artifacts


def content(artifacts: ArtifactService, actor: Actor, project: Project, path: str, **more: Any) -> bytes:
    return b"".join(artifacts.read(actor, project, path, **more)[1])


def test_what_is_written_is_listed_and_read(artifacts: ArtifactService, editor: Actor, project: Project) -> None:
    for path in GOOD_PATHS:
        stored = artifacts.write(editor, project, f"top/{path}", [b"one ", b"two"], size_bytes=7)
        assert stored == StoredFile(f"top/{path}", 7)
        assert content(artifacts, editor, project, f"top/{path}") == b"one two"
        if path == "a":
            artifacts.delete(editor, project, "top/a")
    names = [file.path for file in artifacts.list(editor, project, "top")]
    assert names == sorted({path.split("/")[0] for path in GOOD_PATHS})
    assert artifacts.list(editor, project) == [StoredFile("top", 0, is_directory=True)]
    assert artifacts.stat(editor, project, "top/a").is_directory
    assert content(artifacts, editor, project, "top/50%", offset=4, length=2) == b"tw"


@on_sqlite
def test_a_path_is_as_long_as_the_storage_allows(artifacts: ArtifactService, editor: Actor, project: Project) -> None:
    longest = "/".join(["a" * 200] * 4) + "/" + "b" * (1024 - 33 - 804)
    artifacts.write(editor, project, longest, [b"x"])
    assert content(artifacts, editor, project, longest) == b"x"
    with pytest.raises(InvalidInput, match="longer than 991 bytes"):
        artifacts.write(editor, project, longest + "b", [b"x"])
    with pytest.raises(InvalidInput, match="UTF-8"):
        artifacts.stat(editor, project, "a\ud800")


@on_sqlite
@pytest.mark.parametrize("path", BAD_PATHS)
def test_no_verb_takes_a_bad_path(artifacts: ArtifactService, editor: Actor, project: Project, path: str) -> None:
    for refused in (
        lambda: artifacts.list(editor, project, path),
        lambda: artifacts.stat(editor, project, path),
        lambda: artifacts.read(editor, project, path),
        lambda: artifacts.write(editor, project, path, [b"x"]),
        lambda: artifacts.delete(editor, project, path),
    ):
        with pytest.raises(InvalidInput):
            refused()


@on_sqlite
def test_chunks_are_small_both_ways(artifacts: ArtifactService, editor: Actor, project: Project) -> None:
    artifacts.write(editor, project, "big", iter([b"x" * (3 * MIB + 5)]))
    sizes = [len(chunk) for chunk in artifacts.read(editor, project, "big")[1]]
    assert max(sizes) <= MIB
    assert sum(sizes) == 3 * MIB + 5


@on_sqlite
@pytest.mark.parametrize("announced", [3, 5])
def test_an_upload_that_breaks_off_leaves_the_old_file(
    artifacts: ArtifactService, editor: Actor, project: Project, announced: int
) -> None:
    artifacts.write(editor, project, "a", [b"old"])
    with pytest.raises(InvalidInput, match="broke off"):
        artifacts.write(editor, project, "a", [b"four"], size_bytes=announced)
    with pytest.raises(ConnectionResetError):
        artifacts.write(editor, project, "a", _reset())
    assert content(artifacts, editor, project, "a") == b"old"
    assert [file.path for file in artifacts.list(editor, project)] == ["a"]


def _reset() -> Iterator[bytes]:
    yield b"new"
    raise ConnectionResetError


@on_sqlite
def test_more_than_the_limit_is_refused(services: Services, editor: Actor, project: Project) -> None:
    artifacts = ArtifactService(services.connections.storage_of, max_artifact_bytes=10)
    artifacts.write(editor, project, "a", [b"0123456789"], size_bytes=10)
    with pytest.raises(TooLarge, match="10 bytes"):
        artifacts.write(editor, project, "b", _never(), size_bytes=11)
    with pytest.raises(TooLarge):
        artifacts.write(editor, project, "b", [b"012345", b"67890"])
    assert [file.path for file in artifacts.list(editor, project)] == ["a"]


def _never() -> Iterator[bytes]:
    raise AssertionError("a chunk was taken of an upload that was too large from the start")
    yield b""


@on_sqlite
def test_what_is_not_there(artifacts: ArtifactService, editor: Actor, project: Project) -> None:
    for missing in (artifacts.stat, artifacts.read):
        with pytest.raises(NotFound, match="'none'"):
            missing(editor, project, "none")
    artifacts.write(editor, project, "a/b", [b"x"])
    with pytest.raises(InvalidInput, match="folder"):
        artifacts.read(editor, project, "a")
    assert list(artifacts.list(editor, project, "none")) == []
    assert list(artifacts.list(editor, project, "a/b")) == []
    artifacts.delete(editor, project, "none")
    artifacts.delete(editor, project, "a")
    assert list(artifacts.list(editor, project)) == []


@on_sqlite
def test_projects_are_apart_and_roles_hold(
    artifacts: ArtifactService, factories: Factories, editor: Actor, project: Project
) -> None:
    artifacts.write(editor, project, "a", [b"x"])
    viewer, stranger = factories.actor(factories.member(project, "viewer")), factories.actor()
    assert content(artifacts, viewer, project, "a") == b"x"
    for refused in (
        lambda: artifacts.write(viewer, project, "a", [b"y"]),
        lambda: artifacts.delete(viewer, project, "a"),
    ):
        with pytest.raises(PermissionDenied):
            refused()
    for hidden in (
        lambda: artifacts.list(stranger, project),
        lambda: artifacts.read(stranger, project, "a"),
        lambda: artifacts.write(stranger, project, "a", [b"y"]),
    ):
        with pytest.raises(NotFound):
            hidden()
    owner = factories.user()
    other = factories.project(owner=owner)
    assert artifacts.list(factories.actor(owner), other) == []
