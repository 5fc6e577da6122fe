"""What a provider must never get away with, and what holds while it is ill."""

from __future__ import annotations

import base64
import hmac
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient
from joserfc import jwt
from joserfc.jwk import RSAKey
from werkzeug.test import TestResponse

from modelyard.config.settings import Settings
from modelyard.core.identity.models import User
from modelyard.web import oidc_provider
from tests.factories import PASSWORD, Factories
from tests.web.provider_stub import KEY, NEXT_KEY, ProviderStub

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite"])
CLIENT_ID = "modelyard"


@pytest.fixture
def stub() -> Iterator[ProviderStub]:
    stub = ProviderStub(CLIENT_ID)
    yield stub
    stub.stop()


@pytest.fixture
def settings(override: Callable[..., Settings], stub: ProviderStub) -> Settings:
    """A server that knows the stub."""
    return override(oidc={"issuer": stub.issuer, "client_id": CLIENT_ID, "role_mappings": ("staff=instance_admin",)})


def come(client: FlaskClient, stub: ProviderStub) -> TestResponse:
    """Leave for the provider and come back with a code."""
    left = client.get("/auth/oidc/start")
    assert left.status_code == 302, left.get_data(as_text=True)
    return client.get("/auth/oidc/callback", query_string={"state": stub.follow(left.headers["Location"]), "code": "c"})


def is_refused(answer: TestResponse, status: int = 401) -> str:
    """Nobody came in; returns what the caller is told."""
    assert (answer.status_code, answer.content_type) == (status, "application/problem+json")
    assert User.select().count() == 0
    return str(answer.get_json()["detail"])


def test_a_good_token_comes_in(client: FlaskClient, stub: ProviderStub) -> None:
    assert come(client, stub).status_code == 302
    assert User.get().username == "ada"
    assert User.get().is_instance_admin


LATER = 4_000_000_000  # the year 2096


@pytest.mark.parametrize(
    "claims",
    [
        {"nonce": "another"}, {"nonce": None}, {"aud": "another"}, {"aud": None}, {"aud": ["another"]},
        {"aud": "another", "azp": CLIENT_ID}, {"aud": [CLIENT_ID, "another"]},
        {"aud": [CLIENT_ID, "another"], "azp": "another"}, {"iss": "https://evil.example"}, {"iss": None},
        {"exp": 1}, {"exp": None}, {"exp": "soon"}, {"iat": LATER}, {"nbf": LATER}, {"sub": None},
        {"sub": ""}, {"at_hash": "wrong"},
    ],
    ids=str,
)  # fmt: skip
def test_a_token_that_is_not_for_this_sign_in_is_refused(
    client: FlaskClient, stub: ProviderStub, claims: dict[str, Any]
) -> None:
    stub.claims = claims
    assert "does not hold" in is_refused(come(client, stub))


def written(header: dict[str, str], claims: dict[str, Any], sign: Callable[[bytes], bytes]) -> str:
    """Put a token together without the library, which refuses to make such."""
    text = b".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (header, claims))
    return f"{text.decode()}.{base64.urlsafe_b64encode(sign(text)).decode().rstrip('=')}"


def unsigned(claims: dict[str, Any]) -> str:
    return written({"alg": "none"}, claims, lambda text: b"")


def by_the_public_key(claims: dict[str, Any]) -> str:
    key = KEY.as_pem(private=False)
    return written({"alg": "HS256", "kid": "first"}, claims, lambda text: hmac.digest(key, text, "sha256"))


FORGED: dict[str, Callable[[dict[str, Any]], str]] = {
    "none": unsigned,
    "public key as secret": by_the_public_key,
    "another key of that name": lambda claims: jwt.encode(
        {"alg": "RS256", "kid": "first"}, claims, RSAKey.generate_key(2048)
    ),
    "unknown key": lambda claims: jwt.encode({"alg": "RS256", "kid": "x"}, claims, RSAKey.generate_key(2048)),
    "rubbish": lambda claims: "rubbish",
    "cut": lambda claims: jwt.encode({"alg": "RS256", "kid": "first"}, claims, KEY)[:-4],
    "no object": lambda claims: "e30.W10.",
}


@pytest.mark.parametrize("forged", FORGED)
def test_a_token_that_the_provider_did_not_sign_is_refused(
    client: FlaskClient, stub: ProviderStub, forged: str
) -> None:
    stub.sign = FORGED[forged]
    assert "does not hold" in is_refused(come(client, stub))


@pytest.mark.parametrize(
    ("path", "status", "answer"),
    [
        ("/token", 200, {"token_type": "Bearer"}),
        ("/token", 200, []),
        ("/token", 200, b"<html>"),
        ("/token", 400, {"error": "invalid_grant"}),
        ("/userinfo", 200, {"sub": "somebody else", "groups": ["staff"]}),
    ],
)
def test_answers_of_the_wrong_shape_are_refused(
    client: FlaskClient, stub: ProviderStub, path: str, status: int, answer: Any
) -> None:
    stub.answers[path] = lambda: (status, answer)
    assert "does not hold" in is_refused(come(client, stub))


