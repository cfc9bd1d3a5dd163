"""Cases in the review queue, and somebody in front of the review pages."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import uuid4

import httpx
from sqlalchemy import insert, update

from cds_service.context import ProcessContext
from cds_service.security.permissions import Role
from cds_service.storage.tables import ASSESSMENTS, REVIEW_ITEMS
from tests.support.people import Visitor, session_of
from tests.support.service import Service
from tests.support.stored import SEEN, assessed

ILL: dict[str, Any] = {
    "features": {
        "age": 68.4,
        "sex": "female",
        "heart_rate": 131.0,
        "body_temperature": 38.6,
        "systolic_bp": 104.0,
        "diastolic_bp": 62.0,
        "respiratory_rate": 24.0,
        "minutes_before": {
            "heart_rate": 12.0,
            "body_temperature": 95.0,
            "systolic_bp": 12.0,
            "diastolic_bp": 12.0,
            "respiratory_rate": 12.0,
        },
    },
    "provenance": {
        "readings": [{"feature": "heart_rate", "flags": ["preliminary"]}],
        "missing": [{"feature": "oxygen_saturation", "reason": "stale"}],
    },
    "probabilities": {
        "not-ill": 0.0213,
        "mild": 0.3127,
        "acute": 0.5238,
        "chronic": 0.1311,
        "terminal": 0.0111,
    },
    "category": "acute",
    "prediction_set": ["mild", "acute", "chronic"],
    "contributions": {"acute": {"heart_rate": 1.3579}},
    "atypicality": 0.000917,
    "model_version": "version-that-predicted",
    "indicator": "critical",
}
"""Columns of an assessment whose prediction shows wherever it leaks."""


def ask(
    context: ProcessContext,
    *reasons: str,
    patient: str = "p1",
    at: datetime = SEEN,
    priority: float = 1.0,
    base: str | None = None,
    **columns: Any,
) -> str:
    """Put an assessment of a patient into the queue; its id."""
    named = {"base": base} if base else {}
    identifier = assessed(context, patient=patient, at=at, encounter=f"e-{patient}", **named)
    with context.engine.begin() as connection:
        query = update(ASSESSMENTS).where(ASSESSMENTS.c.id == identifier)
        connection.execute(query.values(ILL | columns))
        item = {
            "id": str(uuid4()),
            "assessment_id": identifier,
            "reasons": list(reasons or ("wide_set",)),
            "priority": priority,
            "queued_at": context.clock(),
            "state": "open",
            "closed_at": None,
        }
        connection.execute(insert(REVIEW_ITEMS), item)
    return identifier


class ReviewVisitor(Visitor):
    """Opens a case and answers it."""

    def case(self) -> str:
        """The id of the case that is asked about now."""
        page = self.get("/review/case")
        assert page.status_code == 200, page.headers
        return item_of(page.text)

    def say(self, answer: str, *, item: str | None = None, **fields: str) -> httpx.Response:
        """Answer the case that is asked about, or `item`."""
        sent = {"item": item or self.case(), "answer": answer} | fields
        found: httpx.Response = self.post("/review/case", sent)
        return found

    def correct(self, answer: str, **fields: str) -> httpx.Response:
        """Correct the last answer."""
        item = item_of(self.get("/review/last").text)
        found: httpx.Response = self.post("/review/last", {"item": item, "answer": answer} | fields)
        return found


def item_of(page: str) -> str:
    """The case that the form of a page is about."""
    (found,) = set(re.findall(r'name="item" value="([^"]+)"', page))
    return str(found)


def reviewer(
    service: Service, name: str = "ana", roles: Sequence[Role] = (Role.REVIEWER,)
) -> ReviewVisitor:
    """Somebody signed in with these roles."""
    return ReviewVisitor(service, session_of(service.context, *roles, name=name))
