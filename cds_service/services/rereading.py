"""Stored Conditions are read again when the terminology has changed (C17)."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection

from cds_service.storage.condition_store import ConditionStore
from fhir_mapping.labels import EVIDENCE_ONLY, reclassify
from fhir_mapping.terminology import Terminology

_SEPARATOR = "."


def fingerprint(content: str, facts: Mapping[str, Any]) -> str:
    """Of a Condition and what it came to: other rules or value sets make it another.

    `content` is a hash of what was received, `facts` what `ConditionFacts.stored` gives.
    """
    said = {name: value for name, value in facts.items() if name not in EVIDENCE_ONLY}
    return f"{content}{_SEPARATOR}{sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()}"


def read_again(
    connection: Connection, at: datetime, patient_keys: Sequence[str], terminology: Terminology
) -> int:
    """Classify the patients' Conditions that other label rules classified; how many there were.

    A row is superseded by what `reclassify` makes of it, so that the earlier reading can be seen.
    The same Condition, sent again, is then known again.
    """
    store = ConditionStore(connection)
    earlier = store.of_other_rules(patient_keys, terminology.label_version)
    store.supersede([_read_again(row, terminology) for row in earlier], earlier, at)
    return len(earlier)


def _read_again(row: Mapping[str, Any], terminology: Terminology) -> dict[str, Any]:
    facts = reclassify(row["facts"], terminology)
    content, separator, _ = row["content_hash"].partition(_SEPARATOR)
    return dict(row) | {
        "id": str(uuid4()),
        "content_hash": fingerprint(content, facts) if separator else content,
        "label_version": terminology.label_version,
        "facts": facts,
    }
