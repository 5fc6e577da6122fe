"""`modelyard connections`."""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from modelyard.cli.api import confirm_by_name, connect, list_options, open_project, output_option, pairs, yes_option
from modelyard.cli.errors import NOT_FOUND, UNAVAILABLE, Failure
from modelyard.cli.output import Column, Json, done, show_list, show_one

if TYPE_CHECKING:
    from modelyard.client import Connections

COLUMNS: list[Column] = [
    ("Name", "name"),
    ("Kind", "kind"),
    ("Provider", "provider"),
    ("Settings", "settings"),
    ("Secrets", "has_secrets"),
    ("Enabled", "enabled"),
    ("Of", "scope"),
    ("Health", lambda connection: _health(connection)),
    ("Id", "id"),
]
DETAILS = [*COLUMNS, ("Subscriptions", "subscriptions"), ("Managed by", "managed_by")]
NO_CONNECTION = (
    "There are no connections. `modelyard plugins providers` lists what one can be made of; "
    "`modelyard connections create KIND PROVIDER NAME` makes it."
)
KINDS = ["storage", "tracker", "deployment_target", "notifier"]
set_option = click.option(
    "--set",
    "plain",
    multiple=True,
    metavar="KEY=VALUE",
    help="A setting; KEY:=JSON for a number, truth or list. May be given several times.",
)
secret_option = click.option(
    "--secret",
    "secret",
    multiple=True,
    metavar="KEY=@FILE",
    help="A secret setting from a file, or KEY=- from stdin. May be given several times.",
)


Command = TypeVar("Command", bound=Callable[..., Any])


@click.group()
def connections() -> None:
    """Storages, trackers, deployment targets and notifiers: providers with settings, of a project or organization."""


def in_place(command: Command) -> Command:
    """Add `--project` and `--organization`, and hand the command the connections of the one that is meant."""

    @click.option(
        "--project",
        envvar="MODELYARD_PROJECT",
        metavar="ORG/PROJECT",
        help="Project to work in; default: the profile's.",
    )
    @click.option("--organization", metavar="ORG", help="Work on what all projects of an organization share.")
    @functools.wraps(command)
    def opened(*args: Any, project: str | None, organization: str | None, **kwargs: Any) -> Any:
        here = connect().organizations.connections(organization) if organization else open_project(project).connections
        return command(here, *args, **kwargs)

    return opened  # type: ignore[return-value]


def find_connection(place: Connections, name_or_id: str) -> Json:
    """Return a connection by its name or id; ends the command where there is none."""
    for connection in place.list():
        if name_or_id in {connection["name"], connection["id"]}:
            return connection
    raise Failure(
        f"There is no connection {name_or_id!r} here.", mend="`modelyard connections list` shows them.", code=NOT_FOUND
    )


@connections.command("list")
@in_place
@list_options
@output_option
def list_connections(place: Connections, limit: int, query: Json, output: str) -> None:
    """List the project's connections; secrets are never shown."""
    show_list(place.list(**query), COLUMNS, output, limit=limit, empty=NO_CONNECTION)


@connections.command()
@in_place
@click.argument("name")
@output_option
def show(place: Connections, name: str, output: str) -> None:
    """Show one connection by its name or id."""
    show_one(find_connection(place, name), DETAILS, output)


@connections.command()
@in_place
@click.argument("kind", type=click.Choice(KINDS))
@click.argument("provider")
@click.argument("name")
@set_option
@secret_option
@click.option("--subscribe", multiple=True, metavar="ACTION", help="Tell a notifier of this, such as `model.*`.")
@click.option("--test-first", is_flag=True, help="Test it and save nothing if it does not answer.")
@output_option
def create(
    place: Connections,
    kind: str,
    provider: str,
    name: str,
    plain: tuple[str, ...],
    secret: tuple[str, ...],
    subscribe: tuple[str, ...],
    test_first: bool,
    output: str,
) -> None:
    """Make a connection of KIND to PROVIDER; `modelyard plugins providers` lists them."""
    settings = settings_of(plain, secret)
    if test_first:
        _require_ok(place.try_out(kind, provider, settings), name)
    made = place.create(kind, provider, name, settings, subscriptions=list(subscribe) or None)
    done(made, output, f"Made the connection {name}.")


