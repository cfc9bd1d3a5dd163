"""The queue as a sheet for a reviewer without a screen, and the filled sheet taken back."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pandas as pd

from cds_service.context import ProcessContext
from cds_service.errors import NotFoundError, ServiceError
from cds_service.services.review_view import ReviewView
from cds_service.services.reviewing import Answer, ReviewingService
from model.features import CATEGORIES, FEATURE, ROW_NAMES

FILLED: Final = ("category", "rare_code", "reviewer")
"""Columns a reviewer fills in. `category` left empty is no answer."""
SKIP: Final = "skip"
_READINGS = tuple(name for name in ROW_NAMES if name not in ("age", "sex"))
_FORMATS: Final = (".csv", ".parquet")


@dataclass
class Taken:
    """What came of a filled sheet."""

    answers: Counter[str] = field(default_factory=Counter)
    """By kind, and `known` for those that were taken before, `empty` for rows left open."""
    problems: list[str] = field(default_factory=list)
    """Rows that could not be taken, in a sentence each, without their values."""


class ReviewSheets:
    """Writes and reads sheets."""

    def __init__(self, context: ProcessContext) -> None:
        self._reviewing = ReviewingService(context)

    def export(self, path: Path, *, actor: str, with_ids: bool = False) -> int:
        """Write every open item without its prediction; returns how many.

        CSV or Parquet, by the name of the file, which appears whole or not at all. With `with_ids`
        it names the patients. Raises `ServiceError` for another kind of file.
        """
        _require_format(path)
        views = self._reviewing.open_views(actor, with_ids=with_ids)
        frame = pd.DataFrame(
            [_line(view, with_ids=with_ids) for view in views], columns=_columns(with_ids=with_ids)
        )
        unfinished = path.with_name(f".{path.name}.unfinished")
        # Who may read it is who wrote it: it is about patients.
        unfinished.touch(mode=0o600)
        if path.suffix == ".csv":
            frame.to_csv(unfinished, index=False)
        else:
            frame.to_parquet(unfinished, index=False)
        unfinished.replace(path)
        return len(frame)

    def take(self, path: Path, *, reviewer: str | None, actor: str) -> Taken:
        """Take the answers of a filled sheet; the same sheet again changes nothing.

        Each row's own `reviewer` goes before the one named for all. A row that cannot be taken is
        told, and the others are taken. Raises `ServiceError` if it is no such sheet.
        """
        _require_format(path)
        try:
            frame = (
                pd.read_csv(path, dtype=str)
                if path.suffix == ".csv"
                else pd.read_parquet(path).astype("str")
            )
        except (ValueError, UnicodeDecodeError, pd.errors.ParserError):
            raise ServiceError(f"{path} cannot be read as {path.suffix[1:]}.") from None
        missing = [name for name in ("assessment_id", "category") if name not in frame]
        if missing:
            raise ServiceError(f"{path} has no column {missing[0]}: is it a sheet of the queue?")
        taken = Taken()
        for number, line in enumerate(frame.to_dict("records"), start=1):
            try:
                taken.answers[self._take(line, reviewer, actor)] += 1
            except (ServiceError, NotFoundError) as error:
                taken.problems.append(f"Row {number}: {error}")
        return taken

    def _take(self, line: dict[Any, Any], reviewer: str | None, actor: str) -> str:
        cells = {name: _cell(line.get(name)) for name in ("assessment_id", *FILLED)}
        if not cells["category"]:
            return "empty"
        by = cells["reviewer"] or reviewer
        if not by:
            raise ServiceError("It names no reviewer: use --reviewer.")
        if cells["category"].lower() == SKIP:
            answer = Answer("skip")
        else:
            answer = Answer.of(cells["category"], cells["rare_code"])
        if self._reviewing.given(cells["assessment_id"], answer, by):
            return "known"
        self._reviewing.answer(cells["assessment_id"], answer, by, actor=actor)
        return answer.kind


def _columns(*, with_ids: bool) -> list[str]:
    who = ["fhir_server", "patient", "encounter"] if with_ids else []
    readings = [
        column
        for name in _READINGS
        for column in (_headed(name), *([f"{name}_minutes_before"] if name in FEATURE else []))
    ]
    return [
        *("assessment_id", "assessed_at", *who, "encounter_class", "age (a)", "sex"),
        *readings,
        *("missing", *FILLED),
    ]


def _headed(name: str) -> str:
    """A reading with its unit, as it heads a column."""
    return name if name in CATEGORIES else f"{name} ({FEATURE[name].unit})"


def _line(view: ReviewView, *, with_ids: bool) -> dict[str, Any]:
    line: dict[str, Any] = {
        "assessment_id": view.assessment_id,
        "assessed_at": view.assessed_at.isoformat(),
        "encounter_class": view.encounter_class,
        "age (a)": view.age,
        "sex": view.sex,
        "missing": "; ".join(
            name if why is None else f"{name}: {why}" for name, why in view.missing
        ),
        **dict.fromkeys(FILLED, ""),
    }
    for reading in view.readings:
        line[_headed(reading.name)] = reading.value
        line[f"{reading.name}_minutes_before"] = reading.minutes_before
    if with_ids and view.ids is not None:
        line |= {
            "fhir_server": view.ids.base,
            "patient": view.ids.patient,
            "encounter": view.ids.encounter,
        }
    return line


def _cell(value: object) -> str:
    """Text of a cell; a missing one is empty."""
    text = value.strip() if isinstance(value, str) else ""
    return "" if text.lower() in ("nan", "none") else text


def _require_format(path: Path) -> None:
    if path.suffix not in _FORMATS:
        raise ServiceError(f"{path} must end in {' or '.join(_FORMATS)}.")
