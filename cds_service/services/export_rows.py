"""Rows of the database as tables of Parquet: the shared names of columns, and no ids of an EHR."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from io import BytesIO
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from cds_service.security.pseudonyms import Pseudonyms
from cds_service.security.secrecy import Secrecy
from cds_service.storage.export_store import (
    ASSESSMENTS_SET,
    OUTCOME_ENDS_SET,
    OUTCOMES_SET,
    REPORTS_SET,
)
from model.features import CATEGORIES, ROW_NAMES
from model.severity import SEVERITIES

_TEXT: Final = pa.string()
_TEXTS: Final = pa.list_(pa.string())
_TIME: Final = pa.timestamp("us", tz="UTC")
_NUMBER: Final = pa.float64()
_YES: Final = pa.bool_()

SCHEMAS: Final[Mapping[str, pa.Schema]] = {
    ASSESSMENTS_SET: pa.schema(
        [
            ("assessment_id", _TEXT),
            ("patient_id", _TEXT),
            ("recorded_at", _TIME),
            ("client", _TEXT),
            ("situation", _TEXT),
            *[(name, _TEXT if name in CATEGORIES else _NUMBER) for name in ROW_NAMES],
            *[(f"probability_{code.column}", _NUMBER) for code in SEVERITIES],
            ("category", _TEXT),
            ("prediction_set", _TEXT),
            ("atypicality", _NUMBER),
            ("model_version", _TEXT),
            ("indicator", _TEXT),
            ("suppressed", _TEXT),
        ]
    ),
    OUTCOMES_SET: pa.schema(
        [
            ("outcome_id", _TEXT),
            ("assessment_id", _TEXT),
            ("category", _TEXT),
            ("classes", _TEXTS),
            ("pre_existing", _TEXTS),
            ("reason", _TEXT),
            ("known_at", _TIME),
            ("after_diagnosis", _YES),
            ("label_version", _TEXT),
            ("prompted", _YES),
            ("needs_second_source", _YES),
            ("rare_codes", _TEXTS),
            ("author", _TEXT),
            ("decided_at", _TIME),
        ]
    ),
    OUTCOME_ENDS_SET: pa.schema(
        [
            ("outcome_id", _TEXT),
            ("assessment_id", _TEXT),
            ("label_version", _TEXT),
            ("ended_at", _TIME),
        ]
    ),
    REPORTS_SET: pa.schema(
        [
            ("report", _TEXT),
            ("report_id", _TEXT),
            ("at", _TIME),
            ("model_version", _TEXT),
            ("number", pa.int64()),
            ("revision", pa.int64()),
            ("started_at", _TIME),
            ("ended_at", _TIME),
            ("rows", pa.int64()),
            ("result", _TEXT),
        ]
    ),
}
"""Columns of each dataset, in order."""


class RowWriter:
    """Makes the files of an export. The same rows give the same bytes."""

    def __init__(self, secrecy: Secrecy, pseudonyms: Pseudonyms) -> None:
        self._secrecy = secrecy
        self._pseudonyms = pseudonyms
        self._made: Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
            ASSESSMENTS_SET: self._assessment,
            OUTCOMES_SET: self._outcome,
            OUTCOME_ENDS_SET: self._outcome_end,
            REPORTS_SET: _report,
        }

    def parquet(self, dataset: str, rows: Sequence[Mapping[str, Any]]) -> bytes:
        """A Parquet file of a dataset, from the rows of its table."""
        make = self._made[dataset]
        table = pa.Table.from_pylist([make(row) for row in rows], schema=SCHEMAS[dataset])
        file = BytesIO()
        pq.write_table(table, file, compression="zstd")
        return file.getvalue()

    def _assessment(self, row: Mapping[str, Any]) -> dict[str, Any]:
        features = row["features"] or {}
        probabilities = row["probabilities"] or {}
        return {
            "assessment_id": self._pseudonyms.assessment(row["id"]),
            "patient_id": self._patient(row),
            "recorded_at": row["prediction_time"],
            **{name: row[name] for name in ("client", "situation")},
            **{name: features.get(name) for name in ROW_NAMES},
            # What the model does not cover is empty, never 0 (C19).
            **{f"probability_{code.column}": probabilities.get(code.value) for code in SEVERITIES},
            "category": row["category"],
            "prediction_set": None
            if row["prediction_set"] is None
            else "|".join(row["prediction_set"]),
            **{
                name: row[name]
                for name in ("atypicality", "model_version", "indicator", "suppressed")
            },
        }

    def _patient(self, row: Mapping[str, Any]) -> str:
        try:
            named = json.loads(self._secrecy.decrypt(row["identifiers"]))
        except ValueError:  # A key was lost.
            return self._pseudonyms.unknown_patient(row["patient_key"])
        return self._pseudonyms.patient(named["base"], named["patient"])

    def _outcome(self, row: Mapping[str, Any]) -> dict[str, Any]:
        kept = set(SCHEMAS[OUTCOMES_SET].names) - {"outcome_id", "assessment_id"}
        return self._named(row) | {name: row[name] for name in kept}

    def _outcome_end(self, row: Mapping[str, Any]) -> dict[str, Any]:
        ended: datetime = row["superseded_at"]
        return self._named(row) | {"label_version": row["label_version"], "ended_at": ended}

    def _named(self, row: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "outcome_id": self._pseudonyms.outcome(row["id"]),
            "assessment_id": self._pseudonyms.assessment(row["assessment_id"]),
        }


def _report(row: Mapping[str, Any]) -> dict[str, Any]:
    kept = ("model_version", "number", "revision", "started_at", "ended_at", "rows")
    return {
        "report": row["report"],
        "report_id": row["id"],
        "at": row["at"],
        **{name: row.get(name) for name in kept},
        "result": json.dumps(row["result"], sort_keys=True, ensure_ascii=False),
    }
