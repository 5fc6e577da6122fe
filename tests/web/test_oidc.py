"""Sign-in at a real OpenID Connect provider, from the button to the page that was wanted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit, urlunsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from modelyard.config.settings import Settings
from modelyard.core.identity.models import IdentityLink, User
from tests.factories import Factories
from tests.identity_provider import CLIENT_ID, CLIENT_SECRET, IdentityProvider

HERE = "http://127.0.0.1:5000"
START = "/auth/oidc/start"


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IdentityProvider]:
    provider = IdentityProvider(tmp_path_factory.mktemp("provider"), f"{HERE}/auth/oidc/callback")
    yield provider
    provider.stop()


@pytest.fixture
def oidc() -> dict[str, Any]:
    """Changes to the section for one test."""
    return {}


@pytest.fixture
def settings(override: Callable[..., Settings], provider: IdentityProvider, oidc: dict[str, Any]) -> Settings:
    """A server that the provider knows."""
    section = {"issuer": provider.issuer, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "name": "Acme ID"}
    mappings = ("staff=acme:member", "roots=instance_admin")
    return override(oidc={**section, "role_mappings": mappings, **oidc}, server={"public_url": HERE})


def path_of(address: str) -> str:
    """The path and query of one of our own addresses, as the test's client asks for it."""
    assert address.startswith(HERE), address
    return address.removeprefix(HERE)


def leave(client: FlaskClient, next_path: str = "/") -> str:
    """Press the button; returns where the browser goes."""
    answer = client.get(START, query_string={"next": next_path})
    assert answer.status_code == 302, answer.get_data(as_text=True)
    return str(answer.headers["Location"])


def come_back(client: FlaskClient, provider: IdentityProvider, login: str, next_path: str = "/") -> TestResponse:
    return client.get(path_of(provider.sign_in(leave(client, next_path), login)))


def refused(answer: TestResponse, status: int, text: str) -> None:
    """The answer is a problem that says so, and nobody is signed in by it."""
    assert (answer.status_code, answer.content_type) == (status, "application/problem+json")
    assert text in answer.get_json()["detail"]
    assert not any("modelyard_session" in cookie for cookie in answer.headers.getlist("Set-Cookie"))


def test_a_new_person_signs_in_and_comes_to_the_page(
    client: FlaskClient, provider: IdentityProvider, factories: Factories
) -> None:
    factories.organization("acme")
    provider.knows("s-ada", preferred_username="ada", name="Ada Lovelace", groups=["staff"])
    answer = come_back(client, provider, "s-ada", "/acme?tab=members")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/acme?tab=members")
    session = client.get("/api/v1/session").get_json()
    assert session["user"]["username"] == "ada"
    assert session["user"]["display_name"] == "Ada Lovelace"
    assert [item["slug"] for item in client.get("/api/v1/organizations").get_json()["items"]] == ["acme"]
    link = IdentityLink.get()
    assert (link.issuer, link.subject, link.user.username) == (provider.issuer, "s-ada", "ada")


def test_groups_that_are_gone_there_are_gone_here(
    client: FlaskClient, provider: IdentityProvider, factories: Factories
) -> None:
    factories.organization("acme")
    for groups, expected in ((["roots", "staff"], (True, 1)), (["staff"], (False, 1)), ([], (False, 0))):
        provider.knows("s-eva", preferred_username="eva", groups=groups)
        assert come_back(client, provider, "s-eva").status_code == 302
        mine = client.get("/api/v1/organizations").get_json()["items"]
        assert (User.get(User.username == "eva").is_instance_admin, len(mine)) == expected


def test_what_leaves_the_server_is_bound_to_this_browser(client: FlaskClient) -> None:
    answer = client.get(START)
    query = {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["Location"]).query).items()}
    assert (query["response_type"], query["code_challenge_method"], query["client_id"]) == ("code", "S256", CLIENT_ID)
    assert query["scope"] == "openid profile email groups"
    assert query["redirect_uri"] == f"{HERE}/auth/oidc/callback"
    (cookie,) = answer.headers.getlist("Set-Cookie")
    assert {"HttpOnly", "SameSite=Lax", "Path=/auth/oidc", "Max-Age=600"} <= set(cookie.split("; "))
    assert not any(query[secret] in cookie for secret in ("state", "nonce", "code_challenge"))
    assert answer.headers["Cache-Control"] == "no-store"
    assert CLIENT_SECRET not in answer.headers["Location"]


def test_the_way_back_is_open_once_and_to_this_browser_only(
    app: Flask, client: FlaskClient, provider: IdentityProvider
) -> None:
    back = path_of(provider.sign_in(leave(client), "s-ada"))
    cookie = client.get_cookie("modelyard_sign_in", path="/auth/oidc")
    assert cookie is not None
    refused(app.test_client().get(back), 401, "This browser began no such sign-in")
    assert client.get(back).status_code == 302
    refused(client.get(back), 401, "This browser began no such sign-in")
    thief = app.test_client()
    thief.set_cookie("modelyard_sign_in", cookie.value, path="/auth/oidc")
    refused(thief.get(back), 401, "has come back before")


