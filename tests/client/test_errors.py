from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard import client as package
from modelyard.client import (
    Client,
    ClientError,
    InvalidInputError,
    NotFoundError,
    ServerError,
    TooLargeError,
    UnexpectedAnswerError,
)
from modelyard.client.addresses import segments
from modelyard.client.failures import ERROR_OF_STATUS
from tests.fake_api import Answer, FakeApi


@pytest.mark.parametrize(("status", "kind"), sorted(ERROR_OF_STATUS.items()))
def test_each_status_has_its_class(api: FakeApi, client: Client, status: int, kind: type[ClientError]) -> None:
    problem = {"code": "some_code", "detail": "It is so.", "hint": "Do this.", "errors": {"name": ["Too long."]}}
    api.put("POST", "/x", Answer(status, {**problem, "request_id": "req-1"}))
    with pytest.raises(kind) as caught:
        client.call("POST", "/x")
    error = caught.value
    assert type(error) is kind
    assert (error.status, error.code, error.detail, error.hint) == (status, "some_code", "It is so.", "Do this.")
    assert (error.errors, error.request_id) == ({"name": ["Too long."]}, "req-1")
    assert str(error) == "It is so. Do this."


def test_other_statuses_are_the_servers_fault_or_the_root(api: FakeApi, client: Client) -> None:
    for status, kind in ((500, ServerError), (418, ClientError)):
        api.put("POST", "/x", Answer(status, b"<html>", {"X-Request-ID": "req-2"}))
        with pytest.raises(ClientError) as caught:
            client.call("POST", "/x")
        assert type(caught.value) is kind
        assert f"POST {api.url}/x answered {status}" in str(caught.value)
        assert caught.value.request_id == "req-2"


@pytest.mark.parametrize(
    "body", [{"error_code": "BAD", "message": "No column a."}, {"error": "No column a."}, {"title": "No column a."}]
)
def test_the_model_servers_forms_are_read(api: FakeApi, client: Client, body: Any) -> None:
    api.put("POST", "/serve/acme/churn/live/invocations", Answer(400, body))
    with pytest.raises(InvalidInputError, match="No column a"):
        client.predict("acme", "churn", "live", [[1]])


@pytest.mark.parametrize("body", [[], "text", None, 3])
def test_a_problem_that_is_no_object_is_survived(api: FakeApi, client: Client, body: Any) -> None:
    api.put("GET", "/x", Answer(404, body))
    with pytest.raises(NotFoundError, match="answered 404"):
        client.call("GET", "/x")


def test_what_is_not_json_is_unexpected(api: FakeApi, client: Client) -> None:
    api.put("GET", "/api/v1/session", b"<html>Welcome</html>")
    with pytest.raises(UnexpectedAnswerError, match="in place of JSON"):
        client.session.get()
    api.put("GET", "/api/v1/session", ["no", "object"])
    with pytest.raises(UnexpectedAnswerError):
        client.session.get()
    api.put("GET", "/api/v1/tokens", {"things": []})
    with pytest.raises(UnexpectedAnswerError):
        list(client.tokens.list())


def test_a_change_is_never_sent_on(api: FakeApi, client: Client) -> None:
    api.put("POST", "/api/v1/tokens", Answer(301, None, {"Location": "https://elsewhere.example/"}))
    with pytest.raises(UnexpectedAnswerError, match=r"elsewhere\.example"):
        client.tokens.create("a", ["read"])


def test_what_json_cannot_hold_is_refused_before_it_is_sent(api: FakeApi, client: Client) -> None:
    for data in ([[float("nan")]], [[object()]]):
        with pytest.raises(InvalidInputError):
            client.predict("acme", "churn", "live", data)
    assert api.asked == []


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_names_that_would_change_the_path_are_refused(client: Client, name: str) -> None:
    with pytest.raises(InvalidInputError):
        client.project("acme", name)


@given(st.text(min_size=1).filter(lambda text: text not in {".", ".."} and text.isprintable()))
def test_any_other_name_is_one_segment(name: str) -> None:
    path = segments("models", name)
    assert path.count("/") == 2
    assert path.isascii()


def test_every_class_says_what_it_is() -> None:
    classes = [kind for kind in vars(package).values() if isinstance(kind, type) and issubclass(kind, ClientError)]
    assert len(classes) > 10
    for kind in classes:
        assert kind.__doc__
        assert kind.__name__ in (package.__doc__ or "")


def test_too_large_is_an_invalid_input_of_python_too() -> None:
    assert issubclass(TooLargeError, ValueError)
    assert issubclass(NotFoundError, LookupError)
