"""Who is decided anew by a refresh: those for whom something has changed, and nobody else."""

from datetime import timedelta

import pytest
from sqlalchemy import insert

from cds_service.context import ProcessContext
from cds_service.services.outcomes import OutcomeService
from cds_service.storage import session
from cds_service.storage.condition_store import OutcomeStore
from cds_service.storage.tables import CONDITIONS, OUTCOMES, REVIEW_ANSWERS
from tests.support.conditions import condition
from tests.support.stored import SEEN, assessed, category, receive, rows, set_time


@pytest.fixture
def context(context: ProcessContext) -> ProcessContext:
    """When every outcome window has passed."""
    set_time(context, SEEN + timedelta(days=40))
    return context


def undecided(context: ProcessContext, label_version: str | None = None) -> int:
    version = label_version or context.terminology.label_version
    with session.reading(context.engine) as connection:
        return len(OutcomeStore(connection).undecided_patients(version))


def test_what_was_decided_when_it_came_is_left_alone(context: ProcessContext) -> None:
    assessed(context)
    assessed(context, patient="of-whom-nothing-is-known")
    receive(context, condition(icd="I21.9"))
    assert undecided(context) == 0


def test_an_assessment_that_came_after_its_condition_is_decided(context: ProcessContext) -> None:
    receive(context, condition(icd="I21.9"))
    assert undecided(context) == 0
    assessment = assessed(context)
    assert undecided(context) == 1
    OutcomeService(context).refresh()
    assert category(context, assessment) == "acute"
    assert undecided(context) == 0


def test_c17_other_rules_decide_everybody_with_a_condition(context: ProcessContext) -> None:
    assessed(context)
    receive(context, condition(icd="I21.9"))
    assert undecided(context, "of-tomorrow") == 1


def test_c17_a_condition_read_by_rules_that_were_taken_back_is_read_again(
    context: ProcessContext,
) -> None:
    assessed(context)
    receive(context, condition(icd="I21.9"))
    with context.engine.begin() as connection:
        connection.execute(CONDITIONS.update().values(label_version="of-tomorrow"))
    assert undecided(context) == 1
    OutcomeService(context).refresh()
    assert undecided(context) == 0


def test_an_answer_that_no_outcome_rests_on_decides(context: ProcessContext) -> None:
    assessment = assessed(context)
    answer = {
        **{"assessment_id": assessment, "answer": "category", "category": "chronic"},
        **{"at": context.clock(), "reviewer": "dr a"},
    }
    with context.engine.begin() as connection:
        connection.execute(insert(REVIEW_ANSWERS), answer)
    assert undecided(context) == 1
    OutcomeService(context).refresh()
    assert category(context, assessment) == "chronic"
    assert undecided(context) == 0
    # A later one counts again.
    set_time(context, context.clock() + timedelta(hours=1))
    with context.engine.begin() as connection:
        connection.execute(
            insert(REVIEW_ANSWERS), answer | {"category": "mild", "at": context.clock()}
        )
    assert undecided(context) == 1
    OutcomeService(context).refresh()
    assert category(context, assessment) == "mild"
    assert rows(context, OUTCOMES) == 2