@connections.command()
@in_place
@click.argument("name")
@set_option
@secret_option
@click.option("--subscribe", multiple=True, metavar="ACTION", help="The new list of what a notifier is told of.")
@click.option("--enable/--disable", "enabled", default=None, help="Whether a notifier is told anything.")
@click.option("--test-first", is_flag=True, help="Test new settings and save nothing if it does not answer.")
@output_option
def edit(
    place: Connections,
    name: str,
    plain: tuple[str, ...],
    secret: tuple[str, ...],
    subscribe: tuple[str, ...],
    enabled: bool | None,
    test_first: bool,
    output: str,
) -> None:
    """Change what is given of a connection; the other settings and secrets stay."""
    found = find_connection(place, name)
    new = settings_of(plain, secret)
    changes: Json = {"settings": {**found["settings"], **new}} if new else {}
    if subscribe:
        changes["subscriptions"] = list(subscribe)
    if enabled is not None:
        changes["enabled"] = enabled
    if not changes:
        raise click.UsageError("Nothing to change was given.")
    if test_first:
        _require_ok(place.test(found["id"], settings=changes.get("settings")), name)
    done(place.edit(found["id"], **changes), output, f"Changed the connection {name}.")


@connections.command()
@in_place
@click.argument("name")
@output_option
def test(place: Connections, name: str, output: str) -> None:
    """Ask what stands behind a connection whether it answers; ends with 7 if it does not."""
    health = place.test(find_connection(place, name)["id"])
    if output == "json":
        done(health, output, "")
    _require_ok(health, name)
    if output != "json":
        click.echo(f"{name} answers. {health.get('message') or ''}".rstrip())


@connections.command()
@in_place
@click.argument("name")
@output_option
def health(place: Connections, name: str, output: str) -> None:
    """Ask what stands behind a connection whether it answers, and keep that; ends with 7 if it does not."""
    asked = place.health(find_connection(place, name)["id"])
    done(asked, output, f"{name}: {_health(asked)}")
    if not asked["health"]["ok"]:
        raise click.exceptions.Exit(UNAVAILABLE)


@connections.command()
@in_place
@click.argument("name")
@yes_option
def delete(place: Connections, name: str, yes: bool) -> None:
    """Remove a connection that nothing uses."""
    found = find_connection(place, name)
    confirm_by_name(found["name"], f"the connection {found['name']}", yes=yes)
    place.delete(found["id"])
    click.echo(f"Deleted the connection {found['name']}.")


def _health(connection: Json) -> str:
    said = connection.get("health")
    if not said:
        return "unknown"
    return f"{'well' if said['ok'] else 'unwell'} at {said['checked_at']} {said['message']}".rstrip()


def _require_ok(health: Json, name: str) -> None:
    if not health["ok"]:
        raise Failure(
            f"The connection {name!r} does not work.",
            why=[health.get("message") or "It gave no reason."],
            mend="Check its settings and that what stands behind it runs.",
            code=UNAVAILABLE,
        )


def settings_of(plain: tuple[str, ...], secret: tuple[str, ...]) -> Json:
    """Return what `--set` and `--secret` say."""
    return {**dict(_settings(plain)), **dict(_secrets(secret))}


def _settings(values: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    for key, text in pairs(values, "--set"):
        if not key.endswith(":"):
            yield key, text
            continue
        try:
            yield key[:-1], json.loads(text)
        except ValueError as error:
            raise click.UsageError(f"--set {key}={text!r} is not JSON: {error}") from None


def _secrets(values: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Read secrets from files or stdin; on the command line itself others could see them."""
    for key, source in pairs(values, "--secret"):
        if source == "-":
            yield key, sys.stdin.read().rstrip("\r\n")
        elif source.startswith("@"):
            yield key, Path(source[1:]).expanduser().read_text("utf-8").rstrip("\r\n")
        else:
            raise click.UsageError(f"--secret {key}=... takes @FILE or -, so that nobody sees it in the process list.")
