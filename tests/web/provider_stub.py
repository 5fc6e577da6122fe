"""A provider that lies as a test tells it to: what a real one never does. Its keys and signatures are real."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

from modelyard.core.db import now_ms

KEY, NEXT_KEY = (RSAKey.generate_key(2048, {"kid": kid}) for kid in ("first", "second"))
Answer = tuple[int, Any]


class ProviderStub:
    """Answers each path with what `answers` has for it; `requests` counts the paths."""

    def __init__(self, client_id: str) -> None:
        self.client_id = client_id
        self.requests: list[str] = []
        self.keys = [KEY]
        self.claims: dict[str, Any] = {}
        self.sign: Callable[[dict[str, Any]], str] = lambda claims: jwt.encode(
            {"alg": "RS256", "kid": "first"}, claims, KEY
        )
        self.nonce = ""
        stub = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = urlsplit(self.path).path
                stub.requests.append(path)
                status, body = stub.answers.get(path, lambda: (404, {}))()
                payload = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(payload)))
                self.end_headers()
                self.wfile.write(payload)

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                self.do_GET()

            def log_message(self, *arguments: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.handle_error = lambda *given: None  # type: ignore[method-assign] # who hung up is no news
        self.issuer = f"http://127.0.0.1:{self._server.server_port}"
        self.answers: dict[str, Callable[[], Answer]] = {
            "/.well-known/openid-configuration": lambda: (200, self.metadata()),
            "/jwks": lambda: (200, {"keys": [key.as_dict(private=False) for key in self.keys]}),
            "/token": lambda: (200, {"access_token": "a", "token_type": "Bearer", "id_token": self.id_token()}),
            "/userinfo": lambda: (200, {"sub": "s-1", "groups": ["staff"]}),
        }
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def metadata(self) -> dict[str, Any]:
        """The discovery document."""
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "jwks_uri": f"{self.issuer}/jwks",
            "id_token_signing_alg_values_supported": ["RS256", "HS256", "none"],
        }

    def id_token(self) -> str:
        """A token with the claims of a good one, changed by `claims`; None takes one out."""
        now = now_ms() // 1000
        good = {
            "iss": self.issuer,
            "sub": "s-1",
            "aud": self.client_id,
            "iat": now,
            "exp": now + 300,
            "nonce": self.nonce,
        }
        claims = {**good, "preferred_username": "ada", **self.claims}
        return self.sign({name: value for name, value in claims.items() if value is not None})

    def follow(self, address: str) -> str:
        """Go where the browser is sent; returns the state and keeps the nonce for the token."""
        query = parse_qs(urlsplit(address).query)
        self.nonce = query["nonce"][0]
        return query["state"][0]

    def stop(self) -> None:
        """End it."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
