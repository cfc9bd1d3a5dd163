"""What the Conditions that come with a chart say was known before (clinical rule C16)."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any, Final

from fhir_mapping.bundles import Entry, read_contents
from fhir_mapping.codings import read_codings
from fhir_mapping.elements import Raw
from fhir_mapping.labels import ConditionFacts, classify
from fhir_mapping.readings import RareOnRecord
from fhir_mapping.references import PatientMatcher
from fhir_mapping.terminology import Terminology
from model.severity import Severity

MOST_READ = 200
"""Conditions of one chart that are looked at: a problem list is tens long."""
MAX_NAME: Final = 200
"""Characters of a disease's name that are kept; a card shows fewer."""
ON_RECORD_ALL_THE_SAME: tuple[str | None, ...] = (None, "unknown_date")
"""Reasons why a Condition is no outcome that do not keep a rare disease off the record: what
stands in the chart now is known now, whenever it began."""


@dataclass(frozen=True, slots=True)
class KnownBefore:
    """What a chart says of the patient beside the readings."""

    classes: frozenset[Severity] = frozenset()
    """Categories of the Conditions that count and were known by the prediction time."""
    rare: tuple[RareOnRecord, ...] = ()
    """Rare diseases, each once, in the order of the chart."""


def known_before(
    conditions: Raw | Sequence[Raw] | None,
    patient: PatientMatcher,
    terminology: Terminology,
    prediction_time: datetime,
    zone: tzinfo = UTC,
) -> KnownBefore:
    """What the patient's Conditions say; never raises.

    What is restricted is not told (C21). `zone` is where the days of dates without a time end.
    """
    classes: set[Severity] = set()
    rare: dict[str, RareOnRecord] = {}
    for entry in read_contents(conditions).entries[:MOST_READ]:
        condition = _decoded(entry)
        facts = classify(condition, terminology=terminology, zone=zone)
        if facts.restricted or facts.subject is None or not patient.matches(facts.subject):
            continue
        if facts.rare_code is not None and facts.why_not in ON_RECORD_ALL_THE_SAME:
            found = RareOnRecord(facts.rare_code, _name(condition, facts, terminology))
            known = rare.get(facts.rare_code)
            if known is None or known.name is None:
                rare[facts.rare_code] = found
        if (
            facts.counts
            and facts.severity is not None
            and facts.known_at is not None
            and facts.known_at <= prediction_time
        ):
            classes.add(facts.severity)
    return KnownBefore(frozenset(classes), tuple(rare.values()))


def stored_rare(facts: Iterable[Mapping[str, Any]]) -> list[str]:
    """Codes of the rare diseases that stored Conditions put on record, each once, in order.

    `facts` are what `ConditionFacts.stored` gave.
    """
    return sorted(
        {
            one["rare_code"]
            for one in facts
            if one["rare_code"] is not None
            and not one["restricted"]
            and one["why_not"] in ON_RECORD_ALL_THE_SAME
        }
    )


def with_stored(
    rare: Sequence[RareOnRecord], stored: Sequence[str], terminology: Terminology
) -> tuple[RareOnRecord, ...]:
    """The rare diseases of the chart, and of Conditions that came earlier, which have no names."""
    known = {one.code for one in rare}
    added = [RareOnRecord(code, terminology.rare_name(code)) for code in stored]
    return (*rare, *(one for one in added if one.code not in known))


def _name(
    condition: Mapping[str, Any], facts: ConditionFacts, terminology: Terminology
) -> str | None:
    """What the chart calls the disease: the display of the coding that names it, else the text of
    the code; else Orphadata's name, if its file is loaded."""
    concept = condition.get("code")
    if not isinstance(concept, Mapping):
        return None
    codings = concept.get("coding")
    for coding in codings if isinstance(codings, list) else ():
        read = read_codings({"coding": [coding]}, terminology.variants)
        name = _text(coding.get("display")) if isinstance(coding, Mapping) else None
        if name is not None and terminology.rare_code(read) == facts.rare_code:
            return name
    named = _text(concept.get("text"))
    if named is None and facts.rare_code is not None:
        return terminology.rare_name(facts.rare_code)
    return named


def _text(value: object) -> str | None:
    return value.strip()[:MAX_NAME] if isinstance(value, str) and value.strip() else None


def _decoded(entry: Entry) -> dict[str, Any]:
    try:
        resource = json.loads(bytes(entry.raw))
    except (ValueError, RecursionError):
        return {}
    return resource if isinstance(resource, dict) else {}
