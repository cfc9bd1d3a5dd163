"""What the live version learnt from as the reference of its inputs, and the command."""

import json
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from cds_service.context import ProcessContext
from cds_service.services.watching_inputs import InputWatchService
from cds_service.storage.alert_store import AlertStore
from cds_service.storage.model_store import ModelStore
from cds_service.storage.session import reading
from tests.support.cohorts import small_cohort
from tests.support.commands import done, run
from tests.support.service import new_context, release
from tests.support.stored import set_time
from tests.support.watched_rows import Ward

START = datetime(2026, 3, 1, tzinfo=UTC)
ROWS = 300


@pytest.fixture
def context(tmp_path: Path, small_model: tuple[Path, str]) -> ProcessContext:
    """Version "1" learnt from a kept history of other people than come here."""
    context = new_context(tmp_path, input_chunk_rows=ROWS, reference_chunks=5)
    release(context, "0", *small_model)
    path = tmp_path / "history.parquet"
    small_cohort(4_000, 5, dated=True).to_parquet(path, index=False)
    with context.engine.begin() as connection:
        store = ModelStore(connection)
        store.add_history(
            {
                "id": "h",
                "sha256": sha256(path.read_bytes()).hexdigest(),
                "location": str(path),
                "label_version": "by other rules",
                "rows": 4_000,
                "added_at": START,
                "report": {},
            }
        )
        known = store.version("0")
        assert known is not None
        store.add_version(known | {"version": "1", "simulated": False, "history_id": "h"})
        store.add_release(
            {
                "version": "1",
                "action": "promote",
                "at": datetime(2026, 2, 1, tzinfo=UTC),
                "actor": "test",
                "reason": "test",
            }
        )
    return context


def test_until_there_are_local_chunks_rows_of_the_training_part_are_the_reference(
    context: ProcessContext,
) -> None:
    ward = Ward(context, START, shift=25.0)
    ward.see(6 * ROWS)
    set_time(context, ward.at + timedelta(hours=1))
    service = InputWatchService(context)
    service.run(actor="test")
    chunks = service.newest(6)
    quantities = chunks[-1]["result"]["quantities"]
    assert quantities["heart_rate"]["reference"].startswith("the rows that version 1 learnt from (")
    assert quantities["heart_rate"]["high"] >= 0.10
    with reading(context.engine) as connection:
        alerts = {alert["key"]: alert for alert in AlertStore(connection).unresolved()}
    # Other pressures than in the history; what is beyond its limit makes no local reference.
    message = alerts["input_drift:systolic_bp"]["message"]
    assert "in chunks 1 and 2 (300 assessments each)" in message
    assert "Held against the rows that version 1 learnt from" in message
    newest = chunks[0]["result"]["quantities"]
    assert newest["systolic_bp"]["reference"] == quantities["systolic_bp"]["reference"]
    for name, one in newest.items():
        if ":" not in name:
            earlier = [chunk["result"]["quantities"][name]["beyond"] for chunk in chunks[1:]]
            assert one["reference"].startswith("5 local" if not any(earlier) else "the rows")
    assert any(one["reference"] == "5 local chunks, 1 to 5" for one in newest.values())


def test_the_command_watches_and_shows(context: ProcessContext) -> None:
    ward = Ward(context, START)
    ward.see(2 * ROWS)
    folder = context.settings.data_dir
    settings = {"CDS_INPUT_CHUNK_ROWS": str(ROWS), "CDS_REFERENCE_CHUNKS": "5"}
    said = done(folder, "monitor", "--chunks", "2", **settings)
    assert said.startswith("2 chunks of inputs watched, ")
    assert "quantities share one alarm budget of 1 in 50 chunks" in said
    assert "missing:heart_rate" in said
    (chunk,) = json.loads(done(folder, "monitor", "--json", "--chunks", "1", **settings))
    assert chunk["number"] == 2
    histogram = chunk["result"]["inputs"]["heart_rate"]["counts"]
    assert all(count is None or count == 0 or count >= 10 for count in histogram)
    refused = run(folder, "monitor", "--accept", "stale:age", "--reason", "New.", **settings)
    assert "stale:age does not alarm." in refused.sentence()
