"""`modelyard organizations invitations`."""

from __future__ import annotations

import click

from modelyard.cli.api import connect, list_options, output_option
from modelyard.cli.output import Column, Json, as_json, done, show_list

COLUMNS: list[Column] = [
    ("Id", "id"),
    ("State", "state"),
    ("Role", "role"),
    ("Project", "project"),
    ("For", "email"),
    ("By", "invited_by"),
    ("Accepted by", "accepted_by"),
    ("Expires", "expires_at"),
]


@click.group()
def invitations() -> None:
    """Links by which people join an organization."""


@invitations.command("list")
@click.argument("organization")
@list_options
@output_option
def list_invitations(organization: str, limit: int, query: Json, output: str) -> None:
    """List the invitations of an organization and what became of them."""
    empty = f"There are no invitations. Make one: `modelyard organizations invitations create {organization}`."
    found = connect().organizations.invitations(organization).list(**query)
    show_list(found, COLUMNS, output, limit=limit, empty=empty)


@invitations.command()
@click.argument("organization")
@click.option(
    "--role",
    type=click.Choice(["member", "admin", "owner"]),
    default="member",
    show_default=True,
    help="The role in the organization; owners alone invite owners.",
)
@click.option("--project", metavar="SLUG", help="A project to give a role in, too.")
@click.option("--project-role", type=click.Choice(["viewer", "editor", "admin"]), help="The role in that project.")
@click.option("--email", help="Whom it is for, as a note: nothing is sent.")
@click.option(
    "--expires-in-days", type=click.IntRange(1, 30), default=7, show_default=True, help="Let it end after so many days."
)
@output_option
def create(
    organization: str,
    role: str,
    project: str | None,
    project_role: str | None,
    email: str | None,
    expires_in_days: int,
    output: str,
) -> None:
    """Make an invitation and print its link, this once."""
    made = (
        connect()
        .organizations.invitations(organization)
        .create(role, project=project, project_role=project_role, email=email, expires_in_days=expires_in_days)
    )
    click.echo(as_json(made) if output == "json" else made["link"])
    if output != "json":
        click.echo("Whoever has the link joins, once. It is not shown again.", err=True)


@invitations.command()
@click.argument("organization")
@click.argument("invitation_id")
def revoke(organization: str, invitation_id: str) -> None:
    """End an open invitation."""
    connect().organizations.invitations(organization).revoke(invitation_id)
    click.echo(f"Revoked {invitation_id}.")


@invitations.command()
@click.argument("link")
@output_option
def accept(link: str, output: str) -> None:
    """Join by a link, as who you are signed in as."""
    joined = connect().invitations.accept(link.rstrip("/").rpartition("/")[2])
    done(joined, output, f"You are in {joined.get('organization', 'the organization')} now.")
