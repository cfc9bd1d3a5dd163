"""The watch over the inputs, on SQLite and PostgreSQL."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, insert, select, update

from cds_service.context import ProcessContext
from cds_service.errors import ServiceError
from cds_service.services.input_codes import Received
from cds_service.services.serving_skew import SkewCheck
from cds_service.services.watching_inputs import InputWatchService
from cds_service.storage.alert_store import AlertStore
from cds_service.storage.input_chunk_store import InputChunkStore
from cds_service.storage.model_store import SAME_ANSWERS_AS, ModelStore
from cds_service.storage.session import reading
from cds_service.storage.tables import ASSESSMENTS, OUTCOMES
from model.scorer import Scorer
from tests.support.service import Service, new_context, release
from tests.support.stored import set_time
from tests.support.watched_rows import Ward

START = datetime(2026, 3, 1, tzinfo=UTC)
ROWS = 300


@pytest.fixture
def context(
    tmp_path: Path, database_url: str, small_model: tuple[Path, str]
) -> Iterator[ProcessContext]:
    context = new_context(tmp_path, database_url, input_chunk_rows=ROWS, reference_chunks=5)
    release(context, "1", *small_model)
    yield context
    context.engine.dispose()


@pytest.fixture
def ward(context: ProcessContext) -> Ward:
    """Five chunks were seen, which are the reference."""
    ward = Ward(context, START)
    ward.see(5 * ROWS)
    return ward


def watch(ward: Ward, *, after: timedelta = timedelta(hours=1)) -> str:
    set_time(ward.context, ward.at + after)
    return InputWatchService(ward.context).run(actor="test")


def alerts(context: ProcessContext) -> dict[str, dict[str, Any]]:
    with reading(context.engine) as connection:
        return {alert["key"]: alert for alert in AlertStore(connection).unresolved()}


def test_a_shift_of_pressure_is_found_in_the_second_chunk_and_passes(ward: Ward) -> None:
    ward.see(ROWS)
    assert watch(ward) == "6 chunks of inputs watched, 0 alerts raised."
    ward.shift = 15.0
    ward.see(ROWS)
    assert watch(ward) == "1 chunk of inputs watched, 0 alerts raised."
    ward.see(ROWS)
    assert watch(ward) == "1 chunk of inputs watched, 1 alert raised."
    (alert,) = alerts(ward.context).values()
    assert (alert["kind"], alert["key"]) == ("input_drift", "input_drift:systolic_bp")
    assert alert["message"].startswith("Systolic blood pressure has moved: median 1")
    assert "in chunks 7 and 8 (300 assessments each)" in alert["message"]
    assert "Held against 5 local chunks, 1 to 5." in alert["message"]
    ward.see(ROWS)
    watch(ward)
    assert alerts(ward.context)[alert["key"]]["times_seen"] == 2
    ward.shift = 0.0
    ward.see(ROWS)
    watch(ward)
    assert alerts(ward.context)
    ward.see(ROWS)
    watch(ward)
    assert not alerts(ward.context)


def test_a_broken_thermometer_is_told_after_one_chunk(ward: Ward) -> None:
    ward.rejected = {"body_temperature": "implausible"}
    ward.see(ROWS)
    watch(ward)
    found = alerts(ward.context)
    assert set(found) == {"input_drift:implausible:body_temperature"}
    message = found["input_drift:implausible:body_temperature"]["message"]
    assert message.startswith(
        "More readings of body temperature are impossible and rejected: 100 %, was 0 % (limit "
    )
    assert "in chunk 6 (300 assessments)" in message


def test_more_gaps_are_told_after_two_chunks(ward: Ward) -> None:
    ward.missing = 0.4
    ward.see(ROWS)
    watch(ward)
    assert not alerts(ward.context)
    ward.see(ROWS)
    watch(ward)
    assert "input_drift:missing:heart_rate" in alerts(ward.context)


def test_a_code_and_a_unit_are_told_at_their_first_occurrence(ward: Ward) -> None:
    watch(ward)
    assert not alerts(ward.context)
    ward.code, ward.unit = {"body_temperature": "8328-7"}, {"heart_rate": "bpm"}
    ward.others, ward.missing = ("http://local.example|TEMP",), 0.0
    ward.see(1)
    ward.missing = 0.05
    # Before the chunk is complete, or an hour has passed.
    assert watch(ward, after=timedelta(0)) == "0 chunks of inputs watched, 3 alerts raised."
    found = alerts(ward.context)
    assert {key: found[key]["severity"] for key in found} == {
        "unseen_code:http://loinc.org|8328-7": "warning",
        "unseen_code:http://local.example|TEMP": "info",
        "unseen_unit:heart_rate|bpm": "info",
    }
    assert found["unseen_code:http://loinc.org|8328-7"]["message"] == (
        "Body temperature came under a code for the first time: http://loinc.org|8328-7 "
        "(1 of 1 assessments after chunk 5). A source has changed what it sends."
    )
    assert watch(ward, after=timedelta(0)).endswith("0 alerts raised.")
    with ward.context.engine.begin() as connection:
        for key in found:
            AlertStore(connection).resolve(key, at=ward.at, by="ana", resolution="As agreed.")
    # A person has seen them: neither the chunk nor a later one tells them again.
    ward.see(2 * ROWS)
    assert watch(ward) == "2 chunks of inputs watched, 0 alerts raised."


def test_of_a_chart_without_enough_data_no_version_is_named(ward: Ward) -> None:
    watch(ward)
    ward.code, ward.missing = {"body_temperature": "8328-7"}, 0.0
    ward.see(1)
    with ward.context.engine.begin() as connection:
        newest = select(func.max(ASSESSMENTS.c.prediction_time)).scalar_subquery()
        connection.execute(
            update(ASSESSMENTS)
            .where(ASSESSMENTS.c.prediction_time == newest)
            .values(
                situation="insufficient_data", model_version=None, probabilities=None, category=None
            )
        )
    assert watch(ward, after=timedelta(0)) == "0 chunks of inputs watched, 1 alert raised."
    (alert,) = alerts(ward.context).values()
    assert alert["model_version"] is None


def test_a_unit_that_is_not_known_is_named(ward: Ward) -> None:
    watch(ward)
    ward.rejected = {"body_temperature": "unknown_unit"}
    ward.rejected_unit = "none"
    ward.see(3)
    watch(ward)
    assert alerts(ward.context)["unseen_unit:body_temperature|none"]["message"] == (
        "Body temperature came without a unit for the first time (3 of 3 assessments after chunk "
        "5). It is not known, so these values are rejected (unknown_unit)."
    )


def test_many_new_codes_that_are_no_input_are_one_alert(ward: Ward) -> None:
    watch(ward)
    ward.others = tuple(f"1234{i}-0" for i in range(6))
    ward.see(1)
    assert watch(ward).endswith("1 alert raised.")
    assert alerts(ward.context)["unseen_code:not_used"]["detail"] == {"codes": 6}


def test_what_was_stored_is_computed_again(
    context: ProcessContext, small_model: tuple[Path, str]
) -> None:
    ward = Ward(context, START, scorer=Scorer.load(small_model[0], version="1"))
    ward.see(ROWS)
    assert watch(ward) == "1 chunk of inputs watched, 0 alerts raised."
    (chunk,) = InputWatchService(ward.context).newest()
    assert chunk["result"]["skew"] == {
        "rows": ROWS,
        "differing": 0,
        "inputs": {},
        "answers": {"1": {"rows": ROWS, "differing": 0}},
        "unreadable": [],
    }
    ward.see(2)
    change(ward, features={"heart_rate": 61.0})
    ward.see(1)
    change(ward, probabilities={"acute": 0.9})
    assert watch(ward).endswith("2 alerts raised.")
    found = alerts(ward.context)
    assert set(found) == {"serving_skew:inputs", "serving_skew:answers:1"}
    assert {alert["severity"] for alert in found.values()} == {"critical"}
    assert found["serving_skew:inputs"]["message"].startswith(
        "The stored inputs of 1 of 3 assessments after chunk 1 are not what their readings give ("
    )
    # The changed heart rate gives other probabilities too.
    said = found["serving_skew:answers:1"]["message"]
    assert said.startswith("The stored probabilities of 2 of 3 assessments after chunk 1 are not")
    ward.see(3 * ROWS - 3)
    assert watch(ward) == "3 chunks of inputs watched, 0 alerts raised."
    assert not alerts(ward.context)


def test_real_assessments_agree_and_tell_their_codes_and_units(service: Service) -> None:
    fahrenheit = service.observation("8310-5", 101.3, "[degF]")
    unknown = service.observation("8867-4", 80, "[degRe]")
    local = service.observation("8867-4", 80, "/min")
    local["code"]["coding"][0] = {"system": "http://local.example", "code": "PULSE"}
    for observations in (service.vitals(), [fahrenheit, unknown], [local, fahrenheit]):
        assert service.assess(service.request(observations)).status_code == 200
    with reading(service.context.engine) as connection:
        rows = InputChunkStore(connection).rows(None, service.clock() + timedelta(seconds=1))
        versions = {row["version"]: row for row in ModelStore(connection).versions()}
    assert len(rows) == 3
    skew = SkewCheck().of(rows, versions)
    assert (skew.rows, skew.differing) == (3, 0)
    assert not skew.findings("here")
    assert skew.answers["1"]["rows"] >= 1
    received = Received.of(rows)
    assert received.codes["not_used", "http://local.example|PULSE"] == 1
    assert received.codes["body_temperature", "8310-5"] == 3
    assert received.units["body_temperature", "[degF]"] == 2
    assert received.units["heart_rate", "[degRe]"] == 1
    assert received.rejected == {("heart_rate", "[degRe]")}


def change(ward: Ward, **members: dict[str, float]) -> None:
    """Change the newest assessment that has what is changed."""
    with ward.context.engine.begin() as connection:
        query = select(ASSESSMENTS).order_by(ASSESSMENTS.c.prediction_time.desc()).limit(1)
        row = connection.execute(query).one()._mapping
        for name, values in members.items():
            connection.execute(
                update(ASSESSMENTS)
                .where(ASSESSMENTS.c.id == row["id"])
                .values({name: row[name] | values})
            )


def test_nothing_alarms_before_there_are_five_chunks(context: ProcessContext) -> None:
    ward = Ward(context, START)
    ward.see(2 * ROWS)
    ward.shift, ward.rejected = 40.0, {"body_temperature": "unknown_unit"}
    ward.see(2 * ROWS)
    assert watch(ward) == "4 chunks of inputs watched, 0 alerts raised."


def test_chunks_are_complete_half_open_and_an_hour_behind(ward: Ward) -> None:
    assert watch(ward, after=timedelta(minutes=59)).startswith("4 chunks")
    assert watch(ward, after=timedelta(minutes=60)).startswith("1 chunk ")
    ward.see(ROWS - 1)
    set_time(ward.context, ward.at + timedelta(days=9))
    service = InputWatchService(ward.context)
    assert service.run(actor="test").startswith("0 chunks")
    ward.see(1)
    assert service.run(actor="test").startswith("1 chunk ")
    chunks = list(reversed(service.newest(9)))
    assert [chunk["rows"] for chunk in chunks] == [ROWS] * 6
    for before, after in pairwise(chunks):
        assert before["started_at"] < before["ended_at"] <= after["started_at"]


def test_a_promotion_starts_a_new_reference_for_shares_of_answers_only(
    ward: Ward,
) -> None:
    ward.see(ROWS)
    watch(ward)
    ward.acute = 0.6
    ward.see(2 * ROWS)
    watch(ward)
    assert set(alerts(ward.context)) == {
        "input_drift:category:acute",
        "input_drift:category:mild",
    }
    promote(ward, "2")
    ward.see(ROWS)
    watch(ward)
    assert not alerts(ward.context)
    (chunk,) = InputWatchService(ward.context).newest()
    quantities = chunk["result"]["quantities"]
    assert quantities["category:acute"]["reference"] == "nothing yet"
    assert quantities["missing:heart_rate"]["reference"] == "5 local chunks, 1 to 5"


def test_other_heads_of_rare_diseases_start_no_new_reference(ward: Ward) -> None:
    ward.see(ROWS)
    watch(ward)
    promote(ward, "2", metrics={SAME_ANSWERS_AS: "1"})
    ward.acute = 0.6
    ward.see(2 * ROWS)
    watch(ward)
    assert "input_drift:category:acute" in alerts(ward.context)


def test_what_moved_is_taken_as_it_is_now_on_a_persons_word(ward: Ward) -> None:
    ward.shift = 15.0
    ward.see(2 * ROWS)
    watch(ward)
    service = InputWatchService(ward.context)
    assert set(alerts(ward.context)) == {"input_drift:systolic_bp"}
    with pytest.raises(ServiceError, match="A reason is needed"):
        service.accept("systolic_bp", actor="ana", reason=" ")
    with pytest.raises(ServiceError, match=r"age does not alarm\. .* do: systolic_bp"):
        service.accept("age", actor="ana", reason="New cuffs.")
    service.accept("systolic_bp", actor="ana", reason="New cuffs.")
    assert not alerts(ward.context)
    ward.see(4 * ROWS)
    assert watch(ward) == "4 chunks of inputs watched, 0 alerts raised."
    (chunk,) = service.newest()
    quantities = chunk["result"]["quantities"]
    assert quantities["systolic_bp"]["reference"] == "5 local chunks, 6 to 10"
    assert quantities["heart_rate"]["reference"] == "5 local chunks, 1 to 5"
    ward.shift = 0.0
    ward.see(2 * ROWS)
    watch(ward)
    assert set(alerts(ward.context)) == {"input_drift:systolic_bp"}


def test_a_persons_word_is_kept_while_a_chunk_is_being_watched(
    ward: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    ward.shift = 15.0
    ward.see(2 * ROWS)
    watch(ward)
    keep = InputWatchService._keep

    def interrupted(self: InputWatchService, *args: Any, **options: Any) -> int | None:
        monkeypatch.setattr(InputWatchService, "_keep", keep)
        self.accept("systolic_bp", actor="ana", reason="New cuffs.")
        return keep(self, *args, **options)

    monkeypatch.setattr(InputWatchService, "_keep", interrupted)
    ward.see(ROWS)
    assert watch(ward) == "1 chunk of inputs watched, 0 alerts raised."
    assert not alerts(ward.context)


def test_a_version_that_has_learnt_from_the_shift_ends_its_alert(
    ward: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    ward.shift = 15.0
    ward.see(2 * ROWS)
    watch(ward)
    assert set(alerts(ward.context)) == {"input_drift:systolic_bp"}
    monkeypatch.setattr(Scorer, "trained_through", ward.at)
    promote(ward, "2")
    ward.see(ROWS)
    watch(ward)
    assert not alerts(ward.context)


def test_inputs_are_joined_with_outcomes_once_windows_have_passed(ward: Ward) -> None:
    ward.see(3 * ROWS)
    with ward.context.engine.begin() as connection:
        rows = InputChunkStore(connection).rows(None, ward.at)
        limit = START + timedelta(minutes=6 * ROWS)
        for row in rows:
            # Until chunk 6 acute illness goes with a fast heart, later with a slow one.
            sign = 1 if row["prediction_time"] < limit else -1
            fast = sign * (row["features"].get("heart_rate", 82.0) - 82.0) > 10.0
            connection.execute(
                insert(OUTCOMES),
                {
                    "id": row["id"],
                    "assessment_id": row["id"],
                    "label_version": ward.context.terminology.label_version,
                    "category": "acute" if fast else "mild",
                    "classes": [],
                    "pre_existing": [],
                    "after_diagnosis": False,
                    "prompted": False,
                    "needs_second_source": False,
                    "rare_codes": [],
                    "condition_ids": [],
                    "decided_at": ward.at,
                },
            )
    assert watch(ward) == "8 chunks of inputs watched, 0 alerts raised."
    said = watch(ward, after=timedelta(days=30))
    assert said == "0 chunks of inputs watched, 1 alert raised. Outcomes of 8 chunks joined."
    (alert,) = alerts(ward.context).values()
    assert alert["key"] == "input_drift:correlation:heart_rate"
    assert alert["message"].startswith(
        "Heart rate goes with acute illness otherwise than before: rank correlation -0."
    )
    assert "in chunks 7 and 8" in alert["message"]
    assert watch(ward, after=timedelta(days=31)) == "0 chunks of inputs watched, 0 alerts raised."
    (chunk,) = InputWatchService(ward.context).newest()
    assert chunk["outcomes"]["verified"] == ROWS


def promote(ward: Ward, version: str, **more: Any) -> None:
    """Make the same model live under another name."""
    with ward.context.engine.begin() as connection:
        store = ModelStore(connection)
        known = store.version("1")
        assert known is not None
        store.add_version(known | {"version": version} | more)
        store.add_release(
            {"version": version, "action": "promote", "at": ward.at, "actor": "t", "reason": "t"}
        )
    ward.version = version


def test_killed_between_chunks_it_goes_on_to_the_same(
    tmp_path: Path, small_model: tuple[Path, str]
) -> None:
    found = []
    for name, at_once in (("a", True), ("b", False)):
        context = new_context(tmp_path / name, input_chunk_rows=ROWS, reference_chunks=5)
        release(context, "1", *small_model)
        ward = Ward(context, START)
        ward.see(5 * ROWS)
        ward.shift = 20.0
        ward.see(3 * ROWS)
        set_time(context, ward.at + timedelta(days=1))
        service = InputWatchService(context)
        if not at_once:
            keep = service._keep

            def dying(*given: Any, keep: Any = keep, **named: Any) -> int | None:
                keep(*given, **named)
                raise KeyboardInterrupt

            service._keep = dying  # type: ignore[method-assign]
            for _ in range(8):
                with pytest.raises(KeyboardInterrupt):
                    service.run(actor="test")
        else:
            service.run(actor="test")
        chunks = InputWatchService(context).newest(9)
        found.append(
            (
                [(c["number"], c["ended_at"], c["result"], c["state"]) for c in chunks],
                [(a["key"], a["message"], a["times_seen"]) for a in alerts(context).values()],
            )
        )
        assert InputWatchService(context).run(actor="test").startswith("0 chunks")
        context.engine.dispose()
    assert found[0] == found[1]
    assert found[0][1]