@pytest.mark.parametrize("path", ["/token", "/jwks", "/userinfo"])
@pytest.mark.parametrize(("status", "answer"), [(503, {}), (500, b"x" * 2_000_000)])
def test_an_ill_provider_is_told_as_such(
    client: FlaskClient, stub: ProviderStub, path: str, status: int, answer: Any
) -> None:
    stub.answers[path] = lambda: (status, answer)
    assert f"provider {stub.issuer} does not answer" in is_refused(come(client, stub), 503)


@pytest.mark.parametrize("answer", [(500, {}), (200, {"issuer": "https://evil.example"}), (200, []), (200, b"{")])
def test_without_a_discovery_document_passwords_go_on(
    client: FlaskClient, stub: ProviderStub, factories: Factories, answer: Any
) -> None:
    stub.answers["/.well-known/openid-configuration"] = lambda: answer
    assert "does not answer" in is_refused(client.get("/auth/oidc/start"), 503)
    factories.user("local")
    assert client.post("/api/v1/session", json={"username": "local", "password": PASSWORD}).status_code == 201
    assert client.get("/api/v1/sign-in-options").get_json()["oidc"] is not None
    stub.answers["/.well-known/openid-configuration"] = lambda: (200, stub.metadata())
    assert come(client, stub).status_code == 302


def test_a_dead_provider_is_told_as_such(client: FlaskClient, stub: ProviderStub) -> None:
    left = client.get("/auth/oidc/start")
    state = stub.follow(left.headers["Location"])
    stub.stop()
    back = client.get("/auth/oidc/callback", query_string={"state": state, "code": "c"})
    assert "does not answer" in is_refused(back, 503)
    stub.stop = lambda: None  # type: ignore[method-assign]


def test_a_provider_that_hangs_is_left_at_the_deadline(
    client: FlaskClient, stub: ProviderStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oidc_provider, "CALL_SECONDS", 0.2)
    over = threading.Event()

    def hang() -> Any:
        over.wait(20)
        return 200, {}

    stub.answers["/token"] = hang
    try:
        assert "does not answer" in is_refused(come(client, stub), 503)
    finally:
        over.set()


def test_a_provider_that_hangs_holds_few_threads(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oidc_provider, "CONCURRENT_CALLS", threading.BoundedSemaphore(1))
    monkeypatch.setattr(oidc_provider, "PATIENCE_SECONDS", 0.01)
    with oidc_provider.CONCURRENT_CALLS:
        assert "Too many sign-ins" in is_refused(client.get("/auth/oidc/start"), 503)
    assert client.get("/auth/oidc/start").status_code == 302


def test_documents_are_read_once_and_new_keys_found(
    client: FlaskClient, stub: ProviderStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        assert come(client, stub).status_code == 302
    assert stub.requests.count("/.well-known/openid-configuration") == stub.requests.count("/jwks") == 1
    stub.keys = [NEXT_KEY]
    stub.sign = lambda claims: jwt.encode({"alg": "RS256", "kid": "second"}, claims, NEXT_KEY)
    assert come(client, stub).status_code == 401  # the keys are younger than a minute
    assert stub.requests.count("/jwks") == 1
    monkeypatch.setattr(oidc_provider, "KEYS_AGAIN_SECONDS", 0)
    assert come(client, stub).status_code == 302
    assert stub.requests.count("/jwks") == 2


def test_more_groups_than_are_sent_are_no_reason_to_guess(client: FlaskClient, stub: ProviderStub) -> None:
    stub.claims = {"_claim_names": {"groups": "src1"}}
    assert "more groups than" in is_refused(come(client, stub), 403)


@pytest.mark.parametrize(("groups", "admin"), [("staff", True), (["staff"], True), ([], False), (None, False)])
def test_groups_may_be_one_or_many(client: FlaskClient, stub: ProviderStub, groups: Any, admin: bool) -> None:
    stub.claims = {"groups": groups, "name": "Ada"}
    stub.answers["/userinfo"] = lambda: (200, {"sub": "s-1"})
    assert come(client, stub).status_code == 302
    assert User.get().is_instance_admin is admin


@pytest.mark.usefixtures("database_kind")
def test_the_heavy_libraries_wait_for_the_first_sign_in_and_the_first_span() -> None:
    program = (
        "import sys; from modelyard.web import app, oidc_provider; "
        "heavy = {'authlib', 'joserfc', 'google.protobuf', 'opentelemetry.proto'} & set(sys.modules); "
        "sys.exit(repr(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
