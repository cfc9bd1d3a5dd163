"""Secret keys change: what was written under an old one is found and moves, on both databases."""

import base64
import json
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import select

from cds_service.context import ProcessContext
from cds_service.security.clients import DEVELOPMENT_CLIENT
from cds_service.security.secrecy import Secrecy
from cds_service.services.assessing import AssessingService
from cds_service.services.outcomes import OutcomeService
from cds_service.storage import session
from cds_service.storage.assessment_store import AssessmentStore
from cds_service.storage.tables import ASSESSMENTS
from model.artefact import load
from tests.support.artefacts import KEPT
from tests.support.conditions import condition
from tests.support.service import new_context, release
from tests.support.stored import (
    BASE,
    SEEN,
    assessed,
    category,
    current,
    receive,
    set_time,
    use_keys,
)


@pytest.fixture
def context(context: ProcessContext) -> ProcessContext:
    """When every outcome window has passed."""
    set_time(context, SEEN + timedelta(days=40))
    return context


def assess(context: ProcessContext, *, encounter: str | None) -> str:
    """A chart of patient p1 opens at `SEEN`; the id of the new assessment."""
    if context.champion.scorer is None:
        release(context, "1", KEPT, load(KEPT)[1])
        context.champion.refresh()
    now = context.clock()
    set_time(context, SEEN)
    request = {
        "hook": "patient-view",
        "hookInstance": str(uuid4()),
        "fhirServer": BASE,
        "context": {"userId": "Practitioner/1", "patientId": "p1"}
        | ({} if encounter is None else {"encounterId": encounter}),
        "prefetch": {
            "patient": {"resourceType": "Patient", "id": "p1", "birthDate": "1960-01-01"},
            "vitals": {"resourceType": "Bundle", "type": "searchset"},
        },
    }
    answer = json.loads(
        AssessingService(context).patient_view(json.dumps(request).encode(), DEVELOPMENT_CLIENT)
    )
    set_time(context, now)
    identifier: str = answer["extension"]["org.cds-service.assessment"]["assessment"]
    return identifier


@pytest.mark.parametrize("seen_again_by", ["assess", "receive"])
def test_rows_under_an_old_key_move_when_the_patient_is_next_seen(
    context: ProcessContext, seen_again_by: str
) -> None:
    old, new = b"o" * 32, b"n" * 32
    use_keys(context, old)
    ours = assessed(context)
    theirs = assessed(context, patient="p2")
    receive(context, condition(icd="I10"))
    use_keys(context, new, old)
    if seen_again_by == "assess":
        assess(context, encounter=None)
    else:
        receive(context, condition(icd="I21.9", id="c2"))
    use_keys(context, new)
    with session.reading(context.engine) as connection:
        key = context.secrecy.patient_keys(BASE, "p1")[0]
        ids = [row["id"] for row in AssessmentStore(connection).references(key)]
        kept = connection.execute(select(ASSESSMENTS.c.patient_key).filter_by(id=theirs)).scalar()
    assert ours in ids
    assert theirs not in ids
    assert kept == Secrecy([old]).patient_keys(BASE, "p2")[0]
    assert len(current(context)) == (1 if seen_again_by == "assess" else 2)
    expected = "chronic" if seen_again_by == "assess" else "acute"
    assert category(context, ours) == expected


@pytest.mark.parametrize("second", ["assessment", "condition"])
def test_c16_the_same_encounter_is_known_across_a_change_of_keys(
    context: ProcessContext, second: str
) -> None:
    old, new = b"o" * 32, b"n" * 32
    use_keys(context, old)
    found = condition(icd="I21.9", encounter="Encounter/e1", recorded="2026-03-30T10:00:00Z")
    if second == "condition":
        assessment = assessed(context, encounter="e1")
        use_keys(context, new, old)
        receive(context, found, encounter_id="e1")
    else:
        receive(context, found, encounter_id="e1")
        use_keys(context, new, old)
        assessment = assess(context, encounter="e1")
        OutcomeService(context).refresh()
    # Four weeks later: only the encounter joins the two.
    assert category(context, assessment) == "acute"


def test_a_corrected_condition_is_found_under_its_old_key(context: ProcessContext) -> None:
    old, new = b"o" * 32, b"n" * 32
    use_keys(context, old)
    assessment = assessed(context)
    receive(context, condition(icd="I21.9"))
    use_keys(context, new, old)
    assert receive(context, condition(icd="I21.9")).unchanged == 1
    assert receive(context, condition(icd="I10")).stored == 1
    assert category(context, assessment) == "chronic"


def test_secret_keys_of_the_settings_are_those_of_the_rows(
    tmp_path: Path, database_url: str
) -> None:
    keys = [base64.b64encode(bytes([number]) * 32).decode() for number in (2, 1)]
    first = new_context(tmp_path, database_url, secret_keys=json.dumps(keys[1:]))
    set_time(first, SEEN + timedelta(days=40))
    assessment = assessed(first)
    first.engine.dispose()
    second = new_context(tmp_path, database_url, secret_keys=json.dumps(keys))
    set_time(second, SEEN + timedelta(days=40))
    receive(second, condition(icd="I21.9"))
    assert category(second, assessment) == "acute"
    second.engine.dispose()
