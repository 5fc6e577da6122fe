"""The OpenID Connect provider as this server's partner: its discovery document and keys, codes and ID tokens.

Authlib and joserfc are imported when somebody first signs in this way: they take 41 MiB.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from time import monotonic
from typing import Any

import requests
import structlog
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError

from modelyard.config.settings import OidcSettings
from modelyard.core.errors import AuthenticationRequired, PermissionDenied, Unavailable
from modelyard.core.identity.oidc import ProvedIdentity
from modelyard.core.identity.sign_in_attempts import START_AGAIN, SignInAttempt

log = structlog.get_logger("modelyard.oidc")

CALL_SECONDS = 10
LONGEST_ANSWER_BYTES = 1024 * 1024
KEPT_SECONDS = 3600
KEYS_AGAIN_SECONDS = 60
CONCURRENT_CALLS = threading.BoundedSemaphore(8)
"""A provider that hangs must not hold every thread of the server, while people sign in by password."""
PATIENCE_SECONDS = 1
CLOCK_LEEWAY_SECONDS = 60
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519", "EdDSA")
"""Signatures by a key pair; ``none`` and those by a shared secret prove nothing here."""


class WholeAnswers(HTTPAdapter):
    """Reads each answer to its end within a deadline; requests alone bounds only the silence between two bytes."""

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """Send and return the answer with its body at hand; raises what requests raises for a connection that fails."""
        expires = monotonic() + CALL_SECONDS
        response = super().send(request, **{**kwargs, "stream": True, "timeout": CALL_SECONDS})
        body = BytesIO()
        for piece in response.raw.stream(16 * 1024, decode_content=True):
            body.write(piece)
            if monotonic() > expires or body.tell() > LONGEST_ANSWER_BYTES:
                response.close()
                raise requests.ConnectionError("no whole answer in time, or more than 1 MiB")
        response.close()
        body.seek(0)
        response.raw = body
        return response


class OidcProvider:
    """What a sign-in needs of the provider. Raises `Unavailable` where it does not answer, and for what does not hold
    `AuthenticationRequired`."""

    def __init__(self, settings: OidcSettings, redirect_uri: str) -> None:
        self._settings = settings
        self._redirect_uri = redirect_uri
        self._guard = threading.Lock()
        self._kept: dict[str, tuple[float, dict[str, Any]]] = {}

    def authorization_url(self, attempt: SignInAttempt) -> str:
        """Return the address at the provider that the browser goes to."""
        with self._session() as session:
            url, _ = session.create_authorization_url(
                self._metadata(session)["authorization_endpoint"],
                state=attempt.state,
                nonce=attempt.nonce,
                code_verifier=attempt.code_verifier,
            )
        return str(url)

    def prove(self, attempt: SignInAttempt, code: str) -> ProvedIdentity:
        """Exchange the code for a checked ID token, complete it with the user info, and say who it is."""
        with self._session() as session:
            metadata = self._metadata(session)
            token = session.fetch_token(
                metadata["token_endpoint"],
                grant_type="authorization_code",
                code=code,
                redirect_uri=self._redirect_uri,
                code_verifier=attempt.code_verifier,
            )
            claims = self._check_id_token(session, token, attempt.nonce)
            return self._identity({**self._user_info(session, claims), **claims})

    @contextmanager
    def _session(self) -> Iterator[Any]:
        """Open a session with the provider and say what goes wrong in it as our own errors."""
        from authlib.common.errors import AuthlibBaseError
        from authlib.integrations.requests_client import OAuth2Session
        from joserfc.errors import JoseError

        if not CONCURRENT_CALLS.acquire(timeout=PATIENCE_SECONDS):
            raise Unavailable("Too many sign-ins wait for the identity provider.", hint="Try again in a moment.")
        session = OAuth2Session(
            self._settings.client_id,
            self._settings.client_secret or None,
            scope=self._settings.scopes,
            redirect_uri=self._redirect_uri,
            code_challenge_method="S256",
        )
        session.mount("https://", WholeAnswers())
        session.mount("http://", WholeAnswers())
        try:
            yield session
        except (requests.RequestException, HTTPError, OSError) as error:
            log.warning("the identity provider does not answer", issuer=self._settings.issuer, error=str(error))
            raise Unavailable(
                f"The identity provider {self._settings.issuer} does not answer properly.",
                hint="Try again in a moment, or sign in with a password.",
            ) from error
        except (AuthlibBaseError, JoseError, ValueError, KeyError, TypeError) as error:
            log.warning("a sign-in was refused", issuer=self._settings.issuer, error=f"{type(error).__name__}: {error}")
            reason = getattr(error, "error", None) or type(error).__name__
            raise AuthenticationRequired(
                f"The identity provider's answer does not hold ({reason}).", hint=START_AGAIN
            ) from error
        finally:
            session.close()
            CONCURRENT_CALLS.release()

    def _metadata(self, session: Any) -> dict[str, Any]:
        issuer = self._settings.issuer
        url = issuer.rstrip("/") + "/.well-known/openid-configuration"
        metadata = self._document(session, url)
        if metadata.get("issuer") != issuer:
            self._kept.pop(url, None)
            log.error("oidc.issuer is not what the provider calls itself", issuer=issuer, found=metadata.get("issuer"))
            raise requests.RequestException("the discovery document names another issuer")
        return metadata

    def _document(self, session: Any, url: str, *, kept_seconds: float = KEPT_SECONDS) -> dict[str, Any]:
        """Return a JSON object of the provider's, from memory while it is young enough."""
        with self._guard:
            read_at, document = self._kept.get(url, (0.0, {}))
        if document and monotonic() - read_at < kept_seconds:
            return document
        document = _json_object(session.get(url, withhold_token=True))
        with self._guard:
            self._kept[url] = (monotonic(), document)
        return document

    def _check_id_token(self, session: Any, token: Mapping[str, Any], nonce: str) -> dict[str, Any]:
        from authlib.oidc.core import CodeIDToken

        decoded = self._decode(session, str(token["id_token"]))
        client_id = self._settings.client_id
        claims = CodeIDToken(
            decoded.claims,
            decoded.header,
            {
                "iss": {"essential": True, "value": self._settings.issuer},
                "aud": {"essential": True, "value": client_id},
                "sub": {"essential": True},
            },
            {"nonce": nonce, "client_id": client_id, "access_token": token.get("access_token")},
        )
        claims.validate(leeway=CLOCK_LEEWAY_SECONDS)
        return dict(claims)

    def _decode(self, session: Any, id_token: str) -> Any:
        """Check the signature; keys are asked for again, once a minute at most, where none of those at hand fits."""
        from joserfc import jwt
        from joserfc.errors import InvalidKeyIdError
        from joserfc.jwk import KeySet
        from joserfc.jws import JWSRegistry

        metadata = self._metadata(session)
        offered = metadata.get("id_token_signing_alg_values_supported") or ["RS256"]
        registry = JWSRegistry(algorithms=[name for name in ALGORITHMS if name in offered], strict_check_header=False)
        url = metadata["jwks_uri"]
        keys: Any = self._document(session, url)
        try:
            return jwt.decode(id_token, KeySet.import_key_set(keys), registry=registry)
        except InvalidKeyIdError:
            keys = self._document(session, url, kept_seconds=KEYS_AGAIN_SECONDS)
            return jwt.decode(id_token, KeySet.import_key_set(keys), registry=registry)

    def _user_info(self, session: Any, claims: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the provider tells only by its user info address; what the ID token has needs none."""
        endpoint = self._metadata(session).get("userinfo_endpoint")
        if not endpoint or {self._settings.username_claim, self._settings.groups_claim, "name"} <= set(claims):
            return {}
        found = _json_object(session.get(endpoint))
        if found.get("sub") != claims["sub"]:
            raise ValueError("The user info is somebody else's.")
        return found

    def _identity(self, claims: Mapping[str, Any]) -> ProvedIdentity:
        groups_claim = self._settings.groups_claim
        if self._settings.role_mappings and groups_claim in (claims.get("_claim_names") or {}):
            raise PermissionDenied(
                "You are in more groups than the identity provider sends.",
                hint="An administrator can let it send only the groups that oidc.role_mappings names.",
            )
        groups = claims.get(groups_claim) or []
        subject = str(claims["sub"])
        return ProvedIdentity(
            issuer=self._settings.issuer,
            subject=subject,
            username=str(claims.get(self._settings.username_claim) or claims.get("email") or ""),
            display_name=str(claims.get("name") or ""),
            groups=frozenset([groups] if isinstance(groups, str) else map(str, groups)),
        )


def _json_object(response: requests.Response) -> dict[str, Any]:
    response.raise_for_status()
    found = response.json()
    if not isinstance(found, dict):
        raise requests.RequestException("the answer is no JSON object")
    return found
