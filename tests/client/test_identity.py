from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, request

from modelyard.client import Client, NotConfiguredError, PlainHttpWarning, Request, Response, sends_in_clear
from tests.client.conftest import TOKEN
from tests.fake_api import Answer, FakeApi


def test_address_and_token_come_from_the_environment(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELYARD_URL", api.url + "/")
    monkeypatch.setenv("MODELYARD_TOKEN", TOKEN + "\n")
    api.put("GET", "/api/v1/session", {"user": {"username": "ada"}, "kind": "token"})
    with Client() as client:
        assert client.session.get()["user"]["username"] == "ada"
    assert api.last.headers["Authorization"] == f"Bearer {TOKEN}"


def test_without_an_address_it_says_how_to_give_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MODELYARD_URL", raising=False)
    with pytest.raises(NotConfiguredError, match="modelyard login URL"):
        Client()


@pytest.mark.parametrize(
    "url", ["example.com", "ftp://example.com", "http://", "http://x:99999", "https://a:b@x", "https://x/?a=1"]
)
def test_refuses_what_is_no_address_and_never_shows_a_password(url: str) -> None:
    with pytest.raises(NotConfiguredError) as caught:
        Client(url)
    assert "a:b" not in str(caught.value)


@pytest.mark.parametrize("token", ["a b", "a\nb", "tökén", "a\x00"])
def test_refuses_a_broken_token_without_showing_it(token: str) -> None:
    with pytest.raises(NotConfiguredError) as caught:
        Client("https://example.com", token)
    assert token not in str(caught.value)


def test_the_token_is_in_no_repr(client: Client) -> None:
    request = client._request("GET", "/", None, None, None, "", {})
    assert request.headers["Authorization"] == f"Bearer {TOKEN}"
    assert "secret" not in repr(client) + repr(request) + repr(client.project("acme", "churn"))


def test_a_login_in_netrc_does_not_replace_the_token(
    api: FakeApi, client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login eve password guess\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    api.put("GET", "/api/v1/session", {"user": {}, "kind": "token"})
    client.session.get()
    assert api.last.headers["Authorization"] == f"Bearer {TOKEN}"


@pytest.mark.parametrize(
    ("url", "clear"),
    [
        ("http://example.com", True),
        ("http://10.0.0.1:5000", True),
        ("https://example.com", False),
        ("http://localhost:5000", False),
        ("http://app.localhost", False),
        ("http://127.0.0.2", False),
        ("http://[::1]:5000", False),
        ("http://[2001:db8::1]", True),
    ],
)
def test_warns_before_a_token_goes_in_clear(url: str, clear: bool) -> None:
    assert sends_in_clear(url) is clear
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        Client(url)
        Client(url, TOKEN)
    assert [entry.category for entry in caught] == ([PlainHttpWarning] if clear else [])
    assert all("secret" not in str(entry.message) for entry in caught)


def test_a_password_in_clear_warns_too() -> None:
    client = Client("http://example.com", transport=lambda request: Response(200, {}, [b'{"kind": "user"}']))
    with pytest.warns(PlainHttpWarning):
        client.session.create("ada", "pass")


def test_the_cookie_of_a_sign_in_is_kept(api: FakeApi) -> None:
    user = {"user": {"username": "ada"}, "kind": "user"}
    api.put("POST", "/api/v1/session", Answer(201, user, {"Set-Cookie": "modelyard_session=abc; Path=/; HttpOnly"}))
    api.put("POST", "/api/v1/tokens", Answer(201, {"token": TOKEN}))
    api.put("DELETE", "/api/v1/session", Answer(204))
    with Client(api.url, "") as client:
        client.session.create("ada", "correct horse")
        assert client.tokens.create("laptop", ["write", "read"], expires_in_days=3)["token"] == TOKEN
        assert api.last.headers["Cookie"] == "modelyard_session=abc"
        assert api.last.headers["X-Requested-With"] == "modelyard"
        assert api.last.json == {"name": "laptop", "scopes": ["read", "write"], "expires_in_days": 3}
        client.session.delete()


def over_flask(app: Flask) -> Any:
    """The transport that docs/client.md shows."""
    browser = app.test_client()

    def transport(request: Request) -> Response:
        answer = browser.open(request.url, method=request.method, headers=dict(request.headers), data=request.body)
        headers = {name.lower(): value for name, value in answer.headers}
        return Response(answer.status_code, headers, [answer.data])

    return transport


def test_flasks_test_client_is_a_transport() -> None:
    app = Flask("small")

    @app.get("/under/api/v1/session")
    def session() -> dict[str, Any]:
        return {"user": {"username": request.headers["Authorization"]}, "kind": "token"}

    client = Client("http://app.localhost/under", TOKEN, transport=over_flask(app))
    assert client.session.get()["user"]["username"] == f"Bearer {TOKEN}"
