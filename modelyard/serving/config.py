"""What one model server is told: its command line and its environment."""

from __future__ import annotations

import argparse
from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass
from pathlib import Path

NONCE = "MODELYARD_NONCE"
TOKEN = "MODELYARD_REPLICA_TOKEN"  # noqa: S105 - the variable's name
MAX_BODY_BYTES = "MODELYARD_MAX_BODY_BYTES"
THREADS = "MODELYARD_SERVING_THREADS"


@dataclass(frozen=True)
class Config:
    """The settings of one model server, read once at its start."""

    model: Path
    host: str = "127.0.0.1"
    port: int = 0
    directory: Path | None = None
    model_name: str = "model"
    model_version: str | None = None
    nonce: str | None = None
    token: str | None = None
    max_body_bytes: int = 64 * 1024 * 1024
    threads: int = 4


def read_config(arguments: Sequence[str], environ: MutableMapping[str, str]) -> Config:
    """Read the settings; a wrong one ends the process with code 2 and a message on stderr.

    The nonce and the token are taken out of `environ`, so that neither the model's code nor what it starts finds them.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    return Config(
        model=options.model,
        host=options.host,
        port=options.port,
        directory=options.directory,
        model_name=options.model_name,
        model_version=options.model_version,
        nonce=environ.pop(options.instance_nonce_env, None),
        token=environ.pop(TOKEN, None) or None,
        max_body_bytes=_positive(parser, environ, MAX_BODY_BYTES, Config.max_body_bytes),
        threads=_positive(parser, environ, THREADS, Config.threads),
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m modelyard.serving", description="Serve one MLflow model over HTTP."
    )
    parser.add_argument("--model", type=Path, required=True, help="folder of the model, the one with MLmodel in it")
    parser.add_argument("--host", default=Config.host)
    parser.add_argument("--port", type=_port, default=Config.port, help="0 takes a free one")
    parser.add_argument(
        "--directory", type=Path, help="the replica's folder, for its lock and state; default: none kept"
    )
    parser.add_argument("--model-name", default=Config.model_name, help="its name in /v2/models/NAME")
    parser.add_argument("--model-version", help="its version in /v2/models/NAME/versions/VERSION")
    parser.add_argument("--instance-nonce-env", default=NONCE, help="the variable that holds this start's nonce")
    return parser


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65535:
        raise argparse.ArgumentTypeError(f"{port} is not a port (0 to 65535)")
    return port


def _positive(parser: argparse.ArgumentParser, environ: MutableMapping[str, str], name: str, default: int) -> int:
    text = environ.get(name, "")
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        parser.error(f"{name} must be a whole number above 0, not {text!r}")
    return int(text)