def test_a_bogus_state_is_refused(client: FlaskClient, provider: IdentityProvider) -> None:
    back = path_of(provider.sign_in(leave(client), "s-ada"))
    state = parse_qs(urlsplit(back).query)["state"][0]
    refused(client.get(back.replace(state, "x" * len(state))), 401, "This browser began no such sign-in")
    leave(client)
    refused(client.get("/auth/oidc/callback"), 401, "This browser began no such sign-in")


def test_a_code_is_taken_once(app: Flask, client: FlaskClient, provider: IdentityProvider) -> None:
    back = path_of(provider.sign_in(leave(client), "s-ada"))
    code = parse_qs(urlsplit(back).query)["code"][0]
    assert client.get(back).status_code == 302
    other = app.test_client()
    state = parse_qs(urlsplit(leave(other)).query)["state"][0]
    answer = other.get("/auth/oidc/callback", query_string={"code": code, "state": state})
    refused(answer, 401, "does not hold (invalid_grant)")
    state = parse_qs(urlsplit(leave(other)).query)["state"][0]
    refused(other.get("/auth/oidc/callback", query_string={"code": "x", "state": state}), 401, "invalid_grant")


def changed(address: str, **values: str) -> str:
    parts = urlsplit(address)
    query = {name: found[0] for name, found in parse_qs(parts.query).items()}
    return urlunsplit(parts._replace(query=urlencode({**query, **values})))


def test_a_token_with_another_nonce_is_refused(client: FlaskClient, provider: IdentityProvider) -> None:
    back = provider.sign_in(changed(leave(client), nonce="another"), "s-ada")
    refused(client.get(path_of(back)), 401, "does not hold (invalid_claim)")


def test_a_code_for_another_challenge_is_refused(client: FlaskClient, provider: IdentityProvider) -> None:
    back = provider.sign_in(changed(leave(client), code_challenge="A" * 43), "s-ada")
    refused(client.get(path_of(back)), 401, "does not hold (invalid_grant)")


def test_an_answer_of_another_provider_is_refused(client: FlaskClient, provider: IdentityProvider) -> None:
    back = provider.sign_in(leave(client), "s-ada")
    refused(client.get(path_of(changed(back, iss="https://evil.example"))), 401, "another identity provider's")


def test_whoever_cancels_there_reads_why(client: FlaskClient, provider: IdentityProvider) -> None:
    refused(client.get(path_of(provider.refuse(leave(client)))), 401, "End-User aborted interaction")


@pytest.mark.parametrize("oidc", [{"client_secret": "wrong"}])
def test_a_wrong_client_secret_is_told(client: FlaskClient, provider: IdentityProvider) -> None:
    refused(come_back(client, provider, "s-ada"), 401, "does not hold (invalid_client)")


@pytest.mark.parametrize("oidc", [{"client_id": "public", "client_secret": ""}])
def test_a_public_client_needs_no_secret(client: FlaskClient, provider: IdentityProvider) -> None:
    assert come_back(client, provider, "s-ada").status_code == 302


@pytest.mark.parametrize(
    "oidc", [{"client_id": "shared-key", "client_secret": "a client secret that is long enough to sign with"}]
)
def test_a_token_signed_with_the_shared_secret_is_refused(client: FlaskClient, provider: IdentityProvider) -> None:
    refused(come_back(client, provider, "s-ada"), 401, "does not hold (unsupported_algorithm)")


def test_a_disabled_user_is_refused(client: FlaskClient, provider: IdentityProvider) -> None:
    come_back(client, provider, "s-ada")
    User.update(disabled_at_ms=1).execute()
    refused(come_back(client, provider, "s-ada"), 403, "is disabled")


@pytest.mark.parametrize("next_path", ["https://evil.example", "//evil.example", "/\\evil.example", "x"])
def test_no_way_leads_to_another_site(client: FlaskClient, next_path: str) -> None:
    answer = client.get(START, query_string={"next": next_path})
    refused(answer, 422, "is no path of this server")
    assert "Location" not in answer.headers


def test_browsers_get_a_page_that_runs_nothing(client: FlaskClient) -> None:
    leave(client)
    hostile = "<script>alert(1)</script>"
    for path in (f"/auth/oidc/callback?error={hostile}&state=x", f"{START}?next={hostile}"):
        answer = client.get(path, headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
        assert answer.status_code in {401, 422}
        assert answer.mimetype == "text/html"
        text = answer.get_data(as_text=True)
        assert "<script" not in text
        assert 'href="/sign-in"' in text
        assert answer.headers["X-Request-ID"] in text


def test_the_page_is_told_of_the_button(client: FlaskClient) -> None:
    options = client.get("/api/v1/sign-in-options").get_json()
    assert options == {"password": True, "oidc": {"name": "Acme ID", "start": START}}
