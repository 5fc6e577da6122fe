"""What a page polls."""

from __future__ import annotations

import base64
import json

import pytest

from modelyard.core.bootstrap import Services
from tests.web.api.conftest import NewRunOf, log
from tests.web.conftest import Place
from tests.web.test_problems import problem


def test_a_page_is_told_what_changed_and_spared_the_rest(place: Place, services: Services, new_run: NewRunOf) -> None:
    first = place.call("GET", "/changes").get_json()
    assert (first["runs"], first["things"], first["complete"]) == ([], [], True)
    run_id = new_run()
    address = f"/changes?after={first['cursor']}"
    answer = place.call("GET", address)
    assert [(run["id"], run["experiment_id"]) for run in answer.get_json()["runs"]] == [(run_id, "0")]
    assert [(thing["kind"], thing["id"], thing["action"]) for thing in answer.get_json()["things"]] == [
        ("run", run_id, "run.created")
    ]
    asked = f"/changes?after={answer.get_json()['cursor']}"
    quiet = place.call("GET", asked)
    assert quiet.get_json() == {"cursor": answer.get_json()["cursor"], "runs": [], "things": [], "complete": True}
    tag = {"If-None-Match": quiet.headers["ETag"]}
    assert place.call("GET", asked, headers=tag).status_code == 304
    log(services, place, run_id, {"m": [(0, 1.0)]})
    later = place.call("GET", asked, headers=tag)
    assert [run["id"] for run in later.get_json()["runs"]] == [run_id]


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_a_cursor_that_is_made_up_is_refused(place: Place) -> None:
    cursor = place.call("GET", "/changes").get_json()["cursor"]
    search = json.loads(base64.urlsafe_b64decode(cursor))[0]
    forged = [
        base64.urlsafe_b64encode(json.dumps([search, position]).encode()).decode()
        for position in ([2**63, [], 0, []], [0, [1], 0, []], [0, [], -(2**64), []], [0, [], 0], {}, [0, [], "1", []])
    ]
    for wrong in ("x", cursor[:-4], "W10=", "漢", *forged):
        problem(place.call("GET", "/changes", query_string={"after": wrong}), 422, "invalid_input")
