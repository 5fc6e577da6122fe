from __future__ import annotations

import socket

import pytest

from modelyard.client import (
    Client,
    InvalidInputError,
    NotFoundError,
    Request,
    Response,
    ServerUnreachableError,
    UnavailableError,
)
from tests.client.conftest import TOKEN
from tests.fake_api import PROJECT, Answer, FakeApi


class TestRetries:
    def test_a_get_is_tried_again_after_503(self, api: FakeApi, client: Client, slept: list[float]) -> None:
        api.put("GET", "/x", Answer(503, {}, {"Retry-After": "2"}), Answer(503, {}), {"done": True})
        assert client.call("GET", "/x") == {"done": True}
        assert slept[0] == 2
        assert 0 < slept[1] < 1

    def test_it_gives_up_after_four(self, api: FakeApi, client: Client, slept: list[float]) -> None:
        api.put("GET", "/x", Answer(503, {"detail": "Down."}))
        with pytest.raises(UnavailableError, match="Down"):
            client.call("GET", "/x")
        assert (len(api.asked), len(slept)) == (4, 3)

    def test_it_does_not_wait_for_long(self, api: FakeApi, client: Client, slept: list[float]) -> None:
        api.put("GET", "/x", Answer(429, {}, {"Retry-After": "60"}))
        with pytest.raises(UnavailableError) as caught:
            client.call("GET", "/x")
        assert caught.value.retry_after_seconds == 60
        assert slept == []

    @pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
    def test_a_change_is_sent_again_under_the_same_key(self, api: FakeApi, client: Client, method: str) -> None:
        api.put(method, "/api/v1/x", Answer(503, {}), Answer(200, {"long": "x" * 100}, cut_at=10), {"done": True})
        assert client.call(method, "/api/v1/x") == {"done": True}
        assert client.call(method, "/api/v1/x") == {"done": True}
        keys = [asked.headers["Idempotency-Key"] for asked in api.asked]
        assert keys[0] == keys[1] == keys[2] != keys[3]

    @pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
    def test_what_can_have_no_key_is_sent_once(self, api: FakeApi, client: Client, method: str) -> None:
        api.put(method, "/serve/x", Answer(503, {}))
        api.put(method, "/api/v1/session", Answer(503, {}))
        with pytest.raises(UnavailableError):
            client.call(method, "/serve/x")
        with Client(api.url, "") as nobody, pytest.raises(UnavailableError):
            nobody.call(method, "/api/v1/session")
        assert len(api.asked) == 2

    def test_other_errors_are_final(self, api: FakeApi, client: Client) -> None:
        with pytest.raises(NotFoundError):
            client.call("GET", "/x")
        assert len(api.asked) == 1

    def test_nobody_there(self, slept: list[float]) -> None:
        with socket.create_server(("127.0.0.1", 0)) as held:
            port = held.getsockname()[1]
        with (
            Client(f"http://127.0.0.1:{port}", TOKEN, sleep=slept.append) as client,
            pytest.raises(ServerUnreachableError, match="modelyard serve") as caught,
        ):
            client.session.get()
        assert len(slept) == 3
        assert TOKEN not in str(caught.value)

    def test_a_broken_answer_is_asked_for_again(self, api: FakeApi, client: Client) -> None:
        api.put("GET", "/x", Answer(200, {"long": "x" * 100}, cut_at=10), {"done": True})
        assert client.call("GET", "/x") == {"done": True}

    @pytest.mark.parametrize(
        ("error", "says"),
        [(TimeoutError(), "did not answer in time"), (type("SSLError", (OSError,), {})(), "certificate")],
    )
    def test_says_why(self, error: OSError, says: str) -> None:
        def transport(request: Request) -> Response:
            raise error

        client = Client("https://example.com", transport=transport, sleep=lambda seconds: None)
        with pytest.raises(ServerUnreachableError, match=says):
            client.session.get()


class TestPages:
    def test_pages_are_asked_for_when_they_are_needed(self, api: FakeApi, client: Client) -> None:
        path = f"{PROJECT}/runs"
        api.put("GET", path, {"items": [{"id": 1}, {"id": 2}], "next_cursor": "c1"}, {"items": [{"id": 3}]})
        runs = client.project("acme", "churn").runs.list(
            filter="metrics.auc > 0.9", status="finished", order_by="metrics.auc DESC"
        )
        assert api.asked == []
        assert next(runs)["id"] == 1
        assert len(api.asked) == 1
        assert [run["id"] for run in runs] == [2, 3]
        condition = "metrics.auc > 0.9 and attributes.status = 'FINISHED'"
        assert api.asked[0].query == {"filter": condition, "order_by": "metrics.auc DESC", "limit": "200"}
        assert api.asked[1].query["cursor"] == "c1"

    def test_a_limit_bounds_what_is_asked_for(self, api: FakeApi, client: Client) -> None:
        api.put("GET", f"{PROJECT}/models", {"items": [{"id": n} for n in range(3)], "next_cursor": "c"})
        assert len(list(client.project("acme", "churn").models.list(limit=2))) == 2
        assert [asked.query["limit"] for asked in api.asked] == ["2"]

    def test_a_status_cannot_smuggle_a_condition(self, client: Client) -> None:
        with pytest.raises(InvalidInputError):
            client.project("acme", "churn").runs.list(status="A' or attributes.status = 'B")

    def test_a_history_comes_in_large_pages(self, api: FakeApi, client: Client) -> None:
        api.page(f"{PROJECT}/runs/r1/metrics/loss", [])
        assert list(client.project("acme", "churn").runs.metric_history("r1", "loss")) == []
        assert int(api.last.query["limit"]) > 1000

    def test_a_cursor_that_stands_still_ends(self, api: FakeApi, client: Client) -> None:
        api.put("GET", "/api/v1/tokens", {"items": [{}], "next_cursor": "same"})
        assert len(list(client.tokens.list())) == 2
