"""Codes and units that readings came with, and those that never came before.

A code is what a source calls a measurement, so a new one is a change at the source and no matter
of chance: it is told at its first occurrence.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cds_service.services.alerts import Finding
from cds_service.services.input_findings import NAMES, capital
from fhir_mapping.readings import MissingReason
from fhir_mapping.skipping import NOT_USED

Known = dict[str, list[str]]
"""Input (`not_used`: none) → codes or units."""
MOST_TOLD = 5
"""New codes that no input reads, at once: more are told together."""
LOINC = "http://loinc.org"


@dataclass(frozen=True, slots=True)
class Received:
    """Input and code, or input and unit → assessments they came in."""

    codes: Counter[tuple[str, str]]
    units: Counter[tuple[str, str]]
    rejected: frozenset[tuple[str, str]]
    """Units that are not known."""

    @classmethod
    def of(cls, rows: Iterable[Mapping[str, Any]]) -> "Received":
        """What stored assessments tell; those without provenance tell nothing."""
        codes: Counter[tuple[str, str]] = Counter()
        units: Counter[tuple[str, str]] = Counter()
        rejected: set[tuple[str, str]] = set()
        for row in rows:
            provenance = row["provenance"] or {"readings": (), "skipped": ()}
            own_codes: set[tuple[str, str]] = set()
            own_units: set[tuple[str, str]] = set()
            for entry in provenance["readings"]:
                own_codes.add((entry["feature"], entry["code"]))
                if entry["received_unit"]:
                    own_units.add((entry["feature"], entry["received_unit"]))
            for entry in provenance["skipped"]:
                feature, code, unit = (entry.get(k) for k in ("feature", "code", "unit"))
                if code is not None and feature is not None:
                    own_codes.add((feature, code))
                elif code is not None and entry["reason"] == NOT_USED:
                    own_codes.add((NOT_USED, code))
                if unit is not None and feature is not None:
                    own_units.add((feature, unit))
                    rejected.add((feature, unit))
            codes.update(own_codes)
            units.update(own_units)
        return cls(codes, units, frozenset(rejected))


def with_new(known: Mapping[str, Sequence[str]], found: Iterable[tuple[str, str]]) -> Known:
    """What is known, and what has come."""
    pairs = {(name, code) for name, codes in known.items() for code in codes} | set(found)
    grown: Known = {}
    for name, code in sorted(pairs):
        grown.setdefault(name, []).append(code)
    return grown


def unseen(
    received: Received,
    codes: Mapping[str, Sequence[str]],
    units: Mapping[str, Sequence[str]],
    *,
    rows: int,
    where: str,
    model_version: str | None,
) -> list[Finding]:
    """Alerts for codes and units that are not among the known `codes` and `units`.

    `rows` assessments were looked at; `where` names them.
    """
    findings = []
    fresh = [pair for pair in sorted(received.codes) if pair[1] not in codes.get(pair[0], ())]
    others = [code for name, code in fresh if name == NOT_USED]
    for name, code in fresh:
        if name != NOT_USED or len(others) <= MOST_TOLD:
            findings.append(_code(name, code, received.codes[name, code], rows, where))
    if len(others) > MOST_TOLD:
        findings.append(_many(others, where))
    for name, unit in sorted(received.units):
        if unit not in units.get(name, ()):
            bad = (name, unit) in received.rejected
            count = received.units[name, unit]
            findings.append(_unit(name, unit, count, rows, where, rejected=bad))
    return [
        Finding(one.kind, one.key, one.severity, one.message, model_version, one.detail)
        for one in findings
    ]


def _code(name: str, code: str, count: int, rows: int, where: str) -> Finding:
    full = code if "|" in code else f"{LOINC}|{code}"
    if name == NOT_USED:
        said = (
            f"An Observation that is no input came with a code for the first time: {full} "
            f"({_of(count, rows)} {where}). If it is a vital sign, it is not read under this code."
        )
    else:
        said = (
            f"{capital(NAMES.get(name, name))} came under a code for the first time: {full} "
            f"({_of(count, rows)} {where}). A source has changed what it sends."
        )
    severity = "info" if name == NOT_USED else "warning"
    return Finding(
        "unseen_code",
        f"unseen_code:{full}",
        severity,  # type: ignore[arg-type]  # one of the two words above
        said,
        detail={"input": None if name == NOT_USED else name, "code": full, "rows": count},
    )


def _many(codes: Sequence[str], where: str) -> Finding:
    return Finding(
        "unseen_code",
        "unseen_code:not_used",
        "info",
        f"{len(codes)} codes that are no input came for the first time {where}, such as "
        f"{codes[0]}: a source sends other things than before.",
        detail={"codes": len(codes)},
    )


def _unit(name: str, unit: str, count: int, rows: int, where: str, *, rejected: bool) -> Finding:
    known = capital(NAMES.get(name, name))
    what = {"none": "without a unit", "text": "with a text in place of a unit"}.get(
        unit, f"in {unit}"
    )
    reason = MissingReason.UNKNOWN_UNIT.value
    rest = (
        f"It is not known, so these values are rejected ({reason})."
        if rejected
        else ("It is known and converted; a source has changed what it sends.")
    )
    return Finding(
        "unseen_unit",
        f"unseen_unit:{name}|{unit}",
        "warning" if rejected else "info",
        f"{known} came {what} for the first time ({_of(count, rows)} {where}). {rest}",
        detail={"input": name, "unit": unit, "rows": count, "rejected": rejected},
    )


def _of(count: int, rows: int) -> str:
    return f"{count} of {rows} assessments"
