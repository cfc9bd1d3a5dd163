"""SIGKILL before the commits of every job, and again: the same state as without.

What each scenario does stands in `tests/support/kill_points.py`; a later job is one line there.
"""

import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from sqlalchemy import insert, update

from cds_service.services.alerts import Finding, raise_alert
from cds_service.storage.tables import ASSESSMENTS, REVIEW_ITEMS
from tests.support.kill_points import SCENARIOS, STARTED
from tests.support.matured import cohort, store_matured
from tests.support.process import ROOT, environment
from tests.support.service import new_context, release
from tests.support.webhook_receiver import SECRET, receiver

ROWS = 320
MOST = 6
"""Kills of a scenario; by hand all of them can be done (`tests/support/kill_points.py`)."""
EXPECTED = {
    "alerts": {"alert_deliveries"},
    "outcomes-pull": set(),
    "shadow": {"shadow_scores"},
    "inputs": {"input_chunks"},
    "evaluate": {"evaluation_chunks", "shadow_scores"},
    "review": {"review_items"},
    "export": {"export_parts", "exported_rows", "files"},
    "answer": {"review_answers", "review_items", "outcomes", "rare_case_reviews"},
}
"""Tables that a scenario must have changed, so that the comparison compares something."""


@pytest.fixture(scope="module")
def compared(
    tmp_path_factory: pytest.TempPathFactory, small_model: tuple[Path, str]
) -> dict[str, dict[str, Any]]:
    """Each scenario, undisturbed and killed before each of its commits."""
    folder = tmp_path_factory.mktemp("kills")
    template = folder / "template"
    template.mkdir()
    context = new_context(template)
    for version in ("0", "1"):
        release(context, version, *small_model)
    start = STARTED - timedelta(days=50)
    verified = np.random.default_rng(2).random(ROWS) < 0.7
    stored = store_matured(
        context,
        small_model[0],
        cohort(2_000, 5).head(ROWS),
        verified=verified,
        start=start,
        every=timedelta(minutes=6),
    )
    (asked,) = store_matured(
        context,
        small_model[0],
        cohort(2_000, 5).tail(1),
        verified=np.zeros(1, dtype=bool),
        start=start,
        prefix="asked",
    )
    with context.engine.begin() as connection:
        connection.execute(
            update(ASSESSMENTS)
            .where(ASSESSMENTS.c.id.in_(stored[::7]))
            .values(prediction_set=["mild", "acute", "chronic"])
        )
        item = {
            "id": str(uuid4()),
            "assessment_id": asked,
            "reasons": ["rare"],
            "priority": 1.0,
            "queued_at": start,
            "state": "open",
        }
        connection.execute(insert(REVIEW_ITEMS), item)
        finding = Finding("input_drift", "input_drift:systolic_bp", "warning", "Pressures moved.")
        raise_alert(connection, finding, at=STARTED)
    context.engine.dispose()
    with receiver() as webhook:
        ran = subprocess.run(
            [sys.executable, "-m", "tests.support.kill_points", str(folder), str(MOST)],
            env=environment(template, WEBHOOK=webhook.url, WEBHOOK_SECRET=SECRET),
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    found = [json.loads(line) for line in ran.stdout.splitlines()]
    return {one["scenario"]: one for one in found}


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_killed_anywhere_and_started_again_it_ends_the_same(
    compared: dict[str, dict[str, Any]], scenario: str
) -> None:
    found = compared[scenario]
    assert found["different"] == []
    # Of a job: taken, its work, its end.
    assert found["killed"] == min(found["commits"], MOST)
    assert found["commits"] >= (1 if scenario == "answer" else 3)
    assert EXPECTED[scenario] <= set(found["changed"])
