"""C12 on a real database: what is said twice, and what a clinician did not want."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Engine, event

from cds_service.cli import evaluation
from cds_service.context import ProcessContext
from cds_service.security.clients import Client, ClientSettings, Fatigue
from cds_service.security.secrecy import Secrecy
from cds_service.services.fatigue import silence_reason
from cds_service.services.records import Answer, Call, assessment_record
from cds_service.storage.assessment_store import AssessmentStore
from cds_service.storage.fatigue_store import FatigueStore, Told
from cds_service.storage.feedback_store import FeedbackStore
from fhir_mapping.readings import Extraction
from hooks.contexts import PatientViewContext
from hooks.disease_severity import SERVICE_ID, Situation
from model.assessment import Assessment
from model.severity import SEVERITIES, Severity
from tests.support.card_cases import ADULT, NOW, RED, an_assessment, an_extraction, decide
from tests.support.service import new_context
from tests.support.stored import BASE

KEY = b"k" * 32
EVERYTHING = Fatigue(categories=SEVERITIES)
QUIET_OFF = Fatigue(categories=SEVERITIES, silence_unchanged=False, silence_after_override_hours=0)
CHRONIC = an_assessment(Severity.CHRONIC, 0.5, acute=0.01)


@dataclass
class Chart:
    """One patient's chart, opened again and again."""

    engine: Engine
    secrecy: Secrecy = field(default_factory=lambda: Secrecy([KEY]))
    cards: list[str] = field(default_factory=list)
    """Uuids of the cards that were shown."""

    def opened(
        self,
        values: Any = ADULT,
        assessment: Assessment | None = None,
        *,
        after: timedelta = timedelta(),
        user: str = "Practitioner/1",
        patient: str = "p1",
        encounter: str | None = "e1",
        client: str = "epic",
        fatigue: Fatigue = EVERYTHING,
        situation: Situation = Situation.SCORED,
        service: str = SERVICE_ID,
        model: str = "1",
        extraction: Extraction | None = None,
    ) -> str | None:
        """Open the chart; why there is no card, or `None` where one is shown."""
        if situation is Situation.SCORED and assessment is None:
            assessment = an_assessment()
        context = PatientViewContext(user, patient, encounter)
        call = Call(
            id=str(uuid4()),
            client=Client(client, ClientSettings(fatigue=fatigue)),
            service=service,
            instance=str(uuid4()),
            context=context,
            fhir_server=BASE,
            base=BASE,
            patient_keys=self.secrecy.patient_keys(BASE, patient),
            encounter_keys=None
            if encounter is None
            else self.secrecy.encounter_keys(BASE, encounter),
            prediction_time=NOW + after,
            request_hash="hash",
            language="en",
            actor="client:test",
        )
        extraction = an_extraction(values) if extraction is None else extraction
        decision = decide(
            extraction,
            assessment,
            situation=situation,
            context=context,
            policy=call.client.policy,
            card_uuid=str(uuid4()),
        )
        assert decision.cards
        answer = Answer(extraction, assessment, decision, b"{}")
        with self.engine.begin() as connection:
            advice = assessment_record(call, answer, model, self.secrecy)[0]["advice_hash"]
            reason = silence_reason(connection, call, answer, advice, self.secrecy)
            if reason is not None:
                silent = replace(decision, cards=[], suppressed_reason=reason)
                answer = replace(answer, decision=silent)
            assert AssessmentStore(connection).add(
                *assessment_record(call, answer, model, self.secrecy)
            )
        if reason is None:
            assert decision.card_uuid is not None
            self.cards.append(decision.card_uuid)
        return reason

    def answered(
        self,
        outcome: str,
        *,
        after: timedelta = timedelta(minutes=1),
        received: timedelta | None = None,
        card: int = -1,
        client: str = "epic",
    ) -> None:
        """Feedback on a card that was shown."""
        with self.engine.begin() as connection:
            FeedbackStore(connection).add(
                [
                    {
                        "id": str(uuid4()),
                        "client": client,
                        "service": SERVICE_ID,
                        "card_uuid": self.cards[card],
                        "known_card": True,
                        "outcome": outcome,
                        "outcome_timestamp": NOW + after,
                        "received_at": NOW + (after if received is None else received),
                    }
                ]
            )


@pytest.fixture
def chart(engine: Engine) -> Chart:
    return Chart(engine)


HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def test_the_same_advice_is_given_once(chart: Chart) -> None:
    assert chart.opened() is None
    assert chart.opened(after=HOUR) == "unchanged_advice"
    assert chart.opened(after=DAY, user="Practitioner/2") == "unchanged_advice"


@pytest.mark.parametrize(
    "other",
    [
        {"encounter": "e2"},
        {"encounter": None},
        {"patient": "p2"},
        {"client": "cerner"},
        {"model": "2"},
        {"values": {**ADULT, "heart_rate": 119}},
        {"assessment": CHRONIC},
        {"situation": Situation.OUT_OF_POPULATION},
        {"fatigue": QUIET_OFF},
    ],
    ids=lambda other: next(iter(other)),
)
def test_other_advice_is_given(chart: Chart, other: dict[str, Any]) -> None:
    assert chart.opened() is None

    assert chart.opened(after=HOUR, **other) is None


