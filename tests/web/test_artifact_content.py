"""Artifacts by the API: lists from the run's root, ranges, and content that no browser runs."""

from __future__ import annotations

import pytest

from modelyard.core.bootstrap import Services
from modelyard.core.tracking.entities import NewRun
from tests.factories import Factories
from tests.web.conftest import Place
from tests.web.test_problems import problem

on_sqlite = pytest.mark.parametrize("database_kind", ["sqlite"])
DIGITS = b"0123456789"


@pytest.fixture
def run(services: Services, place: Place) -> str:
    """The address of a run with some artifacts."""
    made = services.runs.create(place.actor, place.project, NewRun(experiment_id="0", user_id="", start_time_ms=1))
    root = made.info.artifact_uri.removeprefix("mlflow-artifacts:/")
    for path, content in {
        "a.txt": DIGITS, "empty.bin": b"", "notes/readme.md": b"#", "notes/deep/er.json": b"{}",
        "page.html": b"<script>",
        "pic.svg": b"<svg/>", "pic.png": b"png", "run.js": b"alert()", "x.xhtml": b"<x/>", "no-suffix": b"?",
        "ünï cödé 1%.csv": b"a,b",
    }.items():  # fmt: skip
        services.artifacts.write(place.actor, place.project, f"{root}/{path}", [content])
    return f"/runs/{made.info.run_id}/artifacts"


def content(place: Place, run: str, path: str = "a.txt", **headers: str) -> tuple[int, bytes, dict[str, str]]:
    answer = place.call("GET", f"{run}/content", query_string={"path": path}, headers=headers)
    return answer.status_code, answer.get_data(), dict(answer.headers)


def test_paths_count_from_the_runs_root(place: Place, run: str) -> None:
    top = place.call("GET", run).get_json()["items"]
    assert {"path": "notes", "is_directory": True, "size_bytes": None} in top
    assert {"path": "a.txt", "is_directory": False, "size_bytes": 10} in top
    for folder in ("notes", "notes/", "/notes"):
        inside = place.call("GET", run, query_string={"path": folder}).get_json()["items"]
        assert [item["path"] for item in inside] == ["notes/deep", "notes/readme.md"]
    (deep,) = place.call("GET", run, query_string={"path": "notes/deep"}).get_json()["items"]
    assert deep["path"] == "notes/deep/er.json"
    assert content(place, run, deep["path"])[1] == b"{}"
    for nothing in ("none", "a.txt", "notes/readme.md"):
        assert place.call("GET", run, query_string={"path": nothing}).get_json()["items"] == []


@on_sqlite
@pytest.mark.parametrize("path", ["..", "../..", "a/../../b", "%2e%2e", "a\\..\\b", "notes//deep", ".", "a\n"])
def test_paths_that_lead_out_are_refused(place: Place, run: str, path: str) -> None:
    for address in (run, f"{run}/content"):
        problem(place.call("GET", address, query_string={"path": path}), 422, "invalid_input")


@on_sqlite
def test_a_range_is_a_part_of_the_file(place: Place, run: str) -> None:
    status, body, headers = content(place, run)
    assert (status, body, headers["Content-Length"], headers["Accept-Ranges"]) == (200, DIGITS, "10", "bytes")
    for asked, part, said in [
        ("bytes=0-3", DIGITS[:4], "bytes 0-3/10"), ("bytes=4-", DIGITS[4:], "bytes 4-9/10"),
        ("bytes=-3", DIGITS[-3:], "bytes 7-9/10"), ("bytes=8-100", DIGITS[8:], "bytes 8-9/10"),
        ("bytes=9-9", DIGITS[9:], "bytes 9-9/10"), ("bytes=-100", DIGITS, "bytes 0-9/10"),
    ]:  # fmt: skip
        status, body, headers = content(place, run, Range=asked)
        assert (status, body, headers["Content-Range"]) == (206, part, said), asked
        assert headers["Content-Length"] == str(len(part))


@on_sqlite
def test_a_range_outside_of_the_file_names_its_size(place: Place, run: str) -> None:
    for path, asked, size in [("a.txt", "bytes=10-", 10), ("a.txt", "bytes=99-100", 10), ("empty.bin", "bytes=0-", 0)]:
        answer = place.call("GET", f"{run}/content", query_string={"path": path}, headers={"Range": asked})
        problem(answer, 416, "range_not_satisfiable")
        assert answer.headers["Content-Range"] == f"bytes */{size}"


@on_sqlite
def test_a_range_that_cannot_be_met_in_one_piece_is_the_whole(place: Place, run: str) -> None:
    for asked in ("bytes=0-1,3-4", "lines=1-2", "bytes", "bytes=x", "bytes=5-2"):
        status, body, headers = content(place, run, Range=asked)
        assert (status, body, "Content-Range" in headers) == (200, DIGITS, False), asked
    status, body, _ = content(place, run, **{"Range": "bytes=0-1", "If-Range": '"some-etag"'})
    assert (status, body) == (200, DIGITS)
    assert content(place, run, "empty.bin")[:2] == (200, b"")


@on_sqlite
def test_content_is_inert(place: Place, run: str) -> None:
    for path, kind, way in [
        ("a.txt", "text/plain; charset=utf-8", "inline"), ("pic.png", "image/png", "inline"),
        ("notes/deep/er.json", "application/json", "inline"), ("page.html", "application/octet-stream", "attachment"),
        ("pic.svg", "application/octet-stream", "attachment"), ("run.js", "application/octet-stream", "attachment"),
        ("x.xhtml", "application/octet-stream", "attachment"), ("no-suffix", "application/octet-stream", "attachment"),
    ]:  # fmt: skip
        _, _, headers = content(place, run, path)
        assert headers["Content-Type"] in {kind, kind.partition(";")[0]}, path
        assert headers["Content-Disposition"] == f"{way}; filename*=UTF-8''{path.rpartition('/')[2]}"
        assert headers["X-Content-Type-Options"] == "nosniff"
    disposition = content(place, run, "ünï cödé 1%.csv")[2]["Content-Disposition"]
    assert disposition == "inline; filename*=UTF-8''%C3%BCn%C3%AF%20c%C3%B6d%C3%A9%201%25.csv"


@on_sqlite
def test_what_is_no_file_is_none(place: Place, run: str, factories: Factories) -> None:
    problem(place.call("GET", f"{run}/content", query_string={"path": "none"}), 404, "not_found")
    problem(place.call("GET", f"{run}/content", query_string={"path": "notes"}), 422, "invalid_input")
    problem(place.call("GET", f"/runs/{'0' * 32}/artifacts"), 404, "not_found")
    other = factories.project(owner=place.user)
    elsewhere = f"/api/v1/organizations/{other.organization.slug}/projects/{other.slug}{run}"
    problem(place.call("GET", elsewhere), 404, "not_found")
    problem(place.call("GET", f"{elsewhere}/content", query_string={"path": "a.txt"}), 404, "not_found")
    head = place.call("HEAD", f"{run}/content", query_string={"path": "a.txt"})
    assert (head.status_code, head.headers["Content-Length"], head.get_data()) == (200, "10", b"")
