"""The command `modelyard`: its subcommands by name, and what becomes of their errors.

Nothing but click and this package's own small modules is imported before a subcommand is chosen; a test holds that.
"""

from __future__ import annotations

from typing import Any

import click

from modelyard import __version__
from modelyard.cli.errors import failure_of
from modelyard.cli.lazy import LazyCommand, LazyGroup

_COMMANDS = "modelyard.cli.commands."
COMMANDS = {
    "serve": LazyCommand(_COMMANDS + "serve:serve", "Run the server and its job worker."),
    "worker": LazyCommand(_COMMANDS + "worker:worker", "Run one more job worker."),
    "config": LazyCommand(_COMMANDS + "config:config", "Show and check the server's settings."),
    "admin": LazyCommand(_COMMANDS + "admin:admin", "Administer the server on its own machine."),
    "login": LazyCommand(_COMMANDS + "login:login", "Sign in to a server and keep a token for it."),
    "logout": LazyCommand(_COMMANDS + "login:logout", "Revoke the kept token and forget it."),
    "whoami": LazyCommand(_COMMANDS + "login:whoami", "Show who is signed in, and where."),
    "profiles": LazyCommand(_COMMANDS + "profiles:profiles", "Choose among the servers that you signed in to."),
    "tokens": LazyCommand(_COMMANDS + "tokens:tokens", "Your API tokens."),
    "account": LazyCommand(_COMMANDS + "account:account", "Your own name, password and sessions."),
    "users": LazyCommand(_COMMANDS + "users:users", "Users of the server, for instance administrators."),
    "organizations": LazyCommand(_COMMANDS + "organizations:organizations", "Organizations and their members."),
    "service-accounts": LazyCommand(
        _COMMANDS + "service_accounts:service_accounts", "Programs as members of an organization."
    ),
    "projects": LazyCommand(_COMMANDS + "projects:projects", "Projects and their members."),
    "connections": LazyCommand(_COMMANDS + "connections:connections", "Storages, targets and notifiers of a project."),
    "experiments": LazyCommand(_COMMANDS + "experiments:experiments", "Experiments of a project."),
    "runs": LazyCommand(_COMMANDS + "runs:runs", "Runs, their metrics and artifacts."),
    "traces": LazyCommand(_COMMANDS + "traces:traces", "Traces of requests, with their spans."),
    "models": LazyCommand(_COMMANDS + "models:models", "Registered models, versions and stages."),
    "deployments": LazyCommand(_COMMANDS + "deployments:deployments", "Models that answer requests."),
    "import": LazyCommand(_COMMANDS + "import_:import_", "Bring what another tracking server has into a project."),
    "predict": LazyCommand(_COMMANDS + "predict:predict", "Ask a deployment for predictions."),
    "events": LazyCommand(_COMMANDS + "events:events", "Who did what, when and from where."),
    "deliveries": LazyCommand(_COMMANDS + "deliveries:deliveries", "Who was told of it, and telling again."),
    "plugins": LazyCommand(_COMMANDS + "plugins:plugins", "The server's plugins and providers."),
    "completion": LazyCommand(_COMMANDS + "completion:completion", "Print the completion script of a shell."),
}


class RootGroup(LazyGroup):
    """Turns whatever a command raises into an exit code and a text; see `modelyard.cli.errors`."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the chosen command."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise
        except Exception as error:
            raise failure_of(error) from error


@click.group(cls=RootGroup, lazy=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--profile", envvar="MODELYARD_PROFILE", metavar="NAME", help="Login profile to take; default: the one in use."
)
@click.version_option(__version__, prog_name="modelyard")
@click.pass_context
def cli(ctx: click.Context, profile: str | None) -> None:
    """Track experiments, register models, deploy and watch them.

    `modelyard serve` runs a server; `modelyard login URL` signs in to one; the other commands work with it.
    """
    ctx.obj = profile


def main() -> None:
    """Run the command line; ends the process with the exit code."""
    cli(prog_name="modelyard")


if __name__ == "__main__":
    main()
