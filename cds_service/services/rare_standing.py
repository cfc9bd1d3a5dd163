"""Which cases of rare diseases are confirmed: by a second source, or by a reviewer (C20)."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from cds_service.storage.condition_store import ConditionStore
from cds_service.storage.rare_case_store import CONFIRMED, REJECTED, RareCaseStore
from cds_service.storage.session import IN_LIST
from fhir_mapping.labels import SEVERITY_OF, ConditionClass
from fhir_mapping.outcomes import SOURCES_FOR_RARE
from model.rare_codes import SEPARATOR, in_order


@dataclass(frozen=True, slots=True)
class RareEvidence:
    """What speaks for the rare diseases of some patients."""

    sources: Mapping[tuple[str, str], frozenset[str]]
    """By patient key and code: who sent Conditions that count."""
    reviews: Mapping[tuple[str, str], Mapping[str, Any]]
    """The review that counts."""
    _conditions: Mapping[str, Mapping[str, Any]] = field(repr=False)
    """Facts of the Conditions that name one, by id."""

    @classmethod
    def of(cls, connection: Connection, patient_keys: Sequence[str]) -> "RareEvidence":
        """Of these patients, as it stands now."""
        sources: dict[tuple[str, str], set[str]] = defaultdict(set)
        conditions: dict[str, Mapping[str, Any]] = {}
        keys = sorted(set(patient_keys))
        for start in range(0, len(keys), IN_LIST):
            for row in ConditionStore(connection).current(keys[start : start + IN_LIST]):
                code = row["facts"]["rare_code"]
                if code is not None:
                    conditions[row["id"]] = row["facts"]
                    if row["facts"]["counts"]:
                        sources[row["patient_key"], code].add(row["client"])
        frozen = {case: frozenset(clients) for case, clients in sources.items()}
        return cls(frozen, RareCaseStore(connection).newest(), conditions)

    def second_source(self, patient_key: str, code: str) -> bool:
        """Whether two sources name it."""
        return len(self.sources.get((patient_key, code), ())) >= SOURCES_FOR_RARE

    def decision(self, patient_key: str, code: str) -> str | None:
        """`confirmed`, `rejected`, or `None` without a review."""
        review = self.reviews.get((patient_key, code))
        return None if review is None else str(review["decision"])

    def confirmed(self, patient_key: str, code: str) -> bool:
        """Whether it may be learnt from: a reviewer's word goes before any number of sources."""
        decision = self.decision(patient_key, code)
        return self.second_source(patient_key, code) if decision is None else decision == CONFIRMED

    def rejected(self, patient_key: str, outcome: Mapping[str, Any]) -> bool:
        """Whether the outcome's category rests on a disease that a reviewer rejected."""
        return any(self.decision(patient_key, code) == REJECTED for code in self._deciding(outcome))

    def unconfirmed(self, patient_key: str, outcome: Mapping[str, Any]) -> bool:
        """Whether its category rests on a disease that nothing confirms so far."""
        if not outcome["needs_second_source"]:
            return False
        deciding = self._deciding(outcome)
        return not deciding or not all(self.confirmed(patient_key, code) for code in deciding)

    def cell(
        self, patient_key: str, outcome: Mapping[str, Any], *, for_training: bool
    ) -> str | None:
        """The column `rare_code` of an outcome: what was not rejected, for training only what is
        confirmed; several joined by `SEPARATOR`."""
        codes = [
            code
            for code in in_order(outcome["rare_codes"])
            if self.decision(patient_key, code) != REJECTED
            and (not for_training or self.confirmed(patient_key, code))
        ]
        return SEPARATOR.join(codes) or None

    def _deciding(self, outcome: Mapping[str, Any]) -> set[str]:
        """Rare diseases among the Conditions that give the outcome its category."""
        found = set()
        for identifier in outcome["condition_ids"]:
            facts = self._conditions.get(identifier)
            if facts is not None:
                severity = SEVERITY_OF.get(ConditionClass(facts["classification"]))
                mild = facts["mild_if_home"] and outcome["category"] == "mild"
                if mild or (severity is not None and severity.value == outcome["category"]):
                    found.add(str(facts["rare_code"]))
        return found
