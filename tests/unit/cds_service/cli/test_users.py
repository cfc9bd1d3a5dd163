"""`cds-service users`."""

from pathlib import Path

import pytest
from sqlalchemy import select
from typer.testing import CliRunner, Result

from cds_service.cli.app import app
from cds_service.context import ProcessContext
from cds_service.security.permissions import Role
from cds_service.services.sessions import Arrival, Sessions
from cds_service.settings import Settings
from cds_service.storage import session
from cds_service.storage.tables import AUDIT_EVENTS, USERS

PASSWORD = "a horse that is no battery"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CDS_DEVELOPMENT", "true")
    monkeypatch.setenv("CDS_DATA_DIR", str(tmp_path))
    session.upgrade(session.create_database_engine(f"sqlite:///{tmp_path / 'cds.sqlite3'}"))
    return tmp_path


def run(*arguments: str, given: str | None = None) -> Result:
    return CliRunner().invoke(app, ["users", *arguments], input=given)


def test_an_account_comes_and_goes(folder: Path) -> None:
    assert run("list").output == "There are no local accounts.\n"
    roles = ("--role", "reviewer", "--role", "clinician")
    added = run("add", "Ana", *roles, given=f"{PASSWORD}\n")
    assert added.output == "ana is added: clinician, reviewer.\n"
    assert run("list").output.startswith("ana  clinician, reviewer  20")
    assert run("roles", "ana", "--role", "administrator").output == "ana is administrator.\n"
    changed = run("password", "ana", given="another horse altogether\r\n")
    assert changed.output == "The password of ana is set; sessions ended: 0.\n"
    assert run("remove", "ana").output == "ana is removed; sessions ended: 0.\n"
    assert run("list").output == "There are no local accounts.\n"
    engine = session.create_database_engine(f"sqlite:///{folder / 'cds.sqlite3'}")
    with engine.connect() as connection:
        actions = connection.execute(select(AUDIT_EVENTS.c.action, AUDIT_EVENTS.c.actor)).all()
        kept = repr(connection.execute(select(USERS)).all())
    assert [row.action for row in actions] == [
        *("add-user", "set-roles", "set-password", "remove-user")
    ]
    assert all(row.actor.startswith("cli:") for row in actions)
    assert "$argon2id$" in kept
    assert PASSWORD not in kept


def test_whoever_is_signed_in_is_listed_and_can_be_signed_out(folder: Path) -> None:
    assert run("sessions").output == "Nobody is signed in.\n"
    context = ProcessContext.create(Settings(development=True, data_dir=folder))
    opened = Sessions(context)
    people = [
        Arrival(actor=actor, name=name, roles=frozenset({Role.REVIEWER}), how="openid")
        for actor, name in (("oidc:1", "Ana"), ("oidc:1", "Ana"), ("oidc:2", "Eva"))
    ]
    cookies = [opened.open(one, address="127.0.0.1") for one in people]
    listed = run("sessions").output.splitlines()
    assert [line.split("  ")[:3] for line in listed] == [
        *([["oidc:1", "Ana", "by openid"]] * 2),
        ["oidc:2", "Eva", "by openid"],
    ]
    assert run("end").exit_code == 2
    assert run("end", "oidc:1", "--everybody").exit_code == 2
    assert run("end", "oidc:1").output == "Sessions ended: 2.\n"
    assert [opened.person(cookie) is None for cookie in cookies] == [True, True, False]
    assert run("end", "--everybody").output == "Sessions ended: 1.\n"
    assert opened.person(cookies[2]) is None
    context.engine.dispose()


def test_a_role_is_needed_and_must_be_one(folder: Path) -> None:
    del folder
    assert run("add", "ana", given=f"{PASSWORD}\n").exit_code == 2
    wrong = run("add", "ana", "--role", "root", given=f"{PASSWORD}\n")
    assert wrong.exit_code == 2


@pytest.mark.parametrize("given", ["", "short\n", "123456789012\n"])
def test_a_weak_password_is_refused_without_being_repeated(folder: Path, given: str) -> None:
    del folder
    refused = run("add", "ana", "--role", "reviewer", given=given)
    assert refused.exit_code == 1
    assert str(refused.exception).startswith("The password ")
    assert not given.strip() or given.strip() not in str(refused.exception)
    assert run("list").output == "There are no local accounts.\n"


def test_no_option_takes_a_password(folder: Path) -> None:
    del folder
    for command in ("add", "password"):
        assert "--password" not in run(command, "--help").output
    assert run("add", "ana", PASSWORD, "--role", "reviewer").exit_code == 2
