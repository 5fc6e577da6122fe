"""`modelyard deployments`."""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import click

from modelyard.cli.api import Command, confirm_by_name, in_project, list_options, output_option, pairs, yes_option
from modelyard.cli.errors import visible
from modelyard.cli.output import Column, Json, as_json, cell, done, show_list, show_one

if TYPE_CHECKING:
    from modelyard.client import Project

COLUMNS: list[Column] = [
    ("Deployment", "name"),
    ("Status", "status"),
    ("Model", "model"),
    ("Version", "version"),
    ("Ready", lambda deployment: f"{deployment['ready_replicas']}/{deployment['replicas']}"),
    ("Target", "target"),
    ("Revision", "revision"),
    ("Message", "message"),
]
DETAILS: list[Column] = [
    *COLUMNS[:2],
    ("Wanted", "desired_status"),
    *COLUMNS[2:],
    ("Address", "address"),
    ("Replicas", lambda deployment: [_replica(each) for each in deployment["replica_states"]]),
    ("Created", "created_at"),
    ("Updated", "updated_at"),
]
NO_DEPLOYMENT = (
    "The project has no deployments. Deploy a model that `modelyard models list` shows: "
    "`modelyard deployments create NAME --model MODEL --wait`."
)
REVISION_COLUMNS: list[Column] = [
    ("Revision", "number"),
    ("Model", "model"),
    ("Version", "version"),
    ("Replicas", "replicas"),
    ("Note", "note"),
    ("By", "created_by"),
    ("Created", "created_at"),
]
replicas_type = click.IntRange(min=0)
version_help = "Its version: a number, an alias as it points now, or `latest`."
environment_option = click.option(
    "--env", "environment", multiple=True, metavar="KEY=VALUE", help="A variable for the model's process."
)
within_option = click.option(
    "--ready-within", type=click.IntRange(min=1), metavar="SECONDS", help="When a roll-out counts as failed."
)


def _replica(replica: Json) -> str:
    said = f" ({replica['message']})" if replica.get("message") else ""
    return f"{replica['index']} {replica['state']}{said}"


@click.group()
def deployments() -> None:
    """Models that answer requests."""


def waiting(command: Command) -> Command:
    """Add `--wait` and `--timeout`; the command returns project, name, answer, output and what to say."""

    @click.option("--wait", is_flag=True, help="Wait until it is ready; ends with 9 if it fails.")
    @click.option("--timeout", type=click.FloatRange(min=0), default=300, show_default=True, help="Seconds to wait.")
    @functools.wraps(command)
    def waited(*args: Any, wait: bool, timeout: float, **kwargs: Any) -> None:
        project, name, answer, output, message = command(*args, **kwargs)
        if wait:
            with _states() as show:
                answer = project.deployments.wait_until_ready(name, deadline_seconds=timeout, on_change=show)
            message = f"{message} It is ready at {answer['address']}."
        done(answer, output, message)

    return waited  # type: ignore[return-value]


@contextlib.contextmanager
def _states() -> Iterator[Callable[[Json], None]]:
    """Show the states that a deployment goes through: one moving line on a terminal, else a line for each."""
    if not sys.stderr.isatty():
        yield lambda deployment: click.echo(_state(deployment), err=True)
        return
    from rich.console import Console
    from rich.text import Text

    with Console(stderr=True).status(Text("asking")) as status:
        yield lambda deployment: status.update(Text(_state(deployment)))


def _state(deployment: Json) -> str:
    ready = f"{deployment['status']}, {deployment['ready_replicas']} of {deployment['replicas']} replicas are ready"
    return visible(f"{ready}: {deployment['message']}" if deployment.get("message") else ready)


@deployments.command("list")
@in_project
@list_options
@output_option
def list_deployments(project: Project, limit: int, query: Json, output: str) -> None:
    """List the deployments."""
    found = project.deployments.list(**query)
    show_list(found, COLUMNS, output, limit=limit, empty=NO_DEPLOYMENT)


@deployments.command()
@in_project
@click.argument("name")
@output_option
def show(project: Project, name: str, output: str) -> None:
    """Show one deployment with its replicas."""
    show_one(project.deployments.get(name), DETAILS, output)


