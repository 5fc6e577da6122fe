"""`modelyard serve`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.option("--host", help="Address to listen on; default: the setting server.host.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on; default: the setting server.port.")
@click.option("--workers", type=click.IntRange(min=0), help="Server processes; 0 chooses by the database.")
@click.option("--data-dir", type=click.Path(path_type=Path, file_okay=False), help="Folder of the server's files.")
@click.option("--no-worker", is_flag=True, help="Start no job worker; `modelyard worker` runs elsewhere.")
@click.option("--reload", is_flag=True, help="Start anew when the program's files change; for development.")
@click.option("--config", "file", type=click.Path(path_type=Path, dir_okay=False), help="Settings file.")
@click.pass_context
def serve(
    ctx: click.Context,
    host: str | None,
    port: int | None,
    workers: int | None,
    data_dir: Path | None,
    no_worker: bool,
    reload: bool,
    file: Path | None,
) -> None:
    """Run the server and its job worker until SIGTERM or Ctrl-C.

    The database is brought up to date first. Every option wins over the same setting in the environment and the file.
    """
    from modelyard.config.sources import load_settings
    from modelyard.web.supervisor import run

    flags = {"server.host": host, "server.port": port, "server.workers": workers, "data.directory": data_dir}
    ctx.exit(run(load_settings(file=file, flags=flags), with_worker=not no_worker, reload=reload))
