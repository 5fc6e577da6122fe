"""Errors: one shape for all, whoever raises them."""

from __future__ import annotations

import importlib
import io
import pkgutil
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from peewee import OperationalError
from werkzeug.test import TestResponse

import modelyard
from modelyard.core import errors
from modelyard.core.outgoing import AddressRefused, Unreachable
from modelyard.web.errors import CODE_OF_STATUS, STATUS, status_of
from tests.web.conftest import Place

on_sqlite = pytest.mark.parametrize("database_kind", ["sqlite"])
FIELDS = {"type", "title", "status", "detail", "code", "request_id"}
PLUGIN = {"plugin": "p", "operation": "o"}


def problem(response: TestResponse, status: int, code: str) -> dict[str, Any]:
    """Check the shape of a problem and return it."""
    body = response.get_json()
    assert (response.status_code, response.mimetype) == (status, "application/problem+json"), body
    assert FIELDS <= set(body) <= FIELDS | {"hint", "errors"}
    assert (body["status"], body["code"], body["type"]) == (status, code, "about:blank")
    assert body["request_id"] == response.headers["X-Request-ID"] != ""
    assert isinstance(body["detail"], str)
    assert body["detail"]
    for texts in body.get("errors", {}).values():
        assert texts
        assert all(isinstance(text, str) for text in texts)
    return dict(body)


@on_sqlite
def test_each_kind_of_refusal_has_the_one_shape(place: Place) -> None:
    call, anonymous = place.call, place.client
    problem(call("POST", "/models", data="{", content_type="application/json"), 400, "bad_request")
    problem(call("POST", "/models", data=b"\xff", content_type="application/json"), 400, "bad_request")
    problem(anonymous.get(place.address), 401, "authentication_required")
    problem(call("GET", headers={"Authorization": "Bearer nonsense"}), 401, "authentication_required")
    problem(call("GET", headers={"Authorization": "Digest x"}), 401, "authentication_required")
    problem(call("POST", "/api/v1/organizations", {"slug": "x", "name": "X"}), 403, "permission_denied")
    problem(call("GET", "/models/none"), 404, "not_found")
    problem(call("GET", "/nothing"), 404, "not_found")
    problem(call("GET", "/api/v1/plugins/none"), 404, "not_found")
    allowed = call("PUT", "/models")
    problem(allowed, 405, "method_not_allowed")
    assert allowed.headers["Allow"] == "GET, HEAD, OPTIONS, POST"
    call("POST", "/models", {"name": "risk"})
    assert problem(call("POST", "/models", {"name": "risk"}), 409, "already_exists")["errors"].keys() == {"name"}
    problem(call("POST", "/models", data="name=risk"), 415, "unsupported_media_type")
    problem(call("POST", "/models", data="{}", content_type="text/plain"), 415, "unsupported_media_type")
    missing = problem(call("POST", "/models", {}), 422, "invalid_input")
    assert missing["errors"] == {"name": ["Missing data for required field."]}
    assert problem(call("POST", "/models", {"name": "a/b"}), 422, "invalid_input")["hint"]
    for response in (anonymous.get(place.address), call("GET", headers={"Authorization": "Bearer x"})):
        assert response.headers["WWW-Authenticate"] == "Bearer"


@on_sqlite
@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({"name": 5}, {"name"}),
        ({"name": "m", "unknown": 1}, {"unknown"}),
        ({"name": None}, {"name"}),
        ({"name": "m", "tags": {"k": 1}}, {"tags.k.value"}),
        ({"name": "m", "tags": []}, {"tags"}),
        ([], {"body"}),
        ("text", {"body"}),
        ([{"name": "m"}], {"body"}),
    ],
)
def test_wrong_shapes_name_the_field(place: Place, body: Any, fields: set[str]) -> None:
    answer = problem(place.call("POST", "/models", body), 422, "invalid_input")
    assert set(answer["errors"]) == fields
    assert all(name in answer["detail"] for name in fields)
    assert place.call("GET", "/models").get_json()["items"] == []


@on_sqlite
def test_wrong_queries_name_the_field(place: Place) -> None:
    for path, field in [
        ("/models?limit=0", "limit"), ("/models?limit=201", "limit"), ("/models?limit=x", "limit"),
        ("/runs/" + "0" * 32 + "/artifacts/content", "path"), ("/deployments/x/logs?lines=0", "lines"),
    ]:  # fmt: skip
        assert set(problem(place.call("GET", path), 422, "invalid_input")["errors"]) == {field}