def test_a_reading_of_the_same_value_taken_later_is_a_new_one(chart: Chart) -> None:
    first = an_extraction(ADULT)
    later = replace(
        first,
        readings=tuple(
            replace(reading, received_time="2026-03-07T12:30:00Z") for reading in first.readings
        ),
    )
    assert chart.opened(extraction=first) is None

    assert chart.opened(extraction=later, after=HOUR) is None


def test_what_was_suppressed_was_not_said(chart: Chart, engine: Engine) -> None:
    chart.opened()
    chart.opened(after=HOUR)
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE assessments SET suppressed = 'silent_mode' WHERE suppressed IS NULL"
        )

    assert chart.opened(after=2 * HOUR) is None


def test_without_an_encounter_calls_within_twelve_hours_are_one(chart: Chart) -> None:
    assert chart.opened(encounter=None) is None
    assert chart.opened(encounter=None, after=11.9 * HOUR) == "unchanged_advice"
    # Said at 0 h only: what was suppressed does not count.
    assert chart.opened(encounter=None, after=12.1 * HOUR) is None


def test_c9_a_dangerous_reading_is_told_to_everybody_once(chart: Chart) -> None:
    assert chart.opened(RED) is None
    assert chart.opened(RED, after=HOUR, user="Practitioner/2") is None
    assert chart.opened(RED, after=2 * HOUR) == "unchanged_advice"
    assert chart.opened({**RED, "systolic_bp": 83}, after=2 * HOUR) is None


@pytest.mark.parametrize("again", [timedelta(0), HOUR])
def test_c9_a_dangerous_reading_is_always_told_where_the_encounter_is_not_known(
    chart: Chart, again: timedelta
) -> None:
    assert chart.opened(RED, encounter=None) is None
    assert chart.opened(RED, encounter=None, after=again) is None


def test_a_failed_model_is_told_to_everybody_once(chart: Chart) -> None:
    failed = Situation.MODEL_FAILED
    assert chart.opened(situation=failed) is None
    assert chart.opened(situation=failed, user="Practitioner/2") is None
    assert chart.opened(situation=failed) == "unchanged_advice"


NEWER = {**ADULT, "heart_rate": 121}


def test_an_overridden_category_is_silent_for_a_while(chart: Chart) -> None:
    chart.opened()
    chart.answered("overridden")

    assert chart.opened(NEWER, after=11 * HOUR) == "overridden"
    assert chart.opened(NEWER, CHRONIC, after=11 * HOUR) is None
    assert chart.opened(NEWER, after=12 * HOUR + timedelta(minutes=2)) is None


@pytest.mark.parametrize(
    "other",
    [
        {"encounter": "e2"},
        {"encounter": None},
        {"patient": "p2"},
        {"client": "cerner"},
        {"situation": Situation.OUT_OF_POPULATION},
        {"fatigue": Fatigue(categories=SEVERITIES, silence_after_override_hours=0)},
        {"fatigue": Fatigue(categories=SEVERITIES, silence_after_override_hours=0.5)},
    ],
    ids=str,
)
def test_an_override_silences_nothing_else(chart: Chart, other: dict[str, Any]) -> None:
    chart.opened()
    chart.answered("overridden")

    assert chart.opened(NEWER, after=HOUR, **other) is None


def test_an_override_holds_without_an_encounter_for_twelve_hours_at_most(chart: Chart) -> None:
    long = Fatigue(categories=SEVERITIES, silence_after_override_hours=48)
    chart.opened(encounter=None, fatigue=long)
    chart.answered("overridden")

    assert chart.opened(NEWER, encounter=None, after=11 * HOUR, fatigue=long) == "overridden"
    assert chart.opened(NEWER, encounter=None, after=13 * HOUR, fatigue=long) is None


def test_no_data_can_be_overridden_too(chart: Chart) -> None:
    nothing = Situation.INSUFFICIENT_DATA
    chart.opened({}, situation=nothing)
    chart.answered("overridden")

    assert chart.opened({"heart_rate": 80}, situation=nothing, after=HOUR) == "overridden"
    # Another kind of card without a category.
    assert chart.opened(situation=Situation.OUT_OF_POPULATION, after=HOUR) is None


def test_c9_an_override_never_silences_a_dangerous_reading(chart: Chart) -> None:
    chart.opened(RED)
    chart.answered("overridden")

    assert chart.opened({**RED, "systolic_bp": 83}, after=HOUR) is None


def test_an_override_never_silences_a_failed_model(chart: Chart) -> None:
    chart.opened(situation=Situation.MODEL_FAILED)
    chart.answered("overridden")

    assert chart.opened(NEWER, situation=Situation.MODEL_FAILED, after=HOUR) is None


def test_r54_the_last_word_counts(chart: Chart) -> None:
    chart.opened()
    # They arrive in one batch, in no order.
    chart.answered("accepted", after=2 * HOUR, received=3 * HOUR)
    chart.answered("overridden", after=HOUR, received=3 * HOUR)
    assert chart.opened(NEWER, after=3 * HOUR) is None

    chart.answered("overridden", after=4 * HOUR)
    assert chart.opened({**ADULT, "heart_rate": 122}, after=5 * HOUR) == "overridden"


