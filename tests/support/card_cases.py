"""Extractions, assessments and model facts for tests of cards; every person is invented."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from fhir_mapping.readings import Extraction, Missing, MissingReason, PatientFacts, Reading
from hooks.cards import DEVELOPMENT_POLICY, CardDecision, build_cards
from hooks.contexts import PatientViewContext
from hooks.disease_severity import Situation
from model.assessment import Assessment, Contribution, ModelFacts
from model.features import FEATURE, READINGS, FeatureRow
from model.severity import SEVERITIES, Severity

NOW = datetime(2026, 3, 7, 12, 0, tzinfo=UTC)
PUBLIC_URL = "https://cds.example.org"
CARD_UUID = "11111111-2222-4333-8444-555555555555"
SUGGESTION_UUID = "66666666-7777-4888-9999-000000000000"
ASSESSMENT_ID = "a0a0a0a0-b1b1-4c2c-8d3d-e4e4e4e4e4e4"
CONTEXT = PatientViewContext("Practitioner/nurse-1", "p1", "e1")
BASE_RATES = {
    Severity.NOT_ILL: 0.30,
    Severity.MILD: 0.38,
    Severity.ACUTE: 0.02,
    Severity.CHRONIC: 0.29,
    Severity.TERMINAL: 0.01,
}


def an_extraction(
    values: Mapping[str, float] | None = None,
    *,
    age: float | None = 71.4,
    sex: str | None = "female",
    minutes: Mapping[str, float] | None = None,
    flags: Mapping[str, tuple[str, ...]] | None = None,
    reasons: Mapping[str, MissingReason] | None = None,
    **facts: Any,
) -> Extraction:
    """An extraction of `values`, 10 minutes old unless `minutes` says otherwise.

    What is not in `values` is missing, for `no_observation` unless `reasons` says otherwise.
    `facts` are the remaining members of `PatientFacts` and `Extraction`.
    """
    values, minutes, flags, reasons = values or {}, minutes or {}, flags or {}, reasons or {}
    readings = tuple(
        Reading(
            feature=name,
            value=values[name],
            time=NOW - timedelta(minutes=minutes.get(name, 10.0)),
            minutes_before=minutes.get(name, 10.0),
            code="8867-4",
            received_value=values[name],
            received_unit=FEATURE[name].unit,
            received_time="2026-03-07T11:50:00Z",
            status="final",
            reference=f"Observation/{name.replace('_', '-')}",
            flags=flags.get(name, ()),
        )
        for name in READINGS
        if name in values
    )
    absent = [name for name in READINGS if name not in values]
    absent = (["age"] if age is None else []) + absent + (["sex"] if sex is None else [])
    patient = PatientFacts(
        age=age,
        age_reason=None if age is not None else MissingReason.NO_OBSERVATION,
        age_is_approximate=facts.pop("age_is_approximate", False),
        sex=sex,
        deceased=facts.pop("deceased", False),
        test_patient=facts.pop("test_patient", False),
        opted_out=facts.pop("opted_out", False),
    )
    return Extraction(
        row=FeatureRow(
            age=age,
            sex=sex,
            minutes_before={reading.feature: reading.minutes_before for reading in readings},
            **values,
        ),
        patient=patient,
        readings=readings,
        missing=tuple(
            Missing(name, reasons.get(name, MissingReason.NO_OBSERVATION)) for name in absent
        ),
        skipped=(),
        pregnant=facts.pop("pregnant", False),
        encounter_class=facts.pop("encounter_class", "emergency"),
        maybe_not_latest=facts.pop("maybe_not_latest", False),
        rare=facts.pop("rare", ()),
    )


def an_assessment(
    category: Severity = Severity.ACUTE,
    probability: float = 0.08,
    *,
    prediction_set: tuple[Severity, ...] = SEVERITIES,
    acute: float | None = None,
    above: tuple[Severity, ...] | None = None,
    contributions: tuple[Contribution, ...] | None = None,
    atypicality: float | None = 0.4,
    covered: tuple[Severity, ...] = SEVERITIES,
) -> Assessment:
    """An assessment that chose `category` at `probability`; the rest is spread evenly.

    `acute` sets the probability of acute where that is not the category; `above` are the
    categories above their threshold, by default the category itself.
    """
    given = {category: probability}
    if acute is not None:
        given[Severity.ACUTE] = acute
    rest = [severity for severity in covered if severity not in given]
    left = 1.0 - sum(given.values())
    probabilities = {s: given.get(s, left / max(len(rest), 1)) for s in covered}
    if contributions is None:
        contributions = (
            Contribution("heart_rate", 1.2),
            Contribution("blood_pressure", 0.7),
            Contribution("age", -0.4),
            Contribution("body_temperature", 0.1),
        )
    above = (category,) if above is None else above
    return Assessment(
        probabilities=probabilities,
        category=category,
        prediction_set=prediction_set,
        contributions=dict.fromkeys(covered, contributions),
        baseline=dict.fromkeys(covered, -1.0),
        atypicality=atypicality,
        above_threshold={severity: severity in above for severity in covered},
    )


def some_facts(**changes: Any) -> ModelFacts:
    """Facts of a model trained on a real history."""
    given: dict[str, Any] = {
        "version": "7",
        "simulated": False,
        "min_age": 18.0,
        "max_age": 110.0,
        "base_rates": BASE_RATES,
        "missing_categories": (),
        "coverage": 0.9,
        "excludable": SEVERITIES,
    }
    return ModelFacts(**(given | changes))


def decide(
    extraction: Extraction,
    assessment: Assessment | None = None,
    facts: ModelFacts | None = None,
    **changes: Any,
) -> CardDecision:
    """`build_cards` with the usual arguments; scored if there is an assessment. `known_before` is
    of the extraction."""
    if "known_before" in changes:
        extraction = replace(extraction, known_before=changes.pop("known_before"))
    given: dict[str, Any] = {
        "policy": DEVELOPMENT_POLICY,
        "language": "en",
        "public_url": PUBLIC_URL,
        "card_uuid": CARD_UUID,
        "suggestion_uuid": SUGGESTION_UUID,
        "assessment_id": ASSESSMENT_ID,
        "context": CONTEXT,
        "situation": Situation.SCORED if assessment is not None else Situation.MODEL_FAILED,
    }
    facts = some_facts() if facts is None else facts
    return build_cards(extraction, assessment, facts, **(given | changes))


def the_card(*args: Any, **changes: Any) -> dict[str, Any]:
    """The only card of `decide`."""
    cards = decide(*args, **changes).cards
    assert len(cards) == 1
    return cards[0]


ADULT: Mapping[str, float] = {
    "heart_rate": 118,
    "body_temperature": 37.9,
    "systolic_bp": 96,
    "diastolic_bp": 58,
}
"""Readings without a red NEWS2 score."""
RED: Mapping[str, float] = {**ADULT, "systolic_bp": 84, "respiratory_rate": 27}
"""Readings with two."""

CASES: dict[str, dict[str, Any]] = {
    "acute": {"extraction": an_extraction(ADULT), "assessment": an_assessment()},
    "red and acute": {"extraction": an_extraction(RED), "assessment": an_assessment()},
    "not ill": {
        "extraction": an_extraction(ADULT),
        "assessment": an_assessment(Severity.NOT_ILL, 0.7, acute=0.01),
    },
    "mild": {
        "extraction": an_extraction(ADULT),
        "assessment": an_assessment(Severity.MILD, 0.6, acute=0.01),
    },
    "chronic": {
        "extraction": an_extraction(ADULT),
        "assessment": an_assessment(Severity.CHRONIC, 0.5, acute=0.01),
    },
    "advanced": {
        "extraction": an_extraction(ADULT),
        "assessment": an_assessment(Severity.TERMINAL, 0.2, acute=0.03),
    },
    "child": {
        "extraction": an_extraction(ADULT, age=4.0),
        "situation": Situation.OUT_OF_POPULATION,
    },
    "nothing read": {
        "extraction": an_extraction(
            {}, age=None, sex=None, reasons={"heart_rate": MissingReason.STALE}
        ),
        "situation": Situation.INSUFFICIENT_DATA,
    },
    "newer readings may exist": {
        "extraction": an_extraction(ADULT, maybe_not_latest=True),
        "assessment": an_assessment(Severity.NOT_ILL, 0.7, acute=0.01),
    },
    "model failed": {"extraction": an_extraction(ADULT), "situation": Situation.MODEL_FAILED},
    "model failed, red": {"extraction": an_extraction(RED), "situation": Situation.MODEL_FAILED},
    "excluded": {
        "extraction": an_extraction(ADULT, deceased=True),
        "situation": Situation.EXCLUDED,
    },
}
"""Arguments of `decide` for every kind of answer."""
