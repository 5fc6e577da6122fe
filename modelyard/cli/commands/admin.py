"""`modelyard admin`: work on the server's own machine, on its database, without signing in."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from modelyard.cli.api import first_line_of_stdin, output_option
from modelyard.cli.commands.admin_keys import keys
from modelyard.cli.commands.admin_plugins import plugins
from modelyard.cli.output import Column, as_json, done, show_list

if TYPE_CHECKING:
    from modelyard.config.settings import Settings
    from modelyard.core.bootstrap import Services

USER_COLUMNS: list[Column] = [
    ("Username", "username"),
    ("Name", "display_name"),
    ("Instance administrator", "is_instance_admin"),
    ("Disabled", "is_disabled"),
]


@click.group()
@click.option("--data-dir", type=click.Path(path_type=Path, file_okay=False), help="Folder of the server's files.")
@click.option("--config", "file", type=click.Path(path_type=Path, dir_okay=False), help="Settings file.")
@click.pass_context
def admin(ctx: click.Context, data_dir: Path | None, file: Path | None) -> None:
    """Administer the server on its own machine: these commands open its database directly."""
    ctx.obj = lambda: _settings(file, data_dir)


admin.add_command(keys)
admin.add_command(plugins)


def _settings(file: Path | None, data_dir: Path | None) -> Settings:
    from modelyard.config.sources import load_settings

    return load_settings(file=file, flags={"data.directory": data_dir})


def _of(ctx: click.Context) -> Settings:
    settings: Settings = ctx.obj()
    return settings


@admin.group()
def db() -> None:
    """The server's database."""


@db.command()
@click.option("--check-start", is_flag=True, help="Then find out whether a server could start with these settings.")
@output_option
@click.pass_context
def upgrade(ctx: click.Context, check_start: bool, output: str) -> None:
    """Bring the database's tables up to date; `modelyard serve` does so by itself at its start."""
    from modelyard.core.migrations import upgrade as apply

    applied = apply(_of(ctx))
    if check_start:
        from modelyard.core.bootstrap import check_start as check

        _offer_setup(check(_of(ctx)))
    if output == "json":
        click.echo(as_json({"applied": applied}))
    else:
        click.echo("\n".join(f"Applied {name}" for name in applied) or "The database is up to date.")


def _offer_setup(link: str | None) -> None:
    """Say on stderr how the first administrator comes into a server without users."""
    if link is not None:
        click.echo("modelyard: there is no user yet; make the first administrator, once, at", err=True)
        click.echo(f"modelyard: {link}", err=True)


@admin.group()
def users() -> None:
    """The people of this server."""


@users.command()
@click.argument("username")
@click.option("--admin", "is_admin", is_flag=True, help="Make an instance administrator.")
@click.option("--display-name", default="", help="The name that others see.")
@click.option("--password-stdin", is_flag=True, help="Read the password from the first line of stdin.")
@output_option
@click.pass_context
def create(
    ctx: click.Context, username: str, is_admin: bool, display_name: str, password_stdin: bool, output: str
) -> None:
    """Make a user. Without --password-stdin a password is generated and printed, this once."""
    from modelyard.core.identity.actor import system_actor

    given = first_line_of_stdin() if password_stdin else ""
    password = given if password_stdin else secrets.token_urlsafe(18)
    services = _services(ctx)
    user = services.users.create(
        system_actor("admin command line"),
        username=username,
        password=password,
        display_name=display_name,
        is_instance_admin=is_admin,
    )
    told = {} if password_stdin else {"password": password}
    if output == "json":
        click.echo(as_json({"username": user.username, "is_instance_admin": is_admin, **told}))
        return
    click.echo(f"Made the {'instance administrator' if is_admin else 'user'} {user.username}.")
    for generated in told.values():
        click.echo(f"Password: {generated}")
        click.echo("It is not shown again.", err=True)


@users.command("list")
@output_option
@click.pass_context
def list_users(ctx: click.Context, output: str) -> None:
    """List the users."""
    from modelyard.core.identity.actor import system_actor

    found = (
        {
            "id": user.public_id,
            "username": user.username,
            "display_name": user.display_name,
            "is_instance_admin": user.is_instance_admin,
            "is_disabled": user.disabled_at_ms is not None,
        }
        for user in _services(ctx).users.list(system_actor("admin command line"))
    )
    show_list(found, USER_COLUMNS, output, empty="There are no users. `modelyard admin users create NAME --admin`.")


@users.command("reset-password")
@click.argument("username")
@output_option
@click.pass_context
def reset_password(ctx: click.Context, username: str, output: str) -> None:
    """Print a link by which a user sets a new password, once, within 24 hours."""
    from modelyard.core.identity.actor import system_actor

    link = _services(ctx).passwords.create_link(system_actor("admin command line"), username)
    expires_at = datetime.fromtimestamp(link.expires_at_ms / 1000, UTC).isoformat(timespec="seconds")
    click.echo(as_json({"url": link.url, "expires_at": expires_at}) if output == "json" else link.url)
    if output != "json":
        click.echo("It works once, for 24 hours, and is not shown again.", err=True)


@users.command()
@click.argument("username")
@output_option
@click.pass_context
def disable(ctx: click.Context, username: str, output: str) -> None:
    """Refuse a user's sessions and tokens from now on."""
    done(_edit(ctx, username, disabled=True), output, f"{username} is disabled.")


@users.command()
@click.argument("username")
@output_option
@click.pass_context
def enable(ctx: click.Context, username: str, output: str) -> None:
    """Let a disabled user in again."""
    done(_edit(ctx, username, disabled=False), output, f"{username} is enabled.")


def _edit(ctx: click.Context, username: str, **changes: Any) -> dict[str, Any]:
    from modelyard.core.identity.actor import system_actor

    _services(ctx).users.edit(system_actor("admin command line"), username, changes)
    return {"username": username, **changes}


def _services(ctx: click.Context) -> Services:
    """Build the platform's services; a database that is new or behind is brought up to date first."""
    from modelyard.core.bootstrap import build
    from modelyard.core.migrations import upgrade as apply

    settings = _of(ctx)
    apply(settings)
    return build(settings, process="cli")
