"""`cds-service users`."""

import sys
from datetime import timedelta
from typing import Annotated

import typer

from cds_service.cli.console import actor
from cds_service.context import now
from cds_service.security.permissions import Role
from cds_service.security.secrecy import Secrecy
from cds_service.services.users import UserService
from cds_service.settings import load_settings, read_secret_keys
from cds_service.storage.session import check, create_database_engine

app = typer.Typer(
    help="Add, list and remove local accounts; set their roles and passwords.",
    no_args_is_help=True,
)
Name = Annotated[str, typer.Argument(help="Name the person signs in with.")]
Roles = Annotated[
    list[Role], typer.Option("--role", help="What the person does here; may be repeated.")
]


def _service() -> UserService:
    settings = load_settings()
    engine = create_database_engine(settings.database)
    check(engine)
    return UserService(engine, Secrecy(read_secret_keys(settings)), now)


@app.command("add")
def add(name: Name, role: Roles) -> None:
    """Add a local account; its password is asked for, or read from standard input."""
    service = _service()
    kept = service.add(name, role, _password(), actor=actor())
    typer.echo(f"{kept} is added: {_listed(role)}.")
    if load_settings().oidc_issuer is not None:
        typer.echo("CDS_OIDC_ISSUER is set: people sign in there, and local accounts are not used.")


@app.command("list")
def list_users() -> None:
    """Local accounts and their roles."""
    users = _service().users()
    if not users:
        typer.echo("There are no local accounts.")
    for user in users:
        typer.echo(f"{user['name']}  {', '.join(user['roles'])}  {user['created_at']:%Y-%m-%d}")


@app.command("remove")
def remove(name: Name) -> None:
    """Let nobody in by an account any more, from now on."""
    ended = _service().remove(name, actor=actor())
    typer.echo(f"{name} is removed; sessions ended: {ended}.")


@app.command("password")
def password(name: Name) -> None:
    """Set another password, lift what blocks the account, and end its sessions."""
    service = _service()
    ended = service.set_password(name, _password(), actor=actor())
    typer.echo(f"The password of {name} is set; sessions ended: {ended}.")


@app.command("roles")
def roles(name: Name, role: Roles) -> None:
    """Give an account other roles; they count from its next page on."""
    _service().set_roles(name, role, actor=actor())
    typer.echo(f"{name} is {_listed(role)}.")


@app.command("sessions")
def sessions() -> None:
    """Who is signed in, by a local account or by the provider."""
    minutes = load_settings().session_minutes
    found = _service().sessions(timedelta(minutes=minutes))
    if not found:
        typer.echo("Nobody is signed in.")
    for one in found:
        typer.echo(
            f"{one['actor']}  {one['name']}  by {one['how']}  since {one['created_at']:%H:%M} UTC, "
            f"last seen {one['last_seen_at']:%H:%M}"
        )


@app.command("end")
def end(
    actor_name: Annotated[
        str | None, typer.Argument(metavar="[WHO]", help="As `users sessions` lists them first.")
    ] = None,
    everybody: Annotated[bool, typer.Option("--everybody", help="All sessions.")] = False,
) -> None:
    """End the sessions of somebody, or of everybody, at once."""
    if (actor_name is None) != everybody:
        raise typer.BadParameter("name who, or give --everybody")
    ended = _service().sign_out(actor_name, by=actor())
    typer.echo(f"Sessions ended: {ended}.")


def _password() -> str:
    """From a person twice and unseen, else the first line of standard input; never an argument,
    which other users of the machine could read."""
    if sys.stdin.isatty():
        typed: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
        return typed
    return sys.stdin.readline().rstrip("\r\n")


def _listed(roles: list[Role]) -> str:
    return ", ".join(sorted({role.value for role in roles}))
