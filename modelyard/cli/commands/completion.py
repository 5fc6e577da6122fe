"""`modelyard completion`."""

from __future__ import annotations

import os
from pathlib import Path

import click

SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(SHELLS), required=False)
@click.option("--install", is_flag=True, help="Write it to where the shell reads it, once.")
@click.pass_context
def completion(ctx: click.Context, shell: str | None, install: bool) -> None:
    """Print the script that makes SHELL (by default, yours) complete `modelyard` commands, or install it."""
    name = shell or Path(os.environ.get("SHELL", "")).name
    if name not in SHELLS:
        raise click.UsageError(f"{name or 'Your shell'} is not known here. Name one of {', '.join(SHELLS)}.")
    if install:
        click.echo(f"Completion is in {_install(name, _script(ctx, name))}. It works in the next shell that you open.")
    else:
        click.echo(_script(ctx, name))


def _script(ctx: click.Context, shell: str) -> str:
    from click.shell_completion import BashComplete, FishComplete, ZshComplete

    kinds = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}
    script = kinds[shell](ctx.find_root().command, {}, "modelyard", "_MODELYARD_COMPLETE")
    return script.source_template % script.source_vars()


def _install(shell: str, script: str) -> Path:
    """Write fish's file whole, and for the others one line at the end of what they read at their start."""
    if shell == "fish":
        folder = Path(os.environ.get("XDG_CONFIG_HOME") or "~/.config").expanduser() / "fish" / "completions"
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / "modelyard.fish"
        file.write_text(script, "utf-8")
        return file
    folder = Path(os.environ.get("ZDOTDIR") or "~").expanduser() if shell == "zsh" else Path("~").expanduser()
    file = folder / f".{shell}rc"
    line = f'eval "$(modelyard completion {shell})"'
    kept = file.read_text("utf-8") if file.exists() else ""
    if line not in kept.splitlines():
        with file.open("a", encoding="utf-8") as opened:
            opened.write(f"{line}\n" if not kept or kept.endswith("\n") else f"\n{line}\n")
    return file
