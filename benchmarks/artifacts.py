"""How fast a large artifact goes up and down with MLflow's own client, and what memory the server takes for it.

    python benchmarks/artifacts.py                                      # 2 GiB, SQLite
    python benchmarks/artifacts.py --size-mib 64 --json report.json
    python benchmarks/artifacts.py --postgresql postgresql://postgres@127.0.0.1:5432

It starts a server of its own in a temporary folder, which needs room for the file twice. It fails (exit code 1) where
the server's processes took more than 32 MiB for a transfer, or another file came back.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from processes import MIB, Peak
from servers import Modelyard, database_of

MOST_GROWTH_MIB = 32
MARK = b"modelyard"


@dataclass
class Transfer:
    """One way of the file: how long it took, and what memory the server's processes took for it at most."""

    way: str
    seconds: float
    mib_per_second: float
    growth_mib: float


def mlflow_client(server: Modelyard) -> Any:
    """Return MLflow's client, pointed at the server's project."""
    os.environ |= {
        "MLFLOW_TRACKING_TOKEN": server.headers["Authorization"].removeprefix("Bearer "),
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    from mlflow import MlflowClient

    return MlflowClient(f"http://127.0.0.1:{server.port}{server.spaces[0].prefix}")


def sparse_file(path: Path, size_bytes: int) -> str:
    """Make a file with marks at its beginning, middle and end, which takes no room; returns its digest."""
    with path.open("wb") as file:
        for place in (0, size_bytes // 2, size_bytes - len(MARK)):
            file.seek(place)
            file.write(MARK)
    return digest_of(path)


def digest_of(path: Path) -> str:
    """Return what only equal files have in common."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()


def transfer(server: Modelyard, folder: Path, size_bytes: int) -> list[Transfer]:
    """Send a file up and down; raises where another one comes back."""
    client = mlflow_client(server)
    run_id = client.create_run("0").info.run_id
    small, large = folder / "small.bin", folder / "large.bin"
    small.write_bytes(MARK)
    client.log_artifact(run_id, str(small))  # what a server loads for its first file is none of the large one's
    client.download_artifacts(run_id, small.name, str(folder))
    digest = sparse_file(large, size_bytes)
    transfers: list[Transfer] = []

    @contextmanager
    def measured(way: str) -> Iterator[None]:
        peak, began = Peak(server), time.perf_counter()
        yield
        seconds = time.perf_counter() - began
        transfers.append(Transfer(way, round(seconds, 2), round(size_bytes / MIB / seconds, 1), peak.growth_mib()))

    with measured("up"):
        client.log_artifact(run_id, str(large))
    large.unlink()
    with measured("down"):
        received = client.download_artifacts(run_id, large.name, str(folder))
    if digest_of(Path(received)) != digest:
        raise RuntimeError("Another file came back than was sent.")
    return transfers


def main() -> int:
    """Transfer what the options say; returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--size-mib", type=int, default=2048, help="how large the file is")
    parser.add_argument("--postgresql", default="", metavar="URL", help="a server whose user may create databases")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the report here too")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        with database_of(options.postgresql.rstrip("/"), folder, "modelyard_artifacts") as url:
            server = Modelyard(folder / "server", url)
            server.start()
            try:
                server.fill()
                transfers = transfer(server, folder, options.size_mib * MIB)
            finally:
                server.stop()
    for one in transfers:
        print(f"{one.way:4} {one.seconds:8.2f} s {one.mib_per_second:8.1f} MiB/s, memory at most +{one.growth_mib} MiB")
    if options.json:
        options.json.write_text(json.dumps([asdict(one) for one in transfers], indent=2) + "\n")
    return 1 if any(one.growth_mib > MOST_GROWTH_MIB for one in transfers) else 0


if __name__ == "__main__":
    sys.exit(main())
