"""`modelyard worker`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.option("--threads", type=click.IntRange(min=1), help="Jobs at once; default: the setting worker.threads.")
@click.option("--data-dir", type=click.Path(path_type=Path, file_okay=False), help="Folder of the server's files.")
@click.option("--config", "file", type=click.Path(path_type=Path, dir_okay=False), help="Settings file.")
def worker(threads: int | None, data_dir: Path | None, file: Path | None) -> None:
    """Run one more job worker until SIGTERM or Ctrl-C.

    `modelyard serve` starts one by itself. On PostgreSQL any number may run, on any host that shares the data folder.
    """
    from modelyard.config.sources import load_settings
    from modelyard.core.worker import main

    main(load_settings(file=file, flags={"worker.threads": threads, "data.directory": data_dir}))
