"""The models page: by the rules of the commands, audited as they are."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from cds_service.context import ProcessContext
from cds_service.security.permissions import Role
from cds_service.services.promoting import Promotions
from cds_service.storage.session import reading
from cds_service.storage.tables import AUDIT_EVENTS, CHALLENGERS, MODEL_VERSIONS
from tests.support.dashboard_data import fill_models
from tests.support.people import Visitor, closed_context, session_of
from tests.support.service import Service, release, running

CHANGE = "/admin/models/change"
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def closed(tmp_path: Path, small_model: tuple[Path, str]) -> Iterator[Service]:
    """Version 2 is live, 1 was; 4 waits for an approver, 5 was refused."""
    context = closed_context(tmp_path)
    release(context, "1", *small_model)
    release(context, "2", *small_model)
    fill_models(context, small_model)
    with running(context, context.clock) as service:
        yield service


@pytest.fixture
def visitor(closed: Service) -> Visitor:
    return Visitor(closed, session_of(closed.context, Role.ADMINISTRATOR))


def live(context: ProcessContext) -> str:
    found = Promotions(context.engine, context.clock).champion()
    assert found is not None
    return str(found["version"])


def events(context: ProcessContext, action: str) -> list[dict[str, Any]]:
    with reading(context.engine) as connection:
        query = select(AUDIT_EVENTS).where(AUDIT_EVENTS.c.action == action)
        return [dict(row._mapping) for row in connection.execute(query)]


def stage(context: ProcessContext, version: str) -> str:
    with reading(context.engine) as connection:
        query = select(CHALLENGERS.c.stage).where(CHALLENGERS.c.version == version)
        return str(connection.execute(query).scalar_one())


def sent(action: str, version: str, **changes: str) -> dict[str, str]:
    fields = {"action": action, "version": version, "live": "2", "reason": "Better", "sure": "1"}
    return fields | changes


def test_a_waiting_challenger_is_approved_with_a_reason(closed: Service, visitor: Visitor) -> None:
    page = visitor.get(f"{CHANGE}?action=approve&version=4")
    assert page.status_code == 200
    assert "Difference −0.011 nat, at most −0.004" in page.text
    done = visitor.post(CHANGE, sent("approve", "4", reason="Approved in the meeting"))
    assert (done.status_code, done.headers["location"]) == (303, "/admin/models?told=approve")
    assert live(closed.context) == "4"
    assert stage(closed.context, "4") == "promoted"
    (event,) = events(closed.context, "promote")
    assert (event["actor"], event["object_id"]) == ("user:ana", "4")
    assert event["detail"] == {"reason": "Approved in the meeting"}
    assert "The version is approved and live." in visitor.get("/admin/models?told=approve").text


def test_nothing_is_done_without_a_reason_or_without_meaning_it(
    closed: Service, visitor: Visitor
) -> None:
    visitor.get(f"{CHANGE}?action=promote&version=5")
    for fields, told in (
        (sent("promote", "5", reason="  "), "Give a reason."),
        (sent("promote", "5", sure=""), "Tick that you mean it."),
    ):
        refused = visitor.post(CHANGE, fields)
        assert refused.status_code == 422
        assert told in refused.text
        assert 'aria-invalid="true"' in refused.text
    assert live(closed.context) == "2"
    assert events(closed.context, "promote") == []


def test_a_version_that_the_gates_refused_is_warned_of_and_a_person_may(
    closed: Service, visitor: Visitor
) -> None:
    page = visitor.get(f"{CHANGE}?action=promote&version=5").text
    assert "The last comparison does not speak for it." in page
    assert visitor.post(CHANGE, sent("promote", "5")).status_code == 303
    assert live(closed.context) == "5"
    page = visitor.get(f"{CHANGE}?action=promote&version=4").text
    assert "It was compared with version 2; now version 5 is live" in page
    page = visitor.get(f"{CHANGE}?action=promote&version=1").text
    assert "This version was never compared with another." in page


def test_what_changed_since_the_page_was_opened_is_not_overwritten(
    closed: Service, visitor: Visitor
) -> None:
    visitor.get(f"{CHANGE}?action=approve&version=4")
    Promotions(closed.context.engine, closed.context.clock).promote("1", actor="x", reason="y")
    late = visitor.post(CHANGE, sent("approve", "4"))
    assert late.status_code == 409
    assert "Another version is live than when you opened this page" in late.text
    assert live(closed.context) == "1"
    # It was held against another, so it is on no way any more.
    again = visitor.post(CHANGE, sent("approve", "4", live="1"))
    assert again.status_code == 409
    assert "This version does not wait for approval." in again.text


def test_a_challenger_is_refused_with_a_reason(closed: Service, visitor: Visitor) -> None:
    visitor.get(f"{CHANGE}?action=withdraw&version=4")
    assert visitor.post(CHANGE, sent("withdraw", "4", reason=HOSTILE)).status_code == 303
    assert stage(closed.context, "4") == "withdrawn"
    (event,) = events(closed.context, "withdraw")
    assert event["detail"] == {"reason": HOSTILE}
    page = visitor.get("/admin/models").text
    assert HOSTILE not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    again = visitor.post(CHANGE, sent("withdraw", "4"))
    assert (again.status_code, "at the end of its way" in again.text) == (409, True)


def test_it_is_rolled_back_to_the_version_before(closed: Service, visitor: Visitor) -> None:
    assert "Roll back to version 1" in visitor.get(f"{CHANGE}?action=rollback").text
    assert visitor.post(CHANGE, sent("rollback", "4")).status_code == 409
    assert visitor.post(CHANGE, sent("rollback", "1", reason="Too many cards")).status_code == 303
    assert live(closed.context) == "1"
    (event,) = events(closed.context, "rollback")
    assert event["detail"]["reason"] == "Too many cards"
    # There is nothing before it.
    assert visitor.get(f"{CHANGE}?action=rollback").status_code == 404


def test_a_category_is_lost_only_where_that_is_ticked(
    closed: Service, visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = Promotions._covered_by_champion

    def one_more(self: Promotions, champion: dict[str, Any]) -> set[Any]:
        return known(self, champion) | {"another"}

    monkeypatch.setattr(Promotions, "_covered_by_champion", one_more)
    visitor.get(f"{CHANGE}?action=promote&version=5")
    refused = visitor.post(CHANGE, sent("promote", "5"))
    assert refused.status_code == 409
    assert "does not know every category" in refused.text
    assert 'name="fewer"' in refused.text
    assert live(closed.context) == "2"
    assert visitor.post(CHANGE, sent("promote", "5", fewer="1")).status_code == 303
    assert live(closed.context) == "5"


def test_a_version_with_damaged_files_is_not_made_live(closed: Service, visitor: Visitor) -> None:
    with closed.context.engine.begin() as connection:
        connection.execute(
            update(MODEL_VERSIONS).where(MODEL_VERSIONS.c.version == "5").values(checksum="0")
        )
    visitor.get(f"{CHANGE}?action=promote&version=5")
    refused = visitor.post(CHANGE, sent("promote", "5"))
    assert refused.status_code == 409
    assert "damaged or gone" in refused.text
    assert live(closed.context) == "2"


def test_two_versions_are_compared_as_the_gates_did(visitor: Visitor) -> None:
    page = visitor.get("/admin/models/compare?first=2&second=4").text
    assert "2,418 held-out outcomes of 2,207 patients" in page
    assert "not worse: may be promoted" in page
    # The other way round it is said which was judged.
    page = visitor.get("/admin/models/compare?first=4&second=2").text
    assert "It was version 4 that was judged, against version 2" in page
    page = visitor.get("/admin/models/compare?first=2&second=1").text
    assert "cds-service models compare 2 1" in page
    assert visitor.get("/admin/models/compare?first=2&second=99").status_code == 404
    assert visitor.get("/admin/models/compare").status_code == 404


def test_a_report_can_run_nothing(closed: Service, visitor: Visitor) -> None:
    page = visitor.get("/admin/models/4/report")
    assert page.status_code == 200
    policy = page.headers["content-security-policy"]
    assert "sandbox" in policy
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert [one["object_id"] for one in events(closed.context, "read-report")] == ["4"]
    for version in ("1", "99", "..%2F..", HOSTILE):
        assert visitor.get(f"/admin/models/{version}/report").status_code == 404


def test_others_see_and_change_nothing(closed: Service) -> None:
    for role in (Role.CLINICIAN, Role.REVIEWER):
        other = Visitor(closed, session_of(closed.context, role))
        assert other.get("/admin/models").status_code == 403
        assert other.post(CHANGE, sent("approve", "4")).status_code == 403
    forged = Visitor(closed, session_of(closed.context, Role.ADMINISTRATOR))
    forged.get("/admin/models/change?action=approve&version=4")
    assert (
        forged.post(CHANGE, sent("approve", "4"), Origin="https://evil.example").status_code == 403
    )
    assert live(closed.context) == "2"


def test_no_such_change(visitor: Visitor) -> None:
    assert visitor.get(f"{CHANGE}?action=delete&version=4").status_code == 404
    assert visitor.get(f"{CHANGE}?action=promote&version=99").status_code == 404
    visitor.get("/admin/models/change?action=approve&version=4")
    assert visitor.post(CHANGE, sent("delete", "4")).status_code == 404
    assert visitor.post(CHANGE, sent("promote", "99")).status_code == 404
