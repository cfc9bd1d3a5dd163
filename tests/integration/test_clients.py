"""Clients, their modes and secrets in the database, and how a process learns of a change."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select, text

from cds_service.context import ProcessContext
from cds_service.errors import ServiceError
from cds_service.security.clients import DEVELOPMENT_CLIENT, Mode, Right
from cds_service.security.keys import SANDBOX_ISSUER, SANDBOX_JWKS
from cds_service.services.clients import ClientRuleError, ClientService
from cds_service.services.directory import Directory
from cds_service.storage.model_store import ModelStore
from cds_service.storage.session import create_database_engine, reading
from cds_service.storage.tables import AUDIT_EVENTS, CLIENT_SECRETS, CLIENTS
from tests.support.jwts import ISSUER, ec_key, jwks, production

KEY = ec_key()
TRUSTED: dict[str, Any] = {"issuer": ISSUER, "jwks": jwks(KEY)}


@pytest.fixture
def context(tmp_path: Path, database_url: str) -> Iterator[ProcessContext]:
    context = production(tmp_path, database_url, fhir_allow_private=False)
    yield context
    context.engine.dispose()


@pytest.fixture
def clients(context: ProcessContext) -> ClientService:
    return ClientService(context.engine, context.settings, context.clock)


def audited(engine: Engine) -> list[tuple[str, str, str]]:
    with reading(engine) as connection:
        query = select(AUDIT_EVENTS).order_by(AUDIT_EVENTS.c.id)
        return [(row.action, row.object_id, row.actor) for row in connection.execute(query)]


def refused(clients: ClientService, name: str = "ehr", **changes: Any) -> str:
    with pytest.raises(ServiceError) as caught:
        clients.add(name, changes, actor="cli:ann")
    return str(caught.value)


def make_champion(context: ProcessContext, *, simulated: bool, evaluated: bool = False) -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    with context.engine.begin() as connection:
        store = ModelStore(connection)
        version = str(len(store.versions()) + 1)
        store.add_version(
            {
                "version": version,
                "location": "x",
                "checksum": "x",
                "kind": "test",
                "simulated": simulated,
                "created_at": at,
                "created_by": "test",
                "note": "",
                "history_id": None,
                "metrics": {},
            }
        )
        store.add_release(
            {"version": version, "action": "promote", "at": at, "actor": "test", "reason": "test"}
        )
        if evaluated:
            figures = {"metrics": [{"name": "log_loss", "value": 1.0}]}
            store.add_evaluation(
                {
                    "id": f"e-{version}",
                    "at": at,
                    "kind": "evaluate",
                    "model_version": version,
                    "result": figures,
                }
            )


def test_a_new_client_is_silent_and_wants_little(clients: ClientService) -> None:
    client, secret = clients.add("ehr", TRUSTED, actor="cli:ann")
    assert secret is None
    assert client.settings.mode is Mode.SILENT
    assert [category.value for category in client.settings.fatigue.categories] == ["acute"]
    assert not client.settings.allow_retraining
    assert clients.client("ehr").settings == client.settings


def test_a_sandbox_is_live_from_the_start(clients: ClientService) -> None:
    client, _ = clients.add("test", TRUSTED | {"sandbox": True}, actor="cli:ann")
    assert client.settings.mode is Mode.LIVE
    with pytest.raises(ClientRuleError, match="live because it is a sandbox"):
        clients.change("test", {"sandbox": False}, actor="cli:ann")
    clients.set_mode("test", Mode.SILENT, actor="cli:ann")
    clients.change("test", {"sandbox": False}, actor="cli:ann")


def test_settings_change_one_by_one_and_go_back_to_their_defaults(clients: ClientService) -> None:
    clients.add("ehr", TRUSTED | {"fatigue": {"critical": False}}, actor="cli:ann")
    changes = {"fatigue": {"no_data": "none"}, "lookback_hours": 6}
    client = clients.change("ehr", changes, actor="cli:ann")
    assert (client.settings.fatigue.critical, client.settings.fatigue.no_data) == (False, "none")
    assert client.settings.lookback_hours == 6
    client = clients.change("ehr", {}, actor="cli:ann", unset=["fatigue", "lookback_hours"])
    assert client.settings.fatigue.critical
    assert client.settings.lookback_hours is None
    assert client.settings.issuer == ISSUER
    for field in ("mode", "approver", "nonsense"):
        with pytest.raises(ClientRuleError):
            clients.change("ehr", {}, actor="cli:ann", unset=[field])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"issuer": ISSUER}, "an issuer needs keys"),
        ({"issuer": ISSUER, "jwks_urls": ["http://ehr.example/jwks"]}, "must be https"),
        ({"issuer": ISSUER, "jwks_urls": ["ehr.example"]}, "must be https"),
        ({"fhir_servers": ["http://ehr.example"]}, "must be https"),
        ({"fhir_servers": ["ehr.example"]}, "absolute"),
        (TRUSTED | {"jwks_urls": ["https://ehr.example/jwks"]}, "not from both"),
        ({"issuer": ISSUER, "jwks": {"keys": []}}, "no key that can be used"),
        ({"issuer": ISSUER, "jwks": {"keys": [KEY.public() | {"d": "x"}]}}, "private"),
        ({"issuer": ISSUER, "jwks": {"keys": [{"kty": "oct", "k": "eA", "kid": "1"}]}}, "private"),
        ({"issuer": "https://cds-hooks.cerner.com", "jwks": jwks(KEY)}, "--tenant"),
        ({"prefetch_aliases": {"bp": "pressure"}}, "none of our prefetch keys"),
        ({"test_patient_tags": ["x"]}, "SYSTEM|CODE"),
        ({"lookback_hours": 48}, "lookback_hours: "),
        ({"nonsense": 1}, "nonsense: "),
        ({"backend": {"client_id": "x"}}, "Missing: --token-url"),
        ({"issuer": SANDBOX_ISSUER, "jwks": jwks(KEY)}, "private key of the public CDS Hooks"),
        ({"issuer": ISSUER, "jwks": SANDBOX_JWKS}, "private key of the public CDS Hooks"),
    ],
)
def test_settings_that_would_let_in_the_wrong_caller_are_refused(
    clients: ClientService, changes: dict[str, Any], words: str
) -> None:
    assert words in refused(clients, **changes)
    assert clients.clients() == []


@pytest.mark.parametrize("name", ["", "Ehr", "a b", "../x", "x" * 64, "development"])
def test_names_are_plain(clients: ClientService, name: str) -> None:
    assert refused(clients, name, **TRUSTED)


def test_no_token_may_fit_two_clients(clients: ClientService) -> None:
    clients.add("one", TRUSTED | {"tenants": ["t1", "t2"]}, actor="cli:ann")
    clients.add("any", TRUSTED, actor="cli:ann")
    clients.add("two", TRUSTED | {"tenants": ["t3"]}, actor="cli:ann")
    assert "one" in refused(clients, "three", **TRUSTED, tenants=["t2"])
    assert "any" in refused(clients, "three", **TRUSTED)
    with pytest.raises(ServiceError, match="could be one for one as well"):
        clients.change("two", {"tenants": ["t1"]}, actor="cli:ann")
    clients.remove("any", actor="cli:ann")
    clients.add("three", TRUSTED, actor="cli:ann")


def test_c13_live_needs_a_local_model_an_evaluation_and_an_approver(
    clients: ClientService, context: ProcessContext
) -> None:
    clients.add("ehr", TRUSTED, actor="cli:ann")

    def live(approver: str | None = "Dr. Who") -> None:
        clients.set_mode("ehr", Mode.LIVE, actor="cli:ann", approver=approver)

    with pytest.raises(ClientRuleError, match="no champion"):
        live()
    make_champion(context, simulated=True, evaluated=True)
    with pytest.raises(ClientRuleError, match="simulated patients"):
        live()
    make_champion(context, simulated=False)
    with pytest.raises(ClientRuleError, match="never evaluated"):
        live()
    make_champion(context, simulated=False, evaluated=True)
    for nobody in (None, "", "  "):
        with pytest.raises(ClientRuleError, match="approver"):
            live(nobody)
    assert clients.client("ehr").settings.mode is Mode.SILENT
    live()
    assert clients.client("ehr").settings.mode is Mode.LIVE
    assert clients.client("ehr").settings.approver == "Dr. Who"


def test_c13_a_pause_goes_back_to_what_was_before(
    clients: ClientService, context: ProcessContext
) -> None:
    clients.add("ehr", TRUSTED, actor="cli:ann")
    clients.add("box", TRUSTED | {"issuer": "x", "sandbox": True}, actor="cli:ann")
    for name, mode in (("ehr", Mode.SILENT), ("box", Mode.LIVE)):
        clients.pause(name, actor="cli:ann")
        clients.pause(name, actor="cli:ann")
        assert clients.client(name).settings.mode is Mode.PAUSED
        assert clients.resume(name, actor="cli:ann") is mode
        assert clients.client(name).settings.mode is mode
        with pytest.raises(ClientRuleError, match="not paused"):
            clients.resume(name, actor="cli:ann")
    assert not context.directory.paused
    clients.pause(None, actor="cli:ann")
    assert context.directory.refresh()
    assert context.directory.paused
    clients.resume(None, actor="cli:ann")
    context.directory.refresh()
    assert not context.directory.paused


def test_a_live_client_that_may_not_be_live_any_more_stays_paused(
    clients: ClientService, context: ProcessContext
) -> None:
    make_champion(context, simulated=False, evaluated=True)
    clients.add("ehr", TRUSTED, actor="cli:ann")
    clients.set_mode("ehr", Mode.LIVE, actor="cli:ann", approver="Dr. Who")
    clients.pause("ehr", actor="cli:ann")
    make_champion(context, simulated=True)
    with pytest.raises(ClientRuleError, match="simulated"):
        clients.resume("ehr", actor="cli:ann")
    assert clients.client("ehr").settings.mode is Mode.PAUSED


def test_every_step_is_audited_without_secrets(
    clients: ClientService, context: ProcessContext
) -> None:
    _, secret = clients.add("ehr", TRUSTED, actor="cli:ann", rights=[Right.READ])
    assert secret is not None
    clients.change("ehr", {"language": "es"}, actor="cli:bob")
    clients.pause("ehr", actor="cli:ann")
    clients.resume("ehr", actor="cli:ann")
    clients.set_mode("ehr", Mode.SILENT, actor="cli:ann")
    clients.pause(None, actor="cli:ann")
    clients.revoke_secret("ehr", secret.id, actor="cli:ann")
    clients.remove("ehr", actor="cli:ann")
    assert audited(context.engine) == [
        ("add", "ehr", "cli:ann"),
        ("add_secret", "ehr", "cli:ann"),
        ("set", "ehr", "cli:bob"),
        ("mode", "ehr", "cli:ann"),
        ("resume", "ehr", "cli:ann"),
        ("mode", "ehr", "cli:ann"),
        ("pause", "all", "cli:ann"),
        ("revoke_secret", "ehr", "cli:ann"),
        ("remove", "ehr", "cli:ann"),
    ]
    with reading(context.engine) as connection:
        for table in (AUDIT_EVENTS, CLIENTS, CLIENT_SECRETS):
            assert secret.text not in str(list(connection.execute(table.select())))


def test_a_secret_has_its_rights_until_it_is_revoked(
    clients: ClientService, context: ProcessContext
) -> None:
    directory = context.directory
    _, secret = clients.add("ehr", {}, actor="cli:ann", rights=[Right.READ, Right.ASSESS])
    assert secret is not None
    directory.refresh()
    found = directory.by_secret(secret.text)
    assert found is not None
    assert (found.name, found.rights) == ("ehr", {Right.READ, Right.ASSESS})
    swapped = secret.text[:-1] + ("A" if secret.text[-1] != "A" else "B")
    for wrong in (swapped, "", "cds_", secret.id):
        assert directory.by_secret(wrong) is None
    other = clients.add_secret("ehr", [Right.CONDITIONS], actor="cli:ann")
    clients.revoke_secret("ehr", secret.id, actor="cli:ann")
    directory.refresh()
    assert directory.by_secret(secret.text) is None
    assert directory.by_secret(other.text) is not None
    with pytest.raises(ClientRuleError):
        clients.revoke_secret("ehr", secret.id, actor="cli:ann")
    assert clients.remove("ehr", actor="cli:ann") == 1
    directory.refresh()
    assert directory.by_secret(other.text) is None
    with pytest.raises(ClientRuleError, match="no client ehr"):
        clients.add_secret("ehr", [Right.READ], actor="cli:ann")
    clients.add("more", {}, actor="cli:ann")
    with pytest.raises(ClientRuleError, match="needs a right"):
        clients.add_secret("more", [], actor="cli:ann")


def test_a_removed_client_is_nobody_and_its_name_can_be_taken_again(
    clients: ClientService, context: ProcessContext
) -> None:
    clients.add("ehr", TRUSTED, actor="cli:ann")
    assert [client.name for client in context.directory.by_issuer[ISSUER]] == ["ehr"]
    assert "already" in refused(clients, **TRUSTED)
    clients.remove("ehr", actor="cli:ann")
    assert context.directory.refresh()
    assert ISSUER not in context.directory.by_issuer
    assert "ehr" not in context.directory.by_name
    clients.add("ehr", TRUSTED | {"language": "es"}, actor="cli:ann")
    context.directory.refresh()
    assert context.directory.by_name["ehr"].settings.language == "es"


def test_a_running_directory_sees_changes_and_outlives_a_database_that_is_away(
    clients: ClientService, context: ProcessContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cds_service.services.directory.POLL_SECONDS", 0.02)
    directory = context.directory
    directory.start()
    try:
        clients.add("ehr", TRUSTED, actor="cli:ann")
        wait_for(lambda: "ehr" in directory.by_name)
        with context.engine.begin() as connection:
            connection.execute(text("ALTER TABLE switches RENAME TO moved"))
        with pytest.raises(Exception, match="switches"):
            directory.refresh()
        assert "ehr" in directory.by_name
        with context.engine.begin() as connection:
            connection.execute(text("ALTER TABLE moved RENAME TO switches"))
        clients.pause(None, actor="cli:ann")
        wait_for(lambda: directory.paused)
    finally:
        directory.stop()


def wait_for(condition: Any) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_without_a_database_nobody_is_known(tmp_path: Path) -> None:
    engine = create_database_engine(f"sqlite:///{tmp_path / 'empty.sqlite3'}")
    directory = Directory(engine)
    for ask in (
        directory.start,
        lambda: directory.by_name,
        lambda: directory.by_secret("cds_abcdefgh_" + "x" * 43),
        lambda: directory.paused,
    ):
        with pytest.raises(Exception, match="no such table"):
            ask()
    engine.dispose()


def test_a_client_whose_settings_cannot_be_read_is_nobody(
    clients: ClientService, context: ProcessContext
) -> None:
    clients.add("ehr", TRUSTED, actor="cli:ann")
    clients.add("newer", TRUSTED | {"tenants": ["t"]}, actor="cli:ann")
    with context.engine.begin() as connection:
        changed = CLIENTS.update().where(CLIENTS.c.name == "newer")
        connection.execute(changed.values(settings={"unheard_of": 1}))
    context.directory.refresh()
    assert list(context.directory.by_name) == ["ehr"]
    assert [listed.client.name for listed in clients.clients()] == ["ehr"]
    with pytest.raises(ClientRuleError, match="another version"):
        clients.client("newer")


def test_the_development_client_can_be_given_other_settings(
    tmp_path: Path, context: ProcessContext
) -> None:
    development = production(
        tmp_path,
        context.settings.database_url,
        development=True,
        development_any_host=True,
        fhir_allow_private=False,
    )
    try:
        assert development.directory.development is DEVELOPMENT_CLIENT
        service = ClientService(development.engine, development.settings, development.clock)
        service.add("development", {"language": "es"}, actor="cli:ann")
        service.set_mode("development", Mode.SILENT, actor="cli:ann")
        development.directory.refresh()
        changed = development.directory.development
        assert changed.development
        assert (changed.settings.language, changed.settings.mode) == ("es", Mode.SILENT)
        assert changed.settings.fatigue == DEVELOPMENT_CLIENT.settings.fatigue
        # Outside development mode that row lets nobody in.
        context.directory.refresh()
        assert "development" not in context.directory.by_name
    finally:
        development.engine.dispose()
