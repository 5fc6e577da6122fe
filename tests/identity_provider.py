"""The real provider of `tests/parts/oidc-provider.mjs`, and somebody who signs in there with a browser."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import requests

from tests import parts

SCRIPT = Path(__file__).parent / "parts" / "oidc-provider.mjs"
CLIENT_ID, CLIENT_SECRET = "modelyard", "client secret of the tests"


class IdentityProvider:
    """A provider whose people have the claims that `knows` sets."""

    def __init__(self, folder: Path, redirect_uri: str) -> None:
        self._people = folder / "people.json"
        self._people.write_text("{}")
        self.redirect_uri = redirect_uri
        node, module = parts.command("node"), parts.node_module("oidc-provider")
        self._log = (folder / "provider.log").open("wb")
        self._process = subprocess.Popen(
            [node, str(SCRIPT), str(module), str(self._people), redirect_uri],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )
        assert self._process.stdout is not None
        port = next((line for line in self._process.stdout if line.strip().isdigit()), "")
        assert port, (folder / "provider.log").read_text()
        self.issuer = f"http://127.0.0.1:{port.strip()}"

    def knows(self, login: str, **claims: Any) -> None:
        """Set the claims of a person."""
        people = json.loads(self._people.read_text())
        self._people.write_text(json.dumps({**people, login: claims}))

    def sign_in(self, address: str, login: str) -> str:
        """Follow the address as a person would, sign in and agree; returns where the browser is sent at last."""
        with requests.Session() as browser:
            answer = browser.get(address, allow_redirects=False, timeout=20)
            for _ in range(12):
                if answer.is_redirect:
                    target = urljoin(answer.url, answer.headers["Location"])
                    if target.startswith(self.redirect_uri):
                        return target
                    answer = browser.get(target, allow_redirects=False, timeout=20)
                    continue
                form = re.search(r'<form[^>]*action="([^"]+)"', answer.text)
                assert form is not None, answer.text
                prompt = "login" if 'name="login"' in answer.text else "consent"
                answer = browser.post(
                    urljoin(answer.url, form[1]),
                    data={"prompt": prompt, "login": login, "password": "any"},
                    allow_redirects=False,
                    timeout=20,
                )
        raise AssertionError(f"The provider goes round in circles: {answer.url}")

    def refuse(self, address: str) -> str:
        """Follow the address as a person who then clicks on cancel; returns where the browser is sent at last."""
        with requests.Session() as browser:
            page = browser.get(address, timeout=20)
            answer = browser.get(f"{page.url}/abort", allow_redirects=False, timeout=20)
            while not answer.headers["Location"].startswith(self.redirect_uri):
                answer = browser.get(urljoin(answer.url, answer.headers["Location"]), allow_redirects=False, timeout=20)
            return str(answer.headers["Location"])

    def stop(self) -> None:
        """End it."""
        self._process.kill()
        self._process.communicate()
        self._log.close()
