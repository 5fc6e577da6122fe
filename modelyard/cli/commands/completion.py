"""`modelyard completion`."""

from __future__ import annotations

import click


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the script that makes SHELL complete `modelyard` commands, for example into your ~/.bashrc."""
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"{shell} is not known here.")
    script = kind(ctx.find_root().command, {}, "modelyard", "_MODELYARD_COMPLETE")
    click.echo(script.source_template % script.source_vars())
