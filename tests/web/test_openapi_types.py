"""The pages' types are made from the API's description as it is now."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from flask.testing import FlaskClient

KEPT = Path(__file__).parents[2] / "modelyard" / "web" / "ui" / "openapi.json"
MEND = "python -m tests.web.test_openapi_types && npm --prefix modelyard/web/ui run types"


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_the_pages_know_the_api_as_it_is(client: FlaskClient) -> None:
    served = client.get("/api/v1/openapi.json").get_json()
    if json.loads(KEPT.read_text()) != served:
        pytest.fail(f"{KEPT.name} is not what the server says now. Write it anew: {MEND}", pytrace=False)


def main() -> None:
    """Write the description anew; `npm run types` makes the types from it."""
    import tempfile

    from modelyard.config.settings import DataSettings, Settings
    from modelyard.core import bootstrap, migrations
    from modelyard.web.app import create_app

    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data=DataSettings(directory=Path(folder)))
        migrations.upgrade(settings)
        client = create_app(bootstrap.build(settings, process="web")).test_client()
        KEPT.write_text(json.dumps(client.get("/api/v1/openapi.json").get_json(), indent=2) + "\n")


if __name__ == "__main__":
    main()
