"""Assessments by the hundred for the input watch, stored as `AssessingService` stores them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import numpy as np
import pandas as pd
from sqlalchemy import insert

from cds_service.context import ProcessContext
from cds_service.storage.tables import ASSESSMENTS
from model.scorer import Scorer

MEAN_SD = {
    "heart_rate": (82, 17, "8867-4", "/min"),
    "body_temperature": (37.0, 0.6, "8310-5", "Cel"),
    "systolic_bp": (126, 20, "8480-6", "mm[Hg]"),
    "diastolic_bp": (70, 10, "8462-4", "mm[Hg]"),
}
"""Reading → mean, SD, code and unit."""
ABSENT = ("respiratory_rate", "oxygen_saturation")
CATEGORIES = ("mild", "acute", "chronic")


@dataclass
class Ward:
    """Charts that are opened one a minute. Change a member to change what comes."""

    context: ProcessContext
    at: datetime
    seed: int = 1
    scorer: Scorer | None = None
    """Whose probabilities are stored; without one the category is drawn."""
    version: str = "1"
    shift: float = 0.0
    """Added to systolic pressure, mmHg."""
    rejected: dict[str, str] = field(default_factory=dict)
    """Reading → why none of it is used."""
    rejected_unit: str | None = None
    missing: float = 0.05
    """Share without each reading."""
    acute: float = 0.2
    code: Mapping[str, str] = field(default_factory=dict)
    """Reading → another code than usual."""
    unit: Mapping[str, str] = field(default_factory=dict)
    """Reading → another unit than usual."""
    others: tuple[str, ...] = ()
    """Codes of Observations that are no input."""
    client: str = "development"

    def __post_init__(self) -> None:
        """Seed."""
        self._random = np.random.default_rng(self.seed)

    def see(self, count: int) -> None:
        """Store `count` assessments."""
        rows = [self._row(self.at + timedelta(minutes=i)) for i in range(count)]
        self.at += timedelta(minutes=count)
        if self.scorer is not None:
            frame = pd.DataFrame([row["features"] for row in rows]).drop(columns="minutes_before")
            found = self.scorer.probabilities(frame)
            categories = self.scorer.decide(found)
            for row, probabilities, category in zip(rows, found, categories, strict=True):
                told = zip(self.scorer.classes, probabilities.tolist(), strict=True)
                row["probabilities"] = {code.value: p for code, p in told}
                row["category"] = str(category)
        with self.context.engine.begin() as connection:
            connection.execute(insert(ASSESSMENTS), rows)

    def _row(self, at: datetime) -> dict[str, Any]:
        random = self._random
        features: dict[str, Any] = {
            "age": round(float(random.uniform(20, 90)), 1),
            "sex": str(random.choice(["female", "male"])),
        }
        readings, missing, skipped = [], [], []
        for name, (mean, sd, code, unit) in MEAN_SD.items():
            value = round(float(random.normal(mean, sd)), 1)
            value = (
                max(value, 78.0)
                if name == "systolic_bp"
                else min(value, 77.0)
                if (name == "diastolic_bp")
                else value
            )
            value += self.shift if name == "systolic_bp" else 0.0
            gone = random.random() < self.missing
            if name in self.rejected:
                missing.append({"feature": name, "reason": self.rejected[name]})
                skipped.append(
                    {
                        "resource_type": "Observation",
                        "reason": self.rejected[name],
                        "feature": name,
                        "code": code,
                    }
                )
                if self.rejected_unit is not None:
                    skipped[-1]["unit"] = self.rejected_unit
            elif gone:
                missing.append({"feature": name, "reason": "no_observation"})
            else:
                features[name] = value
                readings.append(
                    {
                        "feature": name,
                        "value": value,
                        "time": (at - timedelta(minutes=5)).isoformat(),
                        "minutes_before": 5.0,
                        "code": self.code.get(name, code),
                        "received_value": value,
                        "received_unit": self.unit.get(name, unit),
                        "flags": [],
                    }
                )
        skipped += [
            {"resource_type": "Observation", "reason": "not_used", "feature": None, "code": code}
            for code in self.others
        ]
        missing += [{"feature": name, "reason": "no_observation"} for name in ABSENT]
        features["minutes_before"] = {one["feature"]: 5.0 for one in readings}
        chance = [0.9 - self.acute, self.acute, 0.1]
        category = str(random.choice(CATEGORIES, p=chance))
        return {
            "id": str(uuid4()),
            "client": self.client,
            "service": "disease-severity",
            "hook_instance": str(uuid4()),
            "request_hash": "hash",
            "prediction_time": at,
            "patient_key": str(uuid4()),
            "situation": "scored",
            "features": features,
            "provenance": {"readings": readings, "missing": missing, "skipped": skipped},
            "probabilities": None,
            "category": category,
            "model_version": self.version,
            "indicator": "info",
            "identifiers": b"x",
            "response": b"x",
        }
