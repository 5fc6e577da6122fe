"""Server processes that share one count of requests through a real Redis."""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.functional.conftest import Tenant
from tests.functional.running_server import RunningServer, eventually, free_port
from tests.parts import command

pytestmark = pytest.mark.parametrize("database_kind", ["postgresql"])
ALLOWED = 40


@pytest.fixture
def redis_url(tmp_path: Path) -> Iterator[str]:
    """A Redis of the test's own."""
    port = free_port()
    words = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", str(tmp_path)]
    process = subprocess.Popen([command("redis-server"), *words], stdout=subprocess.DEVNULL)
    yield f"redis://127.0.0.1:{port}/0"
    process.kill()
    process.wait()


def test_two_server_processes_share_the_count(
    environment: dict[str, str], tenant: Tenant, redis_url: str, tmp_path: Path
) -> None:
    limits = {"MODELYARD_LIMITS_STORAGE_URL": redis_url, "MODELYARD_LIMITS_READS": f"{ALLOWED}/day"}
    server = RunningServer({**environment, **limits, "MODELYARD_SERVER_WORKERS": "2"}, tmp_path / "serve.log")
    try:
        server.start()
        eventually(lambda: len(server.pids("web")) == 2, "two server processes")
        answers = Counter(server.get(tenant.api, token=tenant.token).status for _ in range(2 * ALLOWED))
    finally:
        server.kill_all()
    assert answers == {200: ALLOWED, 429: ALLOWED}