def test_of_two_words_at_once_the_yes_counts(chart: Chart) -> None:
    chart.opened()
    chart.answered("accepted")
    chart.answered("overridden")

    assert chart.opened(NEWER, after=HOUR) is None


def test_a_clock_that_is_wrong_does_not_silence_for_longer(chart: Chart) -> None:
    chart.opened()
    chart.answered("overridden", after=300 * DAY, received=timedelta(minutes=1))

    assert chart.opened(NEWER, after=11 * HOUR) == "overridden"
    assert chart.opened(NEWER, after=13 * HOUR) is None


@pytest.mark.parametrize(("shown_to", "said_by"), [("epic", "cerner"), ("cerner", "epic")])
def test_feedback_of_another_client_silences_nothing(
    chart: Chart, shown_to: str, said_by: str
) -> None:
    chart.opened(client=shown_to)
    chart.answered("overridden", client=said_by)

    assert chart.opened(NEWER, after=HOUR) is None


def test_silence_outlives_a_new_secret_key(chart: Chart) -> None:
    chart.opened()
    chart.answered("overridden")
    chart.secrecy = Secrecy([b"n" * 32, KEY])

    assert chart.opened(NEWER, after=HOUR) == "overridden"


def test_a_user_whose_key_is_gone_is_told_again(chart: Chart, engine: Engine) -> None:
    chart.opened(RED)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE assessments SET identifiers = response")

    assert chart.opened(RED, after=HOUR) is None


def test_only_cards_tire(chart: Chart) -> None:
    chart.opened(service="assess-severity")

    assert chart.opened(service="assess-severity") is None
    assert chart.opened() is None


@pytest.fixture
def statements(engine: Engine) -> Iterator[list[str]]:
    """SQL as it is sent."""
    sent: list[str] = []

    def note(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        sent.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    yield sent
    event.remove(engine, "before_cursor_execute", note)


@pytest.mark.parametrize(
    ("fatigue", "asked"),
    [
        (QUIET_OFF, 0),
        (Fatigue(categories=SEVERITIES, silence_after_override_hours=0), 1),
        (Fatigue(categories=SEVERITIES, silence_unchanged=False), 1),
        (EVERYTHING, 2),
    ],
)
def test_the_database_is_asked_only_where_it_matters(
    chart: Chart, statements: list[str], fatigue: Fatigue, asked: int
) -> None:
    chart.opened(fatigue=fatigue)

    assert sum(sent.lstrip().startswith("SELECT") for sent in statements) == asked


def test_an_index_leads_to_the_patient(engine: Engine) -> None:
    told = Told("epic", SERVICE_ID, ["key"], ["encounter"])
    asked: list[tuple[str, Any]] = []

    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        # The BEGIN on SQLite is none of ours.
        if statement.startswith("SELECT"):
            asked.append((statement, parameters))

    with engine.connect() as connection:
        event.listen(engine, "before_cursor_execute", note)
        FatigueStore(connection).same_advice(told, "hash", NOW)
        FatigueStore(connection).verdicts(told, "scored", "acute")
        event.remove(engine, "before_cursor_execute", note)
        sqlite = engine.dialect.name == "sqlite"
        if not sqlite:
            # A table without rows is read as a whole whatever its indices are.
            connection.exec_driver_sql("SET enable_seqscan = off")
        assert len(asked) == 2
        for statement, parameters in asked:
            explain = "EXPLAIN QUERY PLAN " if sqlite else "EXPLAIN "
            plan = connection.exec_driver_sql(explain + statement, parameters).all()
            assert "ix_assessments_patient_key" in str(plan), plan


def test_suppressed_answers_are_counted(chart: Chart, engine: Engine) -> None:
    chart.opened()
    chart.opened(after=HOUR)
    chart.opened(after=2 * HOUR)
    chart.answered("overridden")
    chart.opened(NEWER, after=3 * HOUR)

    def counts(since: datetime | None = None) -> dict[str, int]:
        with engine.connect() as connection:
            return AssessmentStore(connection).suppressed_counts(since)

    assert list(counts().items()) == [("unchanged_advice", 2), ("overridden", 1)]
    assert counts(NOW + 2 * HOUR) == {"overridden": 1, "unchanged_advice": 1}
    assert counts(NOW + DAY) == {}


def test_evaluate_tells_how_many_answers_held_no_card(
    chart: Chart,
    tmp_path: Path,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    chart.opened()
    chart.opened(after=HOUR)
    chart.opened(after=2 * HOUR)
    chart.answered("overridden")
    chart.opened(NEWER, after=3 * HOUR)
    context = new_context(tmp_path, database_url)
    monkeypatch.setattr(ProcessContext, "create", lambda *_args, **_more: context)
    monkeypatch.setattr(evaluation, "load_settings", lambda: context.settings)

    evaluation.evaluate(since=None, include_open=False)

    said = "Answers without a card, by reason: unchanged_advice 2, overridden 1."
    assert said in capsys.readouterr().out
    context.engine.dispose()