@deployments.command()
@in_project
@click.argument("name")
@click.option("--model", required=True, help="The model to deploy.")
@click.option("--version", default="latest", show_default=True, help=version_help)
@click.option("--target", default="local_process", show_default=True, help="Where: a connection or a target's name.")
@click.option("--replicas", default=1, show_default=True, type=replicas_type, help="Copies that share the load.")
@environment_option
@within_option
@output_option
@waiting
def create(
    project: Project,
    name: str,
    model: str,
    version: str,
    target: str,
    replicas: int,
    environment: tuple[str, ...],
    ready_within: int | None,
    output: str,
) -> tuple[Any, ...]:
    """Deploy a version of a model."""
    made = project.deployments.create(
        name,
        model,
        version,
        target=target,
        replicas=replicas,
        environment=dict(pairs(environment, "--env")) or None,
        ready_within_seconds=ready_within,
    )
    return project, name, made, output, f"Made the deployment {name}."


@deployments.command()
@in_project
@click.argument("name")
@click.option("--model", help="Another model.")
@click.option("--version", help=version_help)
@click.option("--replicas", type=replicas_type, help="Another number of copies.")
@environment_option
@within_option
@output_option
@waiting
def edit(
    project: Project,
    name: str,
    environment: tuple[str, ...],
    ready_within: int | None,
    output: str,
    **changes: Any,
) -> tuple[Any, ...]:
    """Roll out a new revision of a deployment with what is given; --env replaces all variables."""
    changes |= {"environment": dict(pairs(environment, "--env")) or None, "ready_within_seconds": ready_within}
    given = {key: value for key, value in changes.items() if value is not None}
    if not given:
        raise click.UsageError("Nothing to change was given.")
    edited = project.deployments.edit(name, **given)
    return project, name, edited, output, f"{name} goes to revision {edited['revision']}."


@deployments.command()
@in_project
@click.argument("name")
@click.argument("replicas", type=replicas_type)
@output_option
@waiting
def scale(project: Project, name: str, replicas: int, output: str) -> tuple[Any, ...]:
    """Run another number of copies."""
    scaled = project.deployments.edit(name, replicas=replicas)
    return project, name, scaled, output, f"{name} goes to {replicas} replicas."


@deployments.command()
@in_project
@click.argument("name")
@output_option
def stop(project: Project, name: str, output: str) -> None:
    """Stop a deployment and keep its place."""
    done(project.deployments.stop(name), output, f"{name} is being stopped.")


@deployments.command()
@in_project
@click.argument("name")
@output_option
@waiting
def start(project: Project, name: str, output: str) -> tuple[Any, ...]:
    """Start a stopped deployment."""
    return project, name, project.deployments.start(name), output, f"{name} is being started."


@deployments.command()
@in_project
@click.argument("name")
@click.option("--revision", type=click.IntRange(min=1), help="Which one; default: the one before the present one.")
@output_option
@waiting
def rollback(project: Project, name: str, revision: int | None, output: str) -> tuple[Any, ...]:
    """Roll out a new revision that is like an old one."""
    answer = project.deployments.rollback(name, revision)
    back = f"revision {revision}" if revision else "the revision before"
    return project, name, answer, output, f"{name} goes back to {back}, as revision {answer['revision']}."


@deployments.command()
@in_project
@click.argument("name")
@list_options
@output_option
def revisions(project: Project, name: str, limit: int, query: Json, output: str) -> None:
    """List the revisions of a deployment, newest first."""
    found = project.deployments.revisions(name, **query)
    empty = f"{name} has no revisions. See `modelyard deployments show {name}`."
    show_list(found, REVISION_COLUMNS, output, limit=limit, empty=empty)


@deployments.command()
@in_project
@click.argument("name")
@click.option("--lines", type=click.IntRange(min=1), help="Lines of each replica at most.")
@output_option
def logs(project: Project, name: str, lines: int | None, output: str) -> None:
    """Print the last lines that the replicas wrote."""
    found = project.deployments.logs(name, lines=lines)
    if output == "json":
        click.echo(as_json(found))
        return
    if not any(log["text"] for log in found):
        click.echo(f"No replica has written anything. `modelyard deployments show {name}` says how they are.", err=True)
    for log in found:
        for line in log["text"].splitlines():
            click.echo(visible(f"{log['replica']} | {line}" if len(found) > 1 else line))


@deployments.command()
@in_project
@click.argument("name")
@yes_option
def delete(project: Project, name: str, yes: bool) -> None:
    """Stop a deployment and remove it."""
    confirm_by_name(name, f"the deployment {cell(name)}", yes=yes)
    project.deployments.delete(name)
    click.echo(f"Deleted the deployment {name}.")
