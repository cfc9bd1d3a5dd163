"""C17: a hospital changes its labels; what was decided before stays, and is pooled with nothing."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from cds_service.context import ProcessContext
from cds_service.services.monitoring import MonitoringService
from cds_service.services.outcomes import OutcomeService, condition_history
from cds_service.storage import session
from cds_service.storage.condition_store import OutcomeStore
from cds_service.storage.tables import CONDITIONS, EVALUATIONS
from fhir_mapping.code_systems import ICD_10_CM
from tests.support.conditions import condition
from tests.support.service import new_context
from tests.support.stored import (
    BASE,
    SEEN,
    assessed,
    category,
    current,
    joined,
    outcome,
    receive,
    rows,
    set_time,
)
from tests.support.terminology import family, value_set, write


@pytest.fixture
def shipped(tmp_path: Path, database_url: str) -> Iterator[ProcessContext]:
    """Before the hospital had files of its own."""
    yield from process(tmp_path, database_url)


@pytest.fixture
def site(tmp_path: Path, database_url: str) -> Iterator[ProcessContext]:
    """The same installation with a set of acute events of its own: a cold, no infarct."""
    folder = tmp_path / "terminology"
    write(folder, "acute.json", value_set("acute-event", family(ICD_10_CM, "J00")))
    yield from process(tmp_path, database_url, terminology_dir=folder)


def process(folder: Path, database_url: str, **settings: Any) -> Iterator[ProcessContext]:
    context = new_context(folder, database_url, **settings)
    set_time(context, SEEN + timedelta(days=40))
    yield context
    context.engine.dispose()


def every_outcome(context: ProcessContext, assessment: str) -> list[tuple[str, str | None, bool]]:
    """Version, category, and whether it still stands."""
    with session.reading(context.engine) as connection:
        found = OutcomeStore(connection).history(assessment)
    return [(row["label_version"], row["category"], row["superseded_at"] is None) for row in found]


def test_outcomes_are_decided_anew_and_the_earlier_ones_stay(
    shipped: ProcessContext, site: ProcessContext
) -> None:
    assessment = assessed(shipped)
    receive(shipped, condition(icd="I21.9"))
    assert category(shipped, assessment) == "acute"
    before = outcome(shipped, assessment)

    OutcomeService(site).refresh()
    version = site.terminology.label_version
    assert version.startswith("1-")
    assert category(site, assessment) == "chronic"
    assert outcome(shipped, assessment) == before
    assert sorted(every_outcome(site, assessment)) == [
        ("1", "acute", True),
        (version, "chronic", True),
    ]


def test_outcomes_of_two_versions_are_never_pooled(
    shipped: ProcessContext, site: ProcessContext
) -> None:
    first, second = assessed(shipped), assessed(shipped, patient="p2")
    receive(shipped, condition(icd="I21.9"))
    receive(shipped, condition(icd="J96.00", id="c2"), patient_id="p2")
    assert sorted(joined(shipped).frame["severity"]) == ["acute", "acute"]
    # Nothing was decided by the new rules yet, so nothing is there.
    assert len(joined(site).frame) == 0
    MonitoringService(site).evaluate(actor="test")
    assert list(joined(site).frame["severity"]) == ["chronic"]
    assert category(site, first) == "chronic"
    assert category(site, second) is None
    assert sorted(joined(shipped).frame["severity"]) == ["acute", "acute"]
    with session.reading(site.engine) as connection:
        results = connection.execute(EVALUATIONS.select()).mappings().all()
    assert {row["result"]["label_version"] for row in results} == {site.terminology.label_version}


def test_a_stored_condition_is_read_again_once_and_its_first_reading_can_be_seen(
    shipped: ProcessContext, site: ProcessContext
) -> None:
    assessed(shipped)
    receive(shipped, condition(icd="I21.9"))
    OutcomeService(site).refresh()
    history = condition_history(site, BASE, "c1")
    assert [row["facts"]["classification"] for row in history] == ["acute-event", "chronic"]
    assert [row["label_version"] for row in history] == ["1", site.terminology.label_version]
    assert [row["superseded_at"] is None for row in history] == [False, True]
    OutcomeService(site).refresh()
    assert rows(site, CONDITIONS) == 2


def test_the_same_condition_after_the_change_is_known(
    shipped: ProcessContext, site: ProcessContext
) -> None:
    assessed(shipped)
    receive(shipped, condition(icd="I21.9"))
    OutcomeService(site).refresh()
    again = receive(site, condition(icd="I21.9"))
    assert (again.stored, again.unchanged) == (0, 1)


def test_a_new_condition_has_the_earlier_ones_of_its_patient_read_again(
    shipped: ProcessContext, site: ProcessContext
) -> None:
    assessment = assessed(shipped)
    receive(shipped, condition(icd="I21.9"))
    receive(site, condition(icd="S93.401A", id="c2"))
    assert {row["label_version"] for row in current(site)} == {site.terminology.label_version}
    assert category(site, assessment) == "chronic"


def test_what_was_stored_before_there_was_evidence_is_read_again_too(
    shipped: ProcessContext, site: ProcessContext
) -> None:
    assessment = assessed(shipped)
    receive(shipped, condition(icd="J00"), ended_at_home=True)
    assert category(shipped, assessment) == "mild"
    with shipped.engine.begin() as connection:
        [row] = current(shipped)
        facts = {
            name: value
            for name, value in row["facts"].items()
            if name not in ("mild_severity", "ended_at_home", "why_not_else")
        }
        connection.execute(CONDITIONS.update().values(facts=facts, content_hash="old"))
    OutcomeService(site).refresh()
    assert category(site, assessment) == "acute"


def test_undetermined_is_counted_without_what_a_sender_put_into_a_system(
    shipped: ProcessContext,
) -> None:
    received = receive(
        shipped,
        condition(id="c1", codings=[("text:Jane-Doe", "a")]),
        condition(id="c2", codings=[("https://hospital.example/codes", "a")]),
        condition(id="c3", codings=[("1.2.3.4", "a")]),
    )
    assert received.undetermined == {
        "other system unknown_system": 1,
        "https://hospital.example/codes unknown_system": 1,
        "urn:oid:1.2.3.4 unknown_system": 1,
    }
