"""What runs every few minutes reads what is new, not all that a hospital ever saw."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from cds_service.context import ProcessContext
from cds_service.services.matured import matured_outcomes
from cds_service.services.rare_updates import RareUpdateService
from cds_service.storage import session
from cds_service.storage.assessment_store import AssessmentStore
from cds_service.storage.condition_store import OutcomeStore
from tests.support.conditions import condition
from tests.support.service import new_context
from tests.support.stored import SEEN, assessed, joined, receive, set_time

LATER = SEEN + timedelta(days=100)
CODE = "ORPHA:586"


@pytest.fixture
def context(tmp_path: Path, database_url: str) -> Iterator[ProcessContext]:
    """Patient `old` was seen once, `both` then and later in one encounter, `new` later."""
    context = new_context(tmp_path, database_url)
    set_time(context, LATER + timedelta(days=40))
    for patient, encounter in (("old", None), ("both", "e1")):
        assessed(context, patient=patient, encounter=encounter)
    for patient, encounter in (("both", "e1"), ("new", None)):
        assessed(context, patient=patient, encounter=encounter, at=LATER)
    for patient, at in (("old", SEEN), ("new", LATER)):
        receive(
            context,
            condition(
                icd="E84.9",
                codings=[("https://www.orpha.net", CODE)],
                id=patient,
                subject={"reference": f"Patient/{patient}"},
                recordedDate=(at + timedelta(hours=2)).isoformat(),
            ),
            patient_id=patient,
        )
    yield context
    context.engine.dispose()


def test_only_patients_who_were_seen_since_are_read(context: ProcessContext) -> None:
    with session.reading(context.engine) as connection:
        store, version = AssessmentStore(connection), context.terminology.label_version
        assert len(store.references()) == 4
        found = store.references(since=LATER)
        # The earlier visit of `both` says which of the two stands for the encounter.
        assert [row["prediction_time"] for row in found] == [SEEN, LATER, LATER]
        assert len(OutcomeStore(connection).decided(version)) == 2
        assert len(OutcomeStore(connection).decided(version, since=LATER)) == 1


def test_c16_an_encounter_that_began_before_is_not_counted_again(context: ProcessContext) -> None:
    found = joined(context, since=LATER)
    assert found.counts == {"assessments": 2, "later_in_encounter": 1, "with_outcome": 1}
    frame = matured_outcomes(context, since=LATER, decide=False)
    assert frame["recorded_at"].tolist() == [LATER]


def test_the_cases_of_rare_diseases_are_found_without_reading_every_assessment(
    context: ProcessContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    with session.reading(context.engine) as connection:
        store = AssessmentStore(connection)
        keys = {row["patient_key"] for row in store.references() if row["encounter_key"] is None}
        cases = OutcomeStore(connection).rare(context.terminology.label_version)
        assert cases == {(one, CODE) for one in keys}
        assert OutcomeStore(connection).rare("other") == set()
    row = {"version": "1", "history_id": None, "history_ids": []}
    read: list[str] = []
    monkeypatch.setattr(AssessmentStore, "references", lambda *_: read.append("references") or [])
    monkeypatch.setattr(OutcomeStore, "decided", lambda *_: read.append("decided") or {})
    with session.reading(context.engine) as connection:
        assert RareUpdateService(context)._fingerprint(connection, row) is None
    assert read == []
