"""`cds-service review`, and the sheets for reviewers without a screen."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from sqlalchemy import select, update

from cds_service.context import ProcessContext
from cds_service.storage import session
from cds_service.storage.tables import ASSESSMENTS, AUDIT_EVENTS, REVIEW_ANSWERS
from tests.support.commands import done, run
from tests.support.service import new_context
from tests.support.stored import assessed, outcome

SEEN = datetime.now(UTC) - timedelta(days=35)
ALL = {"CDS_REVIEW_AUDIT_SHARE": "1"}
HIDDEN = {
    "probabilities": {"mild": 0.4321, "acute": 0.5679},
    "category": "acute",
    "prediction_set": ["mild", "acute", "chronic"],
    "atypicality": 0.00123,
    "model_version": "version-7",
}


@pytest.fixture
def context(tmp_path: Path) -> Iterator[ProcessContext]:
    context = new_context(tmp_path)
    for number in range(3):
        assessed(context, patient=f"patient-{number}", at=SEEN + timedelta(minutes=number))
    with context.engine.begin() as connection:
        connection.execute(update(ASSESSMENTS).values(HIDDEN))
    done(tmp_path, "review", "fill", **ALL)
    yield context
    context.engine.dispose()


def ids(context: ProcessContext) -> list[str]:
    with session.reading(context.engine) as connection:
        query = select(ASSESSMENTS.c.id).order_by(ASSESSMENTS.c.prediction_time)
        return list(connection.execute(query).scalars())


def hides(text: str) -> None:
    # Times are those of now, whose seconds may be any figure.
    text = re.sub(r"\d{4}-\d\d-\d\d[T ][\d:.]+", "", text)
    for secret in ("0.43", "43.", "0.56", "56.", "acute", "mild", "chronic", "0.0012", "version-7"):
        assert secret not in text, secret


def test_commands_of_a_reviewer(tmp_path: Path, context: ProcessContext) -> None:
    first, second, third = ids(context)
    listed = done(tmp_path, "review", "list")
    assert "3 open (3 of the audit sample), 0 answered" in listed
    assert {first, second, third} < set(listed.split())
    hides(listed.replace(first, "").replace(second, "").replace(third, ""))

    shown = done(tmp_path, "review", "show", first[:9])
    hides(shown.replace(first, ""))
    assert "Age 60 years, sex unknown, encounter emergency" in shown
    assert "heart rate 90 /min (5 min before; usual 60 to 100)" in shown
    assert "body temperature" in shown.partition("Missing:")[2]
    assert "patient-0" not in shown
    named = done(tmp_path, "review", "show", first, "--with-ids")
    assert "Patient patient-0 of https://ehr.example/fhir" in named

    said = done(tmp_path, "review", "answer", first, "--category", "mild", "--reviewer", "dr a")
    assert "Predicted was acute, not as you said:" in said
    assert "56.8%  in the set" in said
    assert "Model version version-7." in said
    stored = outcome(context, first)
    assert stored is not None
    assert (stored["category"], stored["author"]) == ("mild", "dr a")
    again = done(tmp_path, "review", "answer", first, "--category", "acute", "--reviewer", "dr b")
    assert "Predicted was acute, as you said:" in again
    assert "1 answered by two reviewers; 0 alike, 1 not." in done(
        tmp_path, "review", "list", "--agreement"
    )

    assert done(tmp_path, "review", "skip", second) == "Skipped.\n"
    following = done(tmp_path, "review", "show")
    assert third in following
    wrong = run(tmp_path, "review", "answer", third, "--category", "ill")
    assert "must be one of not-ill" in wrong.sentence()
    assert "no such item" in run(tmp_path, "review", "show", "ffffffff").sentence()
    with session.reading(context.engine) as connection:
        query = select(AUDIT_EVENTS).where(AUDIT_EVENTS.c.action == "review")
        events = [dict(row._mapping) for row in connection.execute(query)]
    assert all(event["actor"].startswith("cli:") for event in events)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_sheet_goes_out_blind_and_comes_back_filled(
    tmp_path: Path, context: ProcessContext, suffix: str
) -> None:
    first, second, third = ids(context)
    path = tmp_path / f"queue.{suffix}"
    assert "3 items written" in done(tmp_path, "review", "export", path)
    assert path.stat().st_mode & 0o077 == 0
    frame = pd.read_csv(path) if suffix == "csv" else pd.read_parquet(path)
    frame = frame.set_index("assessment_id").loc[[first, second, third]].reset_index()
    assert list(frame["heart_rate (/min)"]) == [90.0] * 3
    assert list(frame["heart_rate_minutes_before"]) == [5.0] * 3
    hides(frame.drop(columns="assessment_id").to_csv())
    assert "patient-" not in frame.to_csv()

    frame["category"] = ["Acute", "undetermined", "ill"]
    frame["reviewer"] = ["dr a", None, None]
    frame["rare_code"] = ["558", None, None]
    if suffix == "csv":
        frame.to_csv(path, index=False)
    else:
        frame.to_parquet(path, index=False)
    ran = run(tmp_path, "review", "ingest", path, "--reviewer", "dr b")
    assert ran.code == 1
    assert "Answers: category 1, undetermined 1." in ran.out
    assert "Row 3: The category must be one of" in ran.out
    assert "ill," not in ran.out.replace("not-ill", "")
    ran = run(tmp_path, "review", "ingest", path, "--reviewer", "dr b")
    assert "Answers: known 2." in ran.out
    with session.reading(context.engine) as connection:
        query = select(REVIEW_ANSWERS).order_by(REVIEW_ANSWERS.c.id)
        answers = [dict(row._mapping) for row in connection.execute(query)]
    assert [(one["reviewer"], one["category"], one["rare_code"]) for one in answers] == [
        ("dr a", "acute", "ORPHA:558"),
        ("dr b", None, None),
    ]


def test_sheets_that_are_none(tmp_path: Path, context: ProcessContext) -> None:
    assert ids(context)
    other = tmp_path / "other.csv"
    other.write_text("a,b\n1,2\n")
    assert "has no column assessment_id" in run(tmp_path, "review", "ingest", other).sentence()
    other.write_bytes(b"\xff\xfe\x00\x01")
    assert "cannot be read as csv" in run(tmp_path, "review", "ingest", other).sentence()
    named = tmp_path / "queue.xlsx"
    assert "must end in .csv or .parquet" in run(tmp_path, "review", "export", named).sentence()
    (tmp_path / "other.parquet").write_text("no parquet")
    ran = run(tmp_path, "review", "ingest", tmp_path / "other.parquet")
    assert "cannot be read as parquet" in ran.sentence()
