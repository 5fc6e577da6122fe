"""How commands reach the server: the profile or environment that names it, and the options that commands share."""

from __future__ import annotations

import functools
import os
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import click

from modelyard.cli.profile import DEFAULT_NAME, Profile, load_profile

if TYPE_CHECKING:
    from modelyard.client import Client, Project

Command = TypeVar("Command", bound=Callable[..., Any])


def profile_name() -> str:
    """Return the profile that `--profile` or MODELYARD_PROFILE names."""
    return click.get_current_context().find_root().obj or DEFAULT_NAME


def connect() -> Client:
    """Make the client of the environment, else of the profile.

    A profile's token goes to the profile's server only: MODELYARD_URL with another server brings its own token or none.
    """
    profile = load_profile(profile_name()) or Profile(url="")
    url = os.environ.get("MODELYARD_URL") or profile.url
    kept = profile.token if url.rstrip("/") == profile.url.rstrip("/") else ""
    return make_client(url, os.environ.get("MODELYARD_TOKEN") or kept)


def make_client(url: str, token: str) -> Client:
    """Make a client that is closed with the command, and say on stderr when it would send secrets in clear."""
    from modelyard.client import Client, PlainHttpWarning, sends_in_clear

    warnings.simplefilter("ignore", PlainHttpWarning)
    client = Client(url, token)
    if token and sends_in_clear(client.url):
        warn_in_clear(client.url)
    click.get_current_context().call_on_close(client.close)
    return client


def warn_in_clear(url: str) -> None:
    """Say on stderr that others can read what goes to `url`."""
    click.echo(
        f"Warning: {url} is plain http: others on the network can read the token or password. Use https.", err=True
    )


def split_project(reference: str) -> tuple[str, str]:
    """Split ``ORG/PROJECT``; raises a usage error for anything else."""
    organization, slash, project = reference.partition("/")
    if not organization or not slash or not project or "/" in project:
        raise click.UsageError(f"{reference!r} is not a project; write it as ORG/PROJECT.")
    return organization, project


def open_project(reference: str | None) -> Project:
    """Return the named project, else the profile's default."""
    profile = load_profile(profile_name())
    found = reference or (profile.project if profile else "")
    if not found:
        raise click.UsageError(
            "No project is named. Add --project ORG/PROJECT, set MODELYARD_PROJECT, or run "
            "`modelyard projects use ORG/PROJECT` once."
        )
    return connect().project(*split_project(found))


def in_project(command: Command) -> Command:
    """Add `--project` and hand the command the opened project as `project`."""

    @click.option(
        "--project",
        envvar="MODELYARD_PROJECT",
        metavar="ORG/PROJECT",
        help="Project to work in; default: the profile's.",
    )
    @functools.wraps(command)
    def opened(*args: Any, project: str | None, **kwargs: Any) -> Any:
        return command(*args, project=open_project(project), **kwargs)

    return opened  # type: ignore[return-value]


def first_line_of_stdin() -> str:
    """Read a secret: the first line, without its end."""
    return sys.stdin.readline().rstrip("\r\n")


output_option = click.option(
    "--output",
    "-o",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="Form of the answer.",
)
limit_option = click.option("--limit", type=click.IntRange(min=1), default=100, show_default=True, help="Rows at most.")


def list_options(command: Command) -> Command:
    """Add `--limit`, `--sort` and `--search`; the command gets `limit`, and as `query` what the client's list takes."""

    @limit_option
    @click.option("--sort", metavar="FIELD", help="Sort by this field, as created_at; 'FIELD desc' turns it round.")
    @click.option("--search", metavar="TEXT", help="Only what has this text in its name or description.")
    @functools.wraps(command)
    def listing(*args: Any, limit: int, sort: str | None, search: str | None, **kwargs: Any) -> Any:
        query = {"limit": limit + 1, "order_by": sort, "q": search}
        return command(*args, limit=limit, query=query, **kwargs)

    return listing  # type: ignore[return-value]


yes_option = click.option("--yes", "-y", is_flag=True, help="Do not ask.")


def confirm_by_name(name: str, what: str, *, yes: bool) -> None:
    """Let pass `--yes` or somebody who types the name; a usage error otherwise."""
    if yes:
        return
    typed = click.prompt(f"This deletes {what}. Type {name} to go on", err=True)
    if typed != name:
        raise click.UsageError(f"{typed!r} is not {name!r}; nothing was deleted.")


def pairs(values: Iterable[str], option: str) -> Iterator[tuple[str, str]]:
    """Split `key=value` arguments."""
    for value in values:
        key, equals, text = value.partition("=")
        if not key or not equals:
            raise click.UsageError(f"{option} {value!r} is not KEY=VALUE.")
        yield key, text
