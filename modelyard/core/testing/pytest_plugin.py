"""What pytest loads at its start wherever Modelyard is installed: names only, nothing heavy."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite(
    *(
        f"modelyard.core.testing.{module}"
        for module in ("deployment_target", "notifier", "provider", "storage", "tracker")
    )
)


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker that the kit's tests carry."""
    config.addinivalue_line("markers", "modelyard_contract: a test of Modelyard's conformance kit for providers")
