"""The overview: what is counted, on both databases, and what its page says."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert

from cds_service.context import ProcessContext
from cds_service.services.clients import ClientService
from cds_service.services.feedback import FeedbackService
from cds_service.services.overview import Answers, Calls, OverviewService, card_kinds
from cds_service.storage.call_count_store import CallCountStore
from cds_service.storage.overview_store import OverviewStore
from cds_service.storage.session import reading
from cds_service.storage.tables import ASSESSMENTS, CARDS, FEEDBACK, OUTCOMES
from tests.integration.test_storage import assessment
from tests.support.dashboard import (
    EVIL,
    a_call,
    a_feedback,
    add_alert,
    an_outcome,
    fill_overview,
)
from tests.support.people import administrator
from tests.support.service import Service, new_context, release, running

DAY = timedelta(days=1)
NOW = datetime(2026, 3, 1, 6, 15, tzinfo=UTC)
"""What the clock of tests says."""


def add(context: ProcessContext, number: int, *, card: bool = True, **changes: Any) -> None:
    """An assessment, by default with a card, an hour before now."""
    row = assessment(number, prediction_time=NOW - timedelta(hours=1), **changes)
    with context.engine.begin() as connection:
        connection.execute(insert(ASSESSMENTS), row)
        if card and row["suppressed"] is None:
            connection.execute(
                insert(CARDS),
                {
                    "uuid": f"card-a{number}",
                    "assessment_id": f"a{number}",
                    "kind": "scored",
                    "indicator": "info",
                },
            )


def add_calls(context: ProcessContext, *calls: dict[str, Any]) -> None:
    with context.engine.begin() as connection:
        CallCountStore(connection).add(calls)


def test_calls_are_counted_by_day_and_service(context: ProcessContext) -> None:
    severity, yesterday = "disease-severity", NOW - DAY
    add_calls(
        context,
        *[a_call("ehr", severity, 200, seconds, NOW) for seconds in (0.01, 0.02, 0.4)],
        a_call("ehr", severity, 503, 9.0, NOW),
        a_call("", severity, 401, 0.001, yesterday),
        a_call("ehr", severity, 499, 9.0, yesterday),
        a_call("ehr", "fhir", 201, 5.0, yesterday),
        a_call("ehr", "fhir", 201, 5.0, NOW - 7 * DAY),
    )
    found = OverviewService(context).view(7)
    assert found.days == [f"2026-02-{day}" for day in range(23, 29)] + ["2026-03-01"]
    calls = found.calls
    assert (calls.total, calls.refused, calls.failed) == (7, 2, 1)
    # Of assessments that were answered; not of what failed, nor of other calls.
    assert found.waiting.median == pytest.approx(0.02, rel=0.05)
    assert found.waiting.high == pytest.approx(0.4, rel=0.05)
    today, before = found.calls_by_day["2026-03-01"], found.calls_by_day["2026-02-28"]
    assert (today.total, today.failed, before.total, before.refused) == (4, 1, 3, 2)
    assert {name: one.total for name, one in found.calls_by_service.items()} == {
        severity: 6,
        "fhir": 1,
    }
    assert OverviewService(context).view(30).calls.total == 8


def test_answers_are_counted_by_category_and_client(context: ProcessContext) -> None:
    add(context, 1)
    add(context, 2, client="ehr", category="mild")
    add(context, 3, client="ehr", category="mild", suppressed="unchanged_advice")
    add(context, 4, client="ehr", situation="insufficient_data", category=None)
    add(context, 5, client="ehr", situation="excluded", category=None, suppressed="deceased")
    add(context, 6, client="ehr", service="assess-severity", card=False, model_version="2")
    found = OverviewService(context).view(7)
    total = found.answers
    assert (total.assessed, total.scored, total.flagged, total.shown) == (5, 4, 2, 3)
    assert total.cards == {"acute": 1, "mild": 1, "insufficient_data": 1}
    assert card_kinds(found) == ["mild", "acute", "insufficient_data"]
    assert list(found.answers_by_client) == ["ehr", "development"]
    assert found.answers_by_client["ehr"].shown == 2
    assert found.answers_by_day["2026-03-01"] == total
    assert found.held_back == {"unchanged_advice": 1}
    assert found.versions == {"1": 4, "2": 1}


def test_of_several_reactions_the_last_counts(context: ProcessContext) -> None:
    for number in range(1, 5):
        add(context, number)
    said = [
        ("a1", "accepted", 0, "development"),
        ("a1", "overridden", 5, "development"),
        ("a2", "overridden", 0, "development"),
        ("a2", "accepted", 5, "development"),
        ("a3", "accepted", 0, "another"),  # Of a card that is not its own.
        ("unknown", "accepted", 0, "development"),
    ]
    with context.engine.begin() as connection:
        for number, (key, outcome, minutes, client) in enumerate(said):
            at = NOW + timedelta(minutes=minutes)
            row = a_feedback(key, client, at, outcome) | {"id": f"f{number}"}
            connection.execute(insert(FEEDBACK), row)
    total = OverviewService(context).view(7).answers
    assert (total.shown, total.accepted, total.overridden, total.answered) == (4, 1, 1, 2)


def test_verified_open_and_unverified_add_up(context: ProcessContext) -> None:
    version = context.terminology.label_version
    ages = [  # Days, class of encounter, label version of the outcome, its category.
        (8, "emergency", version, "acute"),
        (8, "inpatient", None, None),
        (6, "inpatient", None, None),
        (8, None, None, None),
        (8, "ambulatory", "another", "acute"),
        (8, "emergency", version, None),
        (31, None, None, None),
        (29, "virtual", None, None),
    ]
    for number, (days, encounter_class, label_version, category) in enumerate(ages):
        row = assessment(number, prediction_time=NOW - days * DAY, encounter_class=encounter_class)
        with context.engine.begin() as connection:
            connection.execute(insert(ASSESSMENTS), row)
            if label_version is not None:
                outcome = an_outcome(f"a{number}", NOW, label_version, category)
                connection.execute(insert(OUTCOMES), outcome)
    found = OverviewService(context).view(90).verification
    assert found == {"verified": 1, "open": 4, "unverified": 3}


def test_nothing_is_there_yet(context: ProcessContext) -> None:
    found = OverviewService(context).view(30)
    assert len(found.days) == 30
    assert found.calls == Calls()
    assert found.answers == Answers()
    assert found.verification == {"verified": 0, "open": 0, "unverified": 0}
    assert (found.version, found.paused, dict(found.open_alerts)) == (None, False, {})


def test_the_last_answer_of_a_client_is_found_as_far_back_as_asked(
    context: ProcessContext,
) -> None:
    add(context, 1)
    with reading(context.engine) as connection:
        store = OverviewStore(connection)
        assert store.last_answers(NOW - DAY) == {"development": NOW - timedelta(hours=1)}
        assert store.last_answers(NOW) == {}


def test_what_the_service_does_is_what_the_overview_counts(
    tmp_path: Path, small_model: tuple[Path, str]
) -> None:
    context = new_context(tmp_path)
    release(context, "1", *small_model)
    with running(context, context.clock) as service:
        body = service.request(service.vitals(heart_rate=128, temperature=39.4))
        cards = service.assess(body).json()["cards"]
        assert len(cards) == 1
        assert service.assess(service.request([])).status_code == 200
        feedback = {"card": cards[0]["uuid"], "outcome": "overridden"}
        feedback |= {"outcomeTimestamp": context.clock().isoformat()}
        sent = json.dumps({"feedback": [feedback]}).encode()
        FeedbackService(context).record(sent, service="disease-severity", client="development")
    found = OverviewService(context).view(7)
    assert (found.answers.assessed, found.answers.shown) == (2, 2)
    assert (found.answers.overridden, found.answers.accepted) == (1, 0)
    assert found.calls.total == 2
    assert found.version is not None
    assert found.version["version"] == "1"


def test_an_empty_page_says_so(closed: Service) -> None:
    page = administrator(closed).get("/admin").text
    assert "No model is live." in page
    assert "nothing is open" in page
    assert "Nobody was assessed in this time." in page
    assert page.count("There are no figures yet.") == 3


@pytest.mark.parametrize(("asked", "chosen"), [("7", 7), ("90", 90), ("8", 30), ("x", 30)])
def test_a_period_is_chosen(closed: Service, asked: str, chosen: int) -> None:
    page = administrator(closed).get(f"/admin?days={asked}").text
    assert f'href="?days={chosen}" aria-current="true"' in page


def test_the_page_shows_figures_alerts_and_the_pause(closed: Service) -> None:
    context = closed.context
    fill_overview(context, days=3, a_day=20)
    add_alert(context, "k", severity="critical")
    ClientService(context.engine, context.settings, context.clock).pause(None, actor="test")
    page = administrator(closed).get("/admin?days=7").text
    assert "critical: 1" in page
    assert "All cards of all clients are paused." in page
    for said in ("mercy", "north-clinic", "Severity when a chart opens", "Acute illness"):
        assert said in page
    # C11: the code of a category is no word for people.
    assert "terminal" not in page


def test_many_clients_are_added_up_and_none_is_run(closed: Service) -> None:
    with closed.context.engine.begin() as connection:
        for number in range(25):
            row = assessment(number, client=f"{number:02}{EVIL}", prediction_time=NOW)
            connection.execute(insert(ASSESSMENTS), row)
    page = administrator(closed).get("/admin").text
    assert "5 others" in page
    assert "04&lt;script&gt;" in page
    assert "<script>document" not in page
    assert "<img" not in page
