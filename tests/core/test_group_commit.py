"""Writers that come together are committed together; each gets its own answer."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from peewee import OperationalError

from modelyard.core import db
from modelyard.core.group_commit import GroupCommit, write_together
from modelyard.core.idempotency import IdempotentAnswer

on_sqlite = pytest.mark.parametrize("database_kind", ["sqlite"])


def write(key: str) -> str:
    IdempotentAnswer.create(actor="a", route_hash="r", key=key, encrypted_answer="x")
    return key


def kept() -> list[str]:
    return sorted(row.key for row in IdempotentAnswer.select())


class Line:
    """Threads whose work comes while the first one's transaction is still open."""

    def __init__(self) -> None:
        self.group = GroupCommit()
        self.first_is_in = threading.Event()
        self.first_may_go = threading.Event()

    def first(self) -> str:
        self.first_is_in.set()
        assert self.first_may_go.wait(20)
        return write("first")

    def run(self, works: list[Any]) -> list[Any]:
        """Let the first begin, queue the others behind it, and return what each came to."""

        def one(work: Any) -> Any:
            try:
                with db.connection():
                    return self.group.write(work)
            except Exception as error:  # noqa: BLE001 - the outcome is looked at
                return error
            finally:
                db.database.close()

        with ThreadPoolExecutor(len(works) + 1) as threads:
            futures = [threads.submit(one, self.first)]
            assert self.first_is_in.wait(20)
            futures += [threads.submit(one, work) for work in works]
            deadline = threading.Event()
            while len(self.group._line) < len(works):
                assert not deadline.wait(0.001)
            self.first_may_go.set()
            return [future.result(20) for future in futures]


@pytest.fixture
def line(opened_database: Any) -> Iterator[Line]:
    with db.connection():
        yield Line()


@on_sqlite
def test_those_who_wait_are_committed_at_once(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    commits: list[int] = []
    commit = type(db.database.obj).commit
    monkeypatch.setattr(type(db.database.obj), "commit", lambda self: (commits.append(1), commit(self))[1])
    works = [lambda number=number: write(f"k{number}") for number in range(8)]
    assert line.run(works) == ["first", *[f"k{number}" for number in range(8)]]
    assert len(commits) == 2
    assert kept() == sorted(["first", *[f"k{number}" for number in range(8)]])


@on_sqlite
def test_one_that_fails_takes_nobody_along(line: Line) -> None:
    def fail() -> None:
        write("lost")
        raise ZeroDivisionError

    outcomes = line.run([lambda: write("a"), fail, lambda: write("b")])
    assert [str(one) for one in outcomes[:2] + outcomes[3:]] == ["first", "a", "b"]
    assert isinstance(outcomes[2], ZeroDivisionError)
    assert kept() == ["a", "b", "first"]


@on_sqlite
def test_a_commit_that_fails_is_told_to_all_of_its_group(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is told that something is kept which is not."""
    commit = type(db.database.obj).commit
    seen: list[int] = []

    def failing(self: Any) -> Any:
        seen.append(1)
        if len(seen) == 2:
            raise OperationalError("disk full")
        return commit(self)

    monkeypatch.setattr(type(db.database.obj), "commit", failing)
    outcomes = line.run([lambda: write("a"), lambda: write("b")])
    assert outcomes[0] == "first"
    assert [type(one) for one in outcomes[1:]] == [OperationalError, OperationalError]
    assert kept() == ["first"]


@on_sqlite
def test_a_single_writer_that_fails_leaves_nothing_and_nobody_waiting(line: Line) -> None:
    def fail() -> None:
        write("lost")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        line.group.write(fail)
    assert kept() == []
    assert line.group.write(lambda: write("after")) == "after"


@on_sqlite
def test_many_writers_lose_nothing(line: Line) -> None:
    def some(name: int) -> None:
        with db.connection():
            for number in range(50):
                assert line.group.write(lambda number=number: write(f"{name}-{number}")) == f"{name}-{number}"
        db.database.close()

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(some, range(8)))
    assert len(kept()) == 400


def test_inside_of_a_transaction_it_is_part_of_that(opened_database: Any) -> None:
    with db.connection():
        with pytest.raises(ZeroDivisionError), db.atomic():
            assert write_together(lambda: write("a")) == "a"
            raise ZeroDivisionError
        assert kept() == []
        assert write_together(lambda: write("b")) == "b"
        assert kept() == ["b"]


@on_sqlite
def test_what_comes_after_sqlite_rolled_back_by_itself_is_not_kept_alone(line: Line) -> None:
    """As it does when the disk is full."""

    def fill_the_disk() -> None:
        write("lost")
        db.database.connection().rollback()
        raise OperationalError("database or disk is full")

    outcomes = line.run([lambda: write("a"), fill_the_disk, lambda: write("b")])
    assert outcomes[0] == "first"
    assert [type(one) for one in outcomes[1:]] == [OperationalError] * 3
    assert kept() == ["first"]
    assert line.group.write(lambda: write("after")) == "after"
