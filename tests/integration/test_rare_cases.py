"""C20: rare cases are listed, reviewed, and learnt from only if confirmed. On both databases."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import select

from cds_service.context import ProcessContext
from cds_service.errors import ServiceError
from cds_service.services.outcomes import OutcomeService
from cds_service.services.rare_cases import RareCase, RareCaseService, case_id
from cds_service.services.training import HistoryFile, TrainingService
from cds_service.settings import read_secret_keys
from cds_service.storage import session
from cds_service.storage.client_store import ClientStore
from cds_service.storage.tables import AUDIT_EVENTS, RARE_CASE_REVIEWS
from model.training.design import TrainingSettings
from tests.support.cohorts import small_cohort
from tests.support.commands import QUICK, done, run
from tests.support.conditions import condition
from tests.support.service import new_context
from tests.support.stored import (
    BASE,
    SEEN,
    assessed,
    joined,
    outcome,
    receive,
    set_time,
    use_keys,
)

ORPHANET = "https://www.orpha.net"
RARE = condition(icd="E84.9", codings=[(ORPHANET, "ORPHA:586")])


@pytest.fixture
def context(tmp_path: Path, database_url: str) -> Iterator[ProcessContext]:
    context = new_context(tmp_path, database_url)
    set_time(context, SEEN + timedelta(days=40))
    with context.engine.begin() as connection:
        for name in ("development", "first", "second"):
            ClientStore(connection).add(name, {"allow_retraining": True}, context.clock())
    yield context
    context.engine.dispose()


def only(context: ProcessContext) -> RareCase:
    (case,) = RareCaseService(context).cases(actor="test")
    return case


def review(context: ProcessContext, *, confirm: bool) -> None:
    case = only(context)
    RareCaseService(context).review(case.id, confirm=confirm, reason="seen by us", actor="dr")


def audited(context: ProcessContext) -> list[dict[str, Any]]:
    with session.reading(context.engine) as connection:
        query = select(AUDIT_EVENTS).where(AUDIT_EVENTS.c.object_type == "rare_case")
        return [dict(row._mapping) for row in connection.execute(query.order_by(AUDIT_EVENTS.c.id))]


def test_c20_a_review_confirms_and_a_rejection_never_counts(context: ProcessContext) -> None:
    assessed(context)
    receive(context, RARE, client="first")
    training = joined(context, for_training=True)
    assert (training.counts["rare_unconfirmed"], len(training.frame)) == (1, 0)
    # It is known all the same where nothing is learnt from it.
    assert list(joined(context).frame["rare_code"]) == ["ORPHA:586"]

    review(context, confirm=True)
    frame = joined(context, for_training=True).frame
    assert list(frame["severity"]) == ["chronic"]
    assert list(frame["rare_code"]) == ["ORPHA:586"]

    review(context, confirm=False)
    for for_training in (True, False):
        found = joined(context, for_training=for_training)
        assert (found.counts["rare_rejected"], len(found.frame)) == (1, 0)

    # Neither more sources nor time outweigh a reviewer; only a later review does.
    receive(context, RARE | {"id": "c2"}, client="second")
    assert joined(context, for_training=True).counts["rare_rejected"] == 1
    review(context, confirm=True)
    assert len(joined(context, for_training=True).frame) == 1


def test_c20_a_second_source_is_enough(context: ProcessContext) -> None:
    assessed(context)
    receive(context, RARE, client="first")
    assert (only(context).second_source, only(context).counts) == (False, False)
    receive(context, RARE | {"id": "c2"}, client="second")
    case = only(context)
    assert (case.second_source, case.counts, case.review) == (True, True, None)
    assert list(joined(context, for_training=True).frame["rare_code"]) == ["ORPHA:586"]


def test_a_rejected_disease_beside_a_common_outcome_takes_its_code_along_only(
    context: ProcessContext,
) -> None:
    assessed(context)
    receive(context, RARE, condition(icd="I21.4", id="c2"), client="first")
    review(context, confirm=False)
    found = joined(context, for_training=True).frame
    assert list(found["severity"]) == ["acute"]
    assert found["rare_code"].isna().all()


def test_a_patient_may_have_two(context: ProcessContext) -> None:
    assessed(context)
    other = condition(icd="I27.0", codings=[("http://www.omim.org", "178600")], id="c2")
    for client in ("first", "second"):
        receive(
            context,
            RARE | {"id": f"{client}-1"},
            other | {"id": f"{client}-2"},
            client=client,
        )
    assert list(joined(context, for_training=True).frame["rare_code"]) == ["ORPHA:586|OMIM:178600"]
    cases = RareCaseService(context).cases(actor="test")
    assert [case.code for case in cases] == ["OMIM:178600", "ORPHA:586"]


def test_a_case_can_be_typed_and_tells_no_patient(context: ProcessContext) -> None:
    assessed(context)
    receive(context, RARE, client="first")
    case = only(context)
    assert re.fullmatch(r"[A-Z2-7]{4}-[A-Z2-7]{4}", case.id)
    assert case.id == case_id(context.secrecy.patient_keys(BASE, "p1")[0], "ORPHA:586")
    assert only(context).id == case.id
    assert case_id("other", "ORPHA:586") != case.id != case_id(case.patient_key, "ORPHA:1")
    service = RareCaseService(context)
    typed = case.id.lower().replace("-", "")
    assert service.review(typed, confirm=True, reason="x", actor="dr").id == case.id
    with pytest.raises(ServiceError, match="no such case"):
        service.review("AAAA-AAAA", confirm=True, reason="x", actor="dr")
    with pytest.raises(ServiceError, match="needs a reason"):
        service.review(case.id, confirm=True, reason=" ", actor="dr")


def test_reading_and_reviewing_are_audited_without_the_reason(context: ProcessContext) -> None:
    assessed(context)
    receive(context, RARE, client="first")
    review(context, confirm=False)
    read, reviewed = audited(context)
    assert (read["action"], read["detail"]) == ("read", {"cases": 1})
    assert (reviewed["actor"], reviewed["action"]) == ("dr", "review")
    assert reviewed["detail"] == {"decision": "rejected", "code": "ORPHA:586"}
    assert "seen by us" not in str(reviewed)
    found = only(context).review
    assert found is not None
    assert (found["decision"], found["reason"]) == ("rejected", "seen by us")


def test_a_review_follows_its_patient(context: ProcessContext) -> None:
    """To a new secret key, and to the patient they are merged into."""
    old, new = b"o" * 32, b"n" * 32
    use_keys(context, old)
    assessed(context)
    receive(context, RARE, client="first")
    review(context, confirm=True)
    use_keys(context, new, old)
    receive(context, condition(icd="I10", id="c3"), client="first")
    assert len(joined(context, for_training=True).frame) == 1

    OutcomeService(context).merge(
        base=BASE, from_id="p1", into_id="p2", client="first", channel="test", actor="test"
    )
    assert len(joined(context, for_training=True).frame) == 1
    with session.reading(context.engine) as connection:
        (key,) = connection.execute(select(RARE_CASE_REVIEWS.c.patient_key)).scalars()
    assert key == context.secrecy.patient_keys(BASE, "p2")[0]


# History files


def rare_history(folder: Path) -> Path:
    """1,200 rows; four patients with a rare disease, one of them in two rows."""
    frame = small_cohort(1_200, 3)
    codes = pd.Series(pd.NA, frame.index, dtype="str")
    for number, row in enumerate((10, 20, 30, 40, 50)):
        frame.loc[row, "patient_id"] = f"known-{min(number, 3)}"
        codes[row] = "558"
    path = folder / "rare.csv"
    frame.assign(rare_code=codes).to_csv(path, index=False)
    return path


def test_history_rows_are_cases_that_their_owner_vouches_for(tmp_path: Path) -> None:
    context = new_context(tmp_path)
    training = TrainingService(context.engine, context.settings, context.clock)
    settings: TrainingSettings = QUICK()
    history = HistoryFile(rare_history(tmp_path))
    training.train_history(history, settings, actor="test", progress=lambda _step, _share: None)
    service = RareCaseService(context)
    cases = service.cases(actor="test")
    assert [(case.code, case.origins, case.counts) for case in cases] == (
        [("ORPHA:558", ("history",), True)] * 4
    )
    assert not any("known" in f"{case.id}{case.patient_key}" for case in cases)

    (kept,) = (context.settings.data_dir / "history").glob("*.parquet")
    frame = pd.read_parquet(kept)
    assert frame["rare_code"].notna().sum() == 5
    twice = context.secrecy.patient_keys("history", "known-3")[0]
    rejected = next(case for case in cases if case.patient_key == twice)
    service.review(rejected.id, confirm=False, reason="it was Loeys-Dietz", actor="dr")

    # A new secret key changes neither what was said nor what follows from it.
    (old,) = read_secret_keys(context.settings)
    use_keys(context, b"n" * 32, old)
    again = next(case for case in service.cases(actor="test") if case.id == rejected.id)
    assert again.review is not None
    assert not again.counts

    left = training.history_frame(kept.stem)
    assert len(left) == len(frame) - 2
    assert left["rare_code"].notna().sum() == 3
    assert "known-3" not in set(left["patient_id"])
    service.review(rejected.id, confirm=True, reason="it was not", actor="dr")
    assert len(training.history_frame(kept.stem)) == len(frame)
    context.engine.dispose()


def test_codes_kept_by_an_earlier_version_are_read_as_they_are_spelled_now(tmp_path: Path) -> None:
    from hashlib import sha256

    from cds_service.storage.model_store import ModelStore

    context = new_context(tmp_path)
    path = tmp_path / "old.parquet"
    old = small_cohort(20, 1).assign(rare_code=pd.array(["558", *[None] * 19], dtype="str"))
    old.to_parquet(path, index=False)
    with context.engine.begin() as connection:
        ModelStore(connection).add_history(
            {
                "id": "old",
                "sha256": sha256(path.read_bytes()).hexdigest(),
                "location": str(path),
                "label_version": "1",
                "rows": 20,
                "added_at": context.clock(),
                "report": {},
            }
        )
    training = TrainingService(context.engine, context.settings, context.clock)
    assert training.history_frame("old")["rare_code"].dropna().tolist() == ["ORPHA:558"]
    assert [case.code for case in RareCaseService(context).cases(actor="t")] == ["ORPHA:558"]
    context.engine.dispose()


def test_the_commands(tmp_path: Path) -> None:
    context = new_context(tmp_path)
    assert done(tmp_path, "rare", "list") == "No case of a rare disease is known.\n"
    assessed(context)
    receive(context, RARE)
    assert outcome(context, assessed(context)) is None
    listed = done(tmp_path, "rare", "list")
    (line,) = (one for one in listed.splitlines() if "ORPHA:586" in one)
    case = line.split()[0]
    assert line.split()[-4:] == ["outcome", "no", "no", "none"]

    said = done(tmp_path, "rare", "review", case, "--confirm", "--reason", "sweat test")
    assert said == f"Case {case} (ORPHA:586) is confirmed.\n"
    assert "confirmed by cli:" in done(tmp_path, "rare", "list")
    assert run(tmp_path, "rare", "review", case, "--reason", "x").code == 2
    both = run(tmp_path, "rare", "review", case, "--confirm", "--reject", "--reason", "x")
    assert both.code == 2
    wrong = run(tmp_path, "rare", "review", "nobody", "--reject", "--reason", "x")
    assert "no such case" in wrong.sentence()
    context.engine.dispose()
