"""Sign-in at a real provider through real server processes, in a browser's order of requests."""

from __future__ import annotations

from pathlib import Path

import requests

from tests.factories import Factories
from tests.functional.running_server import RunningServer
from tests.identity_provider import CLIENT_ID, CLIENT_SECRET, IdentityProvider


def test_somebody_of_a_group_signs_in_and_works(factories: Factories, server: RunningServer, tmp_path: Path) -> None:
    project = factories.project("churn")
    slug = project.organization.slug
    provider = IdentityProvider(tmp_path, f"{server.url}/auth/oidc/callback")
    try:
        provider.knows("s-ada", preferred_username="ada", name="Ada", groups=["ml"])
        server.environment |= {
            "MODELYARD_SERVER_PUBLIC_URL": server.url,
            "MODELYARD_SERVER_WORKERS": "2",
            "MODELYARD_OIDC_ISSUER": provider.issuer,
            "MODELYARD_OIDC_CLIENT_ID": CLIENT_ID,
            "MODELYARD_OIDC_CLIENT_SECRET": CLIENT_SECRET,
            "MODELYARD_OIDC_ROLE_MAPPINGS": f"ml={slug}/churn:editor,bosses={slug}:owner",
        }
        server.start()
        with requests.Session() as browser:
            start = browser.get(f"{server.url}/api/v1/sign-in-options", timeout=20).json()["oidc"]["start"]
            page = f"/{slug}/churn/runs"
            left = browser.get(server.url + start, params={"next": page}, allow_redirects=False, timeout=20)
            back = provider.sign_in(left.headers["Location"], "s-ada")
            came = browser.get(back, allow_redirects=False, timeout=20)
            assert (came.status_code, came.headers["Location"]) == (302, page)
            found = browser.get(f"{server.url}/api/v1/organizations/{slug}/projects/churn", timeout=20).json()
            assert found["role"] == "editor"
            assert browser.get(back, allow_redirects=False, timeout=20).status_code == 401
        assert CLIENT_SECRET not in server.log.read_text()
    finally:
        provider.stop()
