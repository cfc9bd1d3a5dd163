"""The `disease-severity` service: what it needs, and what may be said about whom."""

from enum import StrEnum

from fhir_mapping.readings import Extraction
from model.assessment import ModelFacts
from model.population import ages_in_range

SERVICE_ID = "disease-severity"
HOOK = "patient-view"

DEFAULT_POPULATION = (18.0, 110.0)
"""Ages that are assessed where no model says otherwise, a (clinical rule C1)."""

MIN_MEASUREMENTS = 2
"""Of heart rate, temperature and blood pressure, how many a category needs beside the age. Our own
choice: with one of them the model would answer from the age and from what is missing."""


class Situation(StrEnum):
    """What can be said about a patient."""

    SCORED = "scored"
    OUT_OF_POPULATION = "out_of_population"
    INSUFFICIENT_DATA = "insufficient_data"
    MODEL_FAILED = "model_failed"
    EXCLUDED = "excluded"


def exclusion_reason(extraction: Extraction, user_id: str) -> str | None:
    """Why there is no card and nothing is learnt (C2), or `None`.

    One of `deceased`, `patient_user`, `test_patient`, `opted_out`. `user_id` is `Type/id`.
    """
    patient = extraction.patient
    if patient.deceased:
        return "deceased"
    if user_id.partition("/")[0] in ("Patient", "RelatedPerson"):
        return "patient_user"
    if patient.test_patient:
        return "test_patient"
    return "opted_out" if patient.opted_out else None


def population(facts: ModelFacts | None) -> tuple[float, float]:
    """Lowest and highest age that is assessed, a (C1)."""
    return DEFAULT_POPULATION if facts is None else (facts.min_age, facts.max_age)


def population_reason(extraction: Extraction, facts: ModelFacts | None) -> str | None:
    """Why no category may be given (C1): `pregnant`, `too_young`, `too_old`, or `None`.

    An unknown age is not outside the population; it is insufficient data.
    """
    if extraction.pregnant:
        return "pregnant"
    low, high = population(facts)
    age = extraction.patient.age
    if age is None or bool(ages_in_range([age], low, high)[0]):
        return None
    return "too_young" if age < low else "too_old"


def has_enough_data(extraction: Extraction) -> bool:
    """Whether age and `MIN_MEASUREMENTS` of the core measurements are known.

    Blood pressure counts where systolic and diastolic are both there.
    """
    row = extraction.row
    pressure = row.systolic_bp is not None and row.diastolic_bp is not None
    measured = (row.heart_rate is not None, row.body_temperature is not None, pressure)
    return row.age is not None and sum(measured) >= MIN_MEASUREMENTS


def decide_situation(extraction: Extraction, facts: ModelFacts | None, user_id: str) -> Situation:
    """What can be said, before the model is asked: C2 first, then C1, then enough data.

    Never `MODEL_FAILED`: that is known only after scoring.
    """
    if exclusion_reason(extraction, user_id) is not None:
        return Situation.EXCLUDED
    if population_reason(extraction, facts) is not None:
        return Situation.OUT_OF_POPULATION
    return Situation.SCORED if has_enough_data(extraction) else Situation.INSUFFICIENT_DATA
