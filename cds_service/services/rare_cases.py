"""The reviewed list of rare cases (C20): `rare list` and `rare review`.

A case is a patient and a disease. It is named by a short hash of both keys, which can be typed and
tells nothing of the patient. Rows of history files are a source that whoever brought the file
vouches for: they count as confirmed unless a reviewer rejects them.
"""

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import pandas as pd

from cds_service.context import ProcessContext
from cds_service.errors import ServiceError
from cds_service.security.secrecy import Secrecy
from cds_service.services.rare_standing import RareEvidence
from cds_service.storage.audit_store import AuditStore
from cds_service.storage.condition_store import OutcomeStore
from cds_service.storage.model_store import ModelStore
from cds_service.storage.rare_case_store import CONFIRMED, REJECTED, RareCaseStore
from cds_service.storage.session import reading
from model.rare_codes import codes_of

HISTORY_BASE: Final = "history"
"""Stands for the server in the keys of patients that only history files name (C3)."""
_LETTERS: Final = 8
"""40 bits: among 10,000 cases two are alike with a probability of 5 in 100,000."""


@dataclass(frozen=True, slots=True)
class RareCase:
    """One patient with one rare disease."""

    id: str
    patient_key: str
    code: str
    name: str | None
    """Orphadata's, where its file is loaded."""
    origins: tuple[str, ...]
    """`history`, `outcome` or both."""
    second_source: bool
    review: Mapping[str, Any] | None
    """The one that counts: `decision`, `actor`, `at`, `reason`."""

    @property
    def counts(self) -> bool:
        """Whether it may be learnt from."""
        if self.review is not None:
            return bool(self.review["decision"] == CONFIRMED)
        return self.second_source or "history" in self.origins


class RareCaseService:
    """Lists cases and keeps what reviewers say of them."""

    def __init__(self, context: ProcessContext) -> None:
        self._context = context

    def cases(self, *, actor: str) -> list[RareCase]:
        """Every case that history files and outcomes know, by code; the reading is audited.

        Raises `ServiceError` if the rows of a history file are gone.
        """
        with self._context.engine.begin() as connection:
            found = self._cases()
            AuditStore(connection).add(
                at=self._context.clock(),
                actor=actor,
                action="read",
                object_type="rare_case",
                object_id="*",
                detail={"cases": len(found)},
            )
        return found

    def review(self, case: str, *, confirm: bool, reason: str, actor: str) -> RareCase:
        """Confirm or reject a case, with a reason; the newest word counts.

        Raises `ServiceError` for an unknown case or without a reason.
        """
        if not reason.strip():
            raise ServiceError("A review needs a reason.")
        wanted = case.strip().upper().replace("-", "")
        known = {one.id.replace("-", ""): one for one in self._cases()}
        if wanted not in known:
            raise ServiceError("There is no such case: cds-service rare list shows them.")
        found = known[wanted]
        decision = CONFIRMED if confirm else REJECTED
        at = self._context.clock()
        with self._context.engine.begin() as connection:
            RareCaseStore(connection).add(
                {
                    "patient_key": found.patient_key,
                    "rare_code": found.code,
                    "decision": decision,
                    "reason": reason,
                    "at": at,
                    "actor": actor,
                }
            )
            AuditStore(connection).add(
                at=at,
                actor=actor,
                action="review",
                object_type="rare_case",
                object_id=found.id,
                detail={"decision": decision, "code": found.code},
            )
        return found

    def _cases(self) -> list[RareCase]:
        origins: dict[tuple[str, str], set[str]] = {}
        label_version = self._context.terminology.label_version
        with reading(self._context.engine) as connection:
            for case in OutcomeStore(connection).rare(label_version):
                origins.setdefault(case, set()).add("outcome")
            reviews = RareCaseStore(connection).newest()
            for history in ModelStore(connection).histories():
                rows = _read(history)
                for code, keys, _ in history_cases(rows, self._context.secrecy):
                    # A review may have been made under an older secret key.
                    key = next((one for one in keys if (one, code) in reviews), keys[0])
                    origins.setdefault((key, code), set()).add("history")
            evidence = RareEvidence.of(connection, [key for key, _ in origins])
        name = self._context.terminology.rare_name
        return [
            RareCase(
                id=case_id(key, code),
                patient_key=key,
                code=code,
                name=name(code),
                origins=tuple(sorted(found)),
                second_source=evidence.second_source(key, code),
                review=evidence.reviews.get((key, code)),
            )
            for (key, code), found in sorted(origins.items(), key=lambda item: item[0][::-1])
        ]


def case_id(patient_key: str, code: str) -> str:
    """Eight letters and digits that a person can type: `K7QD-93MA` without 0, 1, 8 and 9."""
    digest = sha256(f"{patient_key}\0{code}".encode()).digest()
    text = base64.b32encode(digest)[:_LETTERS].decode()
    return f"{text[:4]}-{text[4:]}"


def history_cases(
    frame: pd.DataFrame, secrecy: Secrecy
) -> Iterable[tuple[str, tuple[str, ...], int]]:
    """Cases in rows of history: code, patient key under every secret key, newest first, and row.

    A row without `patient_id` is a patient of its own, named by what it says.
    """
    from model.training.splits import patient_keys

    if "rare_code" not in frame:
        return
    rare = frame[frame["rare_code"].notna()]
    for position, (patient, cell) in enumerate(
        zip(patient_keys(rare), rare["rare_code"], strict=True)
    ):
        keys = tuple(secrecy.patient_keys(HISTORY_BASE, str(patient)))
        for code in codes_of(cell):
            yield code, keys, int(rare.index[position])


def without_rejected(
    frame: pd.DataFrame, reviews: Mapping[tuple[str, str], Mapping[str, Any]], secrecy: Secrecy
) -> pd.DataFrame:
    """Rows of history without those of a case that a reviewer rejected (C20)."""
    frame = frame.reset_index(drop=True)
    rejected = {case for case, review in reviews.items() if review["decision"] == REJECTED}
    if not rejected:
        return frame
    rows = {
        row
        for code, keys, row in history_cases(frame, secrecy)
        if any((key, code) in rejected for key in keys)
    }
    return frame.drop(index=sorted(rows)).reset_index(drop=True)


def _read(history: Mapping[str, Any]) -> pd.DataFrame:
    path = Path(history["location"])
    if not path.is_file():
        raise ServiceError(
            "The stored rows of a history file are missing; train on the original file again."
        )
    return pd.read_parquet(path)