@on_sqlite
def test_a_body_that_is_nested_without_end_is_refused(place: Place) -> None:
    for body in ("[" * 100_000, "[" * 300 + "]" * 300, '{"a":' * 300 + "1" + "}" * 300):
        answer = place.call("POST", "/models", data=body, content_type="application/json")
        problem(answer, 400, "bad_request")


@on_sqlite
@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "9" * 5000])
def test_numbers_that_json_does_not_have_are_refused(place: Place, number: str) -> None:
    body = f'{{"kind": "notifier", "provider": "log", "settings": {{"a": {number}}}}}'
    problem(place.call("POST", "/connections/test", data=body, content_type="application/json"), 400, "bad_request")


class Unread(io.RawIOBase):
    """A body that must not be read."""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        raise AssertionError("The body was read.")


@on_sqlite
def test_a_body_that_is_too_large_is_not_read(place: Place) -> None:
    for length in (place_limit(place) + 1, 10**15):
        environ = {"wsgi.input": Unread(), "CONTENT_LENGTH": str(length)}
        answer = place.call("POST", "/models", content_type="application/json", environ_overrides=environ)
        problem(answer, 413, "too_large")


@on_sqlite
def test_a_body_without_length_is_read_up_to_the_limit(place: Place) -> None:
    limit = place_limit(place)
    stream = io.BytesIO(b'{"name": "' + b"x" * (2 * limit) + b'"}')
    answer = place.call(
        "POST", "/models", content_type="application/json", headers={"Transfer-Encoding": "chunked"},
        environ_overrides={"wsgi.input": stream, "wsgi.input_terminated": True, "CONTENT_LENGTH": ""},
    )  # fmt: skip
    problem(answer, 413, "too_large")
    assert stream.tell() <= limit + 2 * 1024 * 1024


def place_limit(place: Place) -> int:
    return int(place.client.application.config["MAX_CONTENT_LENGTH"])


def all_errors() -> Iterator[type[errors.ModelyardError]]:
    """Every class of error in the package, with those in the modules of plugins."""
    for module in pkgutil.walk_packages(modelyard.__path__, "modelyard."):
        if (
            module.name.startswith(("modelyard.core", "modelyard.plugins", "modelyard.web"))
            and "ui." not in module.name
        ):
            importlib.import_module(module.name)
    waiting: list[type[errors.ModelyardError]] = [errors.ModelyardError]
    while waiting:
        cls = waiting.pop()
        yield cls
        waiting += cls.__subclasses__()


def make(cls: type[errors.ModelyardError]) -> errors.ModelyardError:
    return cls("said", **PLUGIN) if issubclass(cls, errors.PluginError) else cls("said")


def test_every_error_of_core_has_a_status_of_its_own() -> None:
    declared = {cls for cls in all_errors() if cls.__module__ == errors.__name__}
    assert declared == set(STATUS)
    assert all(status in CODE_OF_STATUS or status >= 500 for status in STATUS.values())


def test_codes_are_stable_and_one_for_each_class() -> None:
    codes = [cls.code for cls in all_errors() if cls.__module__.startswith("modelyard.")]
    assert len(set(codes)) == len(codes)


@on_sqlite
def test_every_error_is_answered(app: Flask, client: FlaskClient) -> None:
    raised: list[errors.ModelyardError] = []

    @app.get("/api/v1/raise")
    def fail() -> str:
        raise raised[-1]

    class Elsewhere(errors.NotFound):
        """A plugin's own."""

        code = "elsewhere"

    found = {*all_errors(), Elsewhere}
    assert {AddressRefused, Unreachable, Elsewhere} <= found
    for cls in found:
        raised.append(make(cls))
        answer = client.get("/api/v1/raise")
        body = problem(answer, status_of(cls), cls.code)
        assert (body["detail"] == "said") == (answer.status_code != 500)
    assert status_of(AddressRefused) == 422
    assert status_of(Unreachable) == 503
    assert status_of(Elsewhere) == 404


@on_sqlite
def test_a_surprise_tells_the_log_and_not_the_caller(
    app: Flask, client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    @app.get("/api/v1/raise/<kind>")
    def fail(kind: str) -> str:
        raise {"key": KeyError("hunter2"), "database": OperationalError("hunter2")}[kind]

    answer = client.get("/api/v1/raise/key", headers={"X-Request-ID": "find-me"})
    assert "hunter2" not in str(problem(answer, 500, "error"))
    answer = client.get("/api/v1/raise/database")
    assert "hunter2" not in str(problem(answer, 503, "unavailable"))
    assert answer.headers["Retry-After"] == "1"
    assert [record.message.count("hunter2") > 0 for record in caplog.records] == [True, True]
    assert "find-me" in caplog.records[0].message
