"""`make demo`, first part: makes the virtual environment, installs Modelyard into it, and runs the tour there.

Only the standard library is used here, because nothing else is there yet. `MODELYARD_DEMO_DIRECTORY` (by default
`.demo`) is where everything goes, `MODELYARD_DEMO_PORT` the port, `MODELYARD_DEMO_EXIT=1` stops the server after the
tour.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DEMO = Path(os.environ.get("MODELYARD_DEMO_DIRECTORY", ROOT / ".demo")).resolve()
VENV = DEMO / "venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "installed"
LOG = DEMO / "install.log"


def main() -> int:
    """Install what is not installed yet, then hand over to the tour."""
    check_tools()
    DEMO.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    LOG.write_text("")
    if not PYTHON.exists():
        step("Making a virtual environment", lambda: venv.create(VENV, with_pip=True, clear=True))
    wanted = fingerprint()
    if not STAMP.exists() or STAMP.read_text() != wanted:
        pip("Updating pip", "install", "--upgrade", "pip")
        pip("Building the pages and installing Modelyard with the demo's extras", "install", f"{ROOT}[demo]")
        STAMP.write_text(wanted)
    seconds = f"{time.monotonic() - began:.1f}"
    tour = [str(PYTHON), str(Path(__file__).with_name("tour.py")), "--directory", str(DEMO), "--installed-in", seconds]
    return subprocess.run(tour, check=False).returncode


def check_tools() -> None:
    """Stop with the mend where Python or Node is too old or missing."""
    if sys.version_info < (3, 11):  # noqa: UP036 - the demo is started by whatever `python3` is
        sys.exit(f"Python {sys.version.split()[0]} is too old: install Python >= 3.11, or set PYTHON=/path/to/python.")
    node = shutil.which("node")
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout if node else ""
    numbers = tuple(int(part) for part in version.strip().lstrip("v").split(".")[:2] if part.isdigit())
    if numbers < (20, 19):
        sys.exit(f"The web pages are built with Node >= 20.19; found {version.strip() or 'none'}. Install it first.")


def fingerprint() -> str:
    """Name the state of what is installed, so that a second run installs only what has changed."""
    digest = hashlib.sha256()
    for folder, folders, files in os.walk(ROOT / "modelyard"):
        folders[:] = sorted(set(folders) - {"node_modules", "dist", "__pycache__"})
        for path in [Path(folder, name) for name in sorted(files)]:
            digest.update(f"{path}:{path.stat().st_mtime_ns}:{path.stat().st_size}\n".encode())
    digest.update((ROOT / "setup.cfg").read_bytes())
    return digest.hexdigest()


def pip(title: str, *arguments: str) -> None:
    """Run pip in the environment with its output in the log."""

    def run() -> None:
        with LOG.open("a") as log:
            command = [str(PYTHON), "-m", "pip", "--disable-pip-version-check", *arguments]
            code = subprocess.run(command, cwd=ROOT, stdout=log, stderr=log, check=False).returncode
        if code != 0:
            sys.exit(f"\npip failed; the end of {LOG}:\n{LOG.read_text()[-3000:]}")

    step(title, run)


def step(title: str, work: object) -> None:
    """Do the work in a child while a line shows that it goes on, and for how long."""
    began = time.monotonic()
    child = os.fork()
    if child == 0:
        work()  # type: ignore[operator]
        os._exit(0)
    width, position, interactive = 24, 0, sys.stdout.isatty()
    if not interactive:
        print(f"{title} ...", flush=True)
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            break
        if interactive:
            bar = "".join("━" if (index - position) % width < 6 else "╌" for index in range(width))
            print(f"\r{bar} {title} {time.monotonic() - began:5.1f} s", end="", flush=True)
        position = (position + 1) % width
        time.sleep(0.1)
    if status != 0:
        sys.exit(1)
    print(f"{chr(13) if interactive else ''}{'━' * width} {title} {time.monotonic() - began:5.1f} s")


if __name__ == "__main__":
    sys.exit(main())
