"""What a reviewer is shown of an assessment: the readings, and nothing that was predicted (C18)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from cds_service.security.secrecy import Secrecy
from model.features import CATEGORIES, EXTRA_INPUTS, FEATURE, ROW_NAMES
from model.reference_ranges import reference_range


@dataclass(frozen=True, slots=True)
class ShownReading:
    """One value as it was used, beside what is usual."""

    name: str
    value: float | str
    unit: str
    """UCUM; empty for a category."""
    minutes_before: float | None
    """Age at the assessment, min; `None` for what is no reading."""
    usual: tuple[float, float] | None
    """Reference range at this age; `None` where none is known."""
    flags: tuple[str, ...] = ()
    """`extreme`, `preliminary` or `maybe_not_latest`."""


@dataclass(frozen=True, slots=True)
class PatientIds:
    """Who it is, for whoever is to open the chart."""

    base: str
    patient: str = field(repr=False)
    encounter: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class ReviewView:
    """An assessment as a reviewer sees it before answering.

    It has no field for a probability, a category, a contribution, a card, nor for why it was
    queued, which would tell of the prediction.
    """

    assessment_id: str
    assessed_at: datetime
    encounter_class: str | None
    age: float | None
    """Years."""
    sex: str | None
    readings: tuple[ShownReading, ...]
    missing: tuple[tuple[str, str | None], ...]
    """Inputs without a value, with the reason if one was recorded."""
    state: str
    ids: PatientIds | None = None


def review_view(
    item: Mapping[str, Any], row: Mapping[str, Any], secrecy: Secrecy, *, with_ids: bool
) -> ReviewView:
    """The view of an item and its assessment."""
    features: Mapping[str, Any] = row["features"] or {}
    provenance: Mapping[str, Any] = row["provenance"] or {}
    age = features.get("age")
    ages = features.get("minutes_before", {})
    flags = {entry["feature"]: tuple(entry["flags"]) for entry in provenance.get("readings", ())}
    why = {entry["feature"]: str(entry["reason"]) for entry in provenance.get("missing", ())}
    readings, missing = [], []
    for name in ROW_NAMES:
        value = features.get(name)
        if value is None:
            # An input that nobody asked for is not missing.
            if name not in EXTRA_INPUTS or name in why:
                missing.append((name, why.get(name)))
        elif name not in ("age", "sex"):
            readings.append(
                ShownReading(
                    name,
                    value,
                    "" if name in CATEGORIES else FEATURE[name].unit,
                    ages.get(name),
                    reference_range(name, age),
                    flags.get(name, ()),
                )
            )
    return ReviewView(
        assessment_id=row["id"],
        assessed_at=row["prediction_time"],
        encounter_class=row["encounter_class"],
        age=age,
        sex=features.get("sex"),
        readings=tuple(readings),
        missing=tuple(missing),
        state=item["state"],
        ids=_ids(row["identifiers"], secrecy) if with_ids else None,
    )


def _ids(encrypted: bytes, secrecy: Secrecy) -> PatientIds | None:
    """`None` if no key of now reads them."""
    try:
        known = json.loads(secrecy.decrypt(encrypted))
        return PatientIds(str(known["base"]), str(known["patient"]), known.get("encounter"))
    except (ValueError, KeyError, TypeError):
        return None
