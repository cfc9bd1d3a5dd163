"""The clients of the dashboard: how they stand, and what may be changed."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from cds_service.context import ProcessContext
from cds_service.errors import NotFoundError
from cds_service.security.clients import Mode
from cds_service.security.permissions import Role
from cds_service.services.call_counts import CallCounts
from cds_service.services.client_desk import ClientDesk
from cds_service.services.clients import ClientService
from cds_service.storage.assessment_store import AssessmentStore
from cds_service.storage.client_store import ClientStore
from cds_service.storage.session import reading
from cds_service.storage.tables import AUDIT_EVENTS
from tests.integration.test_clients import make_champion
from tests.integration.test_storage import assessment
from tests.support.dashboard import EVIL
from tests.support.people import Visitor, closed_context, session_of
from tests.support.service import Service, new_context, running


@pytest.fixture
def context(tmp_path: Path, database_url: str) -> Iterator[ProcessContext]:
    context = closed_context(tmp_path, database_url)
    yield context
    context.engine.dispose()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Service]:
    context = closed_context(tmp_path)
    add(context, "ehr")
    with running(context, context.clock) as service:
        yield service


def service_of(context: ProcessContext) -> ClientService:
    return ClientService(context.engine, context.settings, context.clock)


def add(context: ProcessContext, name: str, **changes: object) -> None:
    service_of(context).add(name, changes, actor="test")


def keeper(service: Service) -> Visitor:
    visitor = Visitor(service, session_of(service.context, Role.ADMINISTRATOR))
    visitor.get("/admin/clients/ehr")
    return visitor


def audited(engine: Engine) -> list[tuple[str, str, str, str | None]]:
    query = select(AUDIT_EVENTS).where(AUDIT_EVENTS.c.actor == "user:ana")
    with reading(engine) as connection:
        rows = connection.execute(query.order_by(AUDIT_EVENTS.c.id))
        return [
            (row.action, row.object_type, row.object_id, row.detail.get("reason"))
            for row in rows
            if row.object_type in ("client", "service")
        ]


def mode_of(service: Service, name: str = "ehr") -> Mode:
    return service_of(service.context).client(name).settings.mode


def test_the_newest_call_counts_however_it_came(context: ProcessContext) -> None:
    at = context.clock()
    for name in ("called", "quiet"):
        add(context, name)
    with context.engine.begin() as connection:
        store = AssessmentStore(connection)
        for number, (client, days) in enumerate(
            [("triage", 3), ("triage", 2), ("called", 1), ("quiet", 101)]
        ):
            row = assessment(number, client=client, prediction_time=at - timedelta(days=days))
            assert store.add(row, None)
    counts = CallCounts(context)
    counts.note("fhir", "called", 200, 0.01)
    counts.note("fhir", "", 401, 0.01)
    counts.flush()
    found = {one.name: one.last_call for one in ClientDesk(context).clients()}
    assert found == {"called": at, "quiet": None, "triage": at - timedelta(days=2)}


def test_built_in_and_unreadable_clients_are_listed(context: ProcessContext) -> None:
    add(context, "ehr")
    with context.engine.begin() as connection:
        store = ClientStore(connection)
        store.add("odd", {"mode": "live", "surprise": 1}, datetime(2026, 1, 1, tzinfo=UTC))
        store.add("development", {}, datetime(2026, 1, 1, tzinfo=UTC))
    desk = ClientDesk(context)
    # Outside development mode there is no development client, whatever is stored.
    assert [(one.name, one.is_built_in) for one in desk.clients()] == [
        ("ehr", False),
        ("odd", False),
        ("triage", True),
    ]
    assert desk.client("odd").settings is None
    with pytest.raises(NotFoundError):
        desk.client("development")


def test_a_client_is_paused_with_a_reason_and_resumed(served: Service) -> None:
    visitor = keeper(served)
    refused = visitor.post("/admin/clients/ehr/pause", {"reason": " "})
    assert refused.status_code == 422
    assert "Say why. Nothing was changed." in refused.text
    assert mode_of(served) is Mode.SILENT
    sent = visitor.post("/admin/clients/ehr/pause", {"reason": f"Wrong units. {EVIL}"})
    assert sent.headers["location"] == "/admin/clients/ehr?told=paused"
    page = visitor.get(sent.headers["location"]).text
    assert "Paused. All processes see it within seconds." in page
    assert "reason: Wrong units. &lt;script&gt;" in page
    assert "<script>document" not in page
    assert mode_of(served) is Mode.PAUSED
    assert "paused (was silent)" in " ".join(visitor.get("/admin/clients").text.split())
    sent = visitor.post("/admin/clients/ehr/resume")
    assert sent.status_code == 303
    assert mode_of(served) is Mode.SILENT
    again = visitor.post("/admin/clients/ehr/resume")
    assert again.status_code == 409
    assert "It is not paused any more." in again.text
    assert audited(served.context.engine) == [
        ("mode", "client", "ehr", f"Wrong units. {EVIL}"),
        ("resume", "client", "ehr", None),
    ]


@pytest.mark.parametrize(
    ("simulated", "evaluated", "approver", "said"),
    [
        (None, False, "Dr. Gil", "No model is live yet"),
        (True, True, "Dr. Gil", "learnt from simulated patients"),
        (False, False, "Dr. Gil", "never evaluated on local patients"),
        (False, True, " ", "Somebody must answer for the cards"),
    ],
)
def test_a_client_goes_live_by_the_rules_alone(
    served: Service, simulated: bool | None, evaluated: bool, approver: str, said: str
) -> None:
    if simulated is not None:
        make_champion(served.context, simulated=simulated, evaluated=evaluated)
    fields = {"mode": "live", "approver": approver}
    refused = keeper(served).post("/admin/clients/ehr/mode", fields)
    assert refused.status_code == 409
    assert said in refused.text
    assert mode_of(served) is Mode.SILENT
    assert audited(served.context.engine) == []


def test_a_client_goes_live_with_somebody_who_answers_for_it(served: Service) -> None:
    make_champion(served.context, simulated=False, evaluated=True)
    visitor = keeper(served)
    sent = visitor.post("/admin/clients/ehr/mode", {"mode": "live", "approver": "Dr. Gil"})
    assert sent.headers["location"] == "/admin/clients/ehr?told=live"
    assert mode_of(served) is Mode.LIVE
    assert "Dr. Gil answers for its cards." in visitor.get("/admin/clients").text
    for wrong in ("paused", "xqz", ""):
        assert visitor.post("/admin/clients/ehr/mode", {"mode": wrong}).status_code == 422
    assert visitor.post("/admin/clients/ehr/mode", {"mode": "silent"}).status_code == 303
    assert mode_of(served) is Mode.SILENT


def test_the_triage_page_is_switched_like_any_other(served: Service) -> None:
    visitor = keeper(served)
    assert visitor.post("/admin/clients/triage/pause", {"reason": "training"}).status_code == 303
    assert mode_of(served, "triage") is Mode.PAUSED


def test_all_cards_are_paused_and_resumed(served: Service) -> None:
    visitor = keeper(served)
    assert visitor.post("/admin/clients/pause", {"reason": ""}).status_code == 422
    assert not ClientDesk(served.context).paused()
    sent = visitor.post("/admin/clients/pause", {"reason": "A fault."})
    assert ClientDesk(served.context).paused()
    page = visitor.get(sent.headers["location"]).text
    assert "All cards of all clients are paused." in page
    assert "reason: A fault." in page
    assert "All cards of all clients are paused." in visitor.get("/admin/clients/ehr").text
    visitor.post("/admin/clients/resume")
    assert not ClientDesk(served.context).paused()
    assert audited(served.context.engine) == [
        ("pause", "service", "all", "A fault."),
        ("resume", "service", "all", None),
    ]


def test_who_is_no_client_is_not_found(served: Service) -> None:
    visitor = keeper(served)
    for name in ("nobody", "EHR", "%00", "development", "a%20b"):
        assert visitor.get(f"/admin/clients/{name}").status_code == 404
        for step in ("mode", "pause", "resume"):
            sent = visitor.post(f"/admin/clients/{name}/{step}", {"reason": "x", "mode": "live"})
            assert sent.status_code == 404


def test_no_text_of_a_client_is_run(served: Service) -> None:
    with served.context.engine.begin() as connection:
        store = ClientStore(connection)
        store.add(EVIL, {"approver": EVIL}, datetime(2026, 1, 1, tzinfo=UTC))
    page = keeper(served).get("/admin/clients").text
    assert "&lt;script&gt;" in page
    assert "<script>document" not in page
    assert "<img" not in page


def test_many_clients_come_a_page_at_a_time(served: Service) -> None:
    with served.context.engine.begin() as connection:
        for number in range(60):
            ClientStore(connection).add(f"c{number:02}", {}, datetime(2026, 1, 1, tzinfo=UTC))
    visitor = keeper(served)
    assert visitor.get("/admin/clients").text.count('<th scope="row"><a') == 50
    assert visitor.get("/admin/clients?page=2").text.count('<th scope="row"><a') == 12


def test_in_development_mode_the_development_client_is_fixed(tmp_path: Path) -> None:
    context = new_context(tmp_path)
    with running(context, context.clock) as service:
        visitor = Visitor(service)
        page = visitor.get("/admin/clients/development").text
        assert "are not changed here" in page
        visitor.get("/admin/clients")
        refused = visitor.post("/admin/clients/development/pause", {"reason": "x"})
        assert refused.status_code == 409
        assert "The rules do not allow this change." in refused.text


def test_another_language_is_chosen_after_a_form(served: Service) -> None:
    visitor = keeper(served)
    for step in ("mode", "pause", "resume"):
        sent = visitor.get(f"/admin/clients/ehr/{step}?lang=es")
        assert (sent.status_code, sent.headers["location"]) == (303, "/admin/clients/ehr?lang=es")
        assert visitor.get(f"/admin/clients/nobody/{step}").status_code == 404
    assert visitor.get("/admin/clients/pause").headers["location"] == "/admin/clients"
    add(served.context, "pause")
    assert visitor.get("/admin/clients/pause").status_code == 200
    assert visitor.get("/admin/clients/resume").status_code == 303
