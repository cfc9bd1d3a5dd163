"""Chunks of matured assessments, judged, on SQLite and PostgreSQL."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import insert, select, update

from cds_service.context import ProcessContext
from cds_service.services import evaluating
from cds_service.services.evaluating import EvaluatingService, EvaluationError
from cds_service.services.labelled import Labelled, labelled
from cds_service.services.model_cards import ModelCardService
from cds_service.services.monitoring import MonitoringService
from cds_service.storage.evaluation_store import EvaluationChunkStore
from cds_service.storage.session import reading
from cds_service.storage.tables import (
    ASSESSMENTS,
    AUDIT_EVENTS,
    CARDS,
    EVALUATION_CHUNKS,
    FEEDBACK,
    OUTCOMES,
)
from cds_service.web.attribute_text import texts
from cds_service.web.model_card_page import sections
from cds_service.web.words import Words
from hooks.wording import LANGUAGES
from tests.support.matured import cohort, outcome_row, store_matured
from tests.support.service import new_context, release
from tests.support.stored import SEEN, joined, rows, set_time

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
PATIENTS = 430


def judge(context: ProcessContext) -> str:
    return EvaluatingService(context, replicates=20, runs=False).run(actor="test", refresh=False)


def newest(context: ProcessContext, count: int = 10) -> list[dict[str, Any]]:
    return EvaluatingService(context).newest(count)


@pytest.fixture
def context(
    tmp_path: Path, database_url: str, small_model: tuple[Path, str]
) -> Iterator[ProcessContext]:
    """Version 1 has answered 430 charts, two in three of which got an outcome."""
    made = new_context(tmp_path, database_url, evaluation_chunk_rows=200)
    release(made, "1", *small_model)
    verified = np.arange(PATIENTS) % 3 > 0
    store_matured(made, small_model[0], cohort(PATIENTS, 5), verified=verified)
    set_time(made, SEEN + 60 * DAY)
    yield made
    made.engine.dispose()


def test_matured_assessments_are_judged_once(context: ProcessContext) -> None:
    assert judge(context).startswith("Judged 2 chunks, 0 of them again")
    assert judge(context).startswith("Judged 0 chunks")
    last, first = newest(context)
    assert (first["number"], first["revision"], first["rows"]) == (1, 1, 200)
    assert (last["number"], last["rows"]) == (2, 200)
    assert first["verified"] == sum(i % 3 > 0 for i in range(200))
    assert first["started_at"] == SEEN
    assert first["ended_at"] == last["started_at"]
    (version,) = first["result"]["versions"]
    figures = first["result"]["versions"][version]
    assert version == "1"
    assert (figures["scored"], figures["with_outcome"]) == (200, first["verified"])
    loss = next(r for r in figures["metrics"] if r["metric"] == "log_loss")
    assert loss["lower"] < loss["value"] < loss["upper"]
    assert loss["n"] == first["verified"]
    assert {one["category"] for one in figures["calibration"]} >= {"acute", "mild"}
    shares = {(one["by"], one["level"]): one for one in first["result"]["verification"]}
    assert shares["all", "all"]["share"] == pytest.approx(first["verified"] / 200)
    assert sum(one["rows"] or 0 for key, one in shares.items() if key[0] == "risk") == 200
    assert {key[1] for key in shares if key[0] == "card"} == {"shown", "not shown"}
    with reading(context.engine) as connection:
        actions = connection.execute(select(AUDIT_EVENTS.c.action)).scalars().all()
    assert actions.count("evaluate-chunk") == 2


def test_the_model_card_shows_the_groups_of_the_newest_chunk(context: ProcessContext) -> None:
    cards = ModelCardService(context.engine, context.clock, context.settings.data_dir)
    facts = cards.card("1").facts
    assert facts["local_groups"] is None
    assert texts(facts, Words("en"))["local-fairness"] == [
        "No chunk of assessments of this site has been judged yet."
    ]
    judge(context)
    MonitoringService(context).evaluate(actor="test")
    card = cards.card("1")
    groups = card.facts["local_groups"]
    assert groups["from"] == newest(context)[0]["started_at"].isoformat()
    assert {"female", "male"} <= {one["level"] for one in groups["figures"]}
    (said,) = texts(card.facts, Words("en"))["local-fairness"]
    assert said.startswith("Ranking, sensitivity and calibration by sex and age, on assessments of")
    assert "67.0 % of them with an outcome" in said
    (dicho,) = texts(card.facts, Words("es"))["local-fairness"]
    assert "con desenlace, están en Cifras de este centro" in dicho
    for language in LANGUAGES:
        (local,) = (one for one in sections(card, Words(language)) if one.id == "local")
        assert len(local.tables) == 3
        assert local.tables[-1].rows


def test_killed_between_chunks_the_rest_is_judged(
    context: ProcessContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    add = EvaluationChunkStore.add
    seen: list[int] = []

    def killed(self: EvaluationChunkStore, chunk: dict[str, Any]) -> bool:
        seen.append(chunk["number"])
        if len(seen) == 2:
            raise KeyboardInterrupt
        return add(self, chunk)

    with monkeypatch.context() as patch:
        patch.setattr(EvaluationChunkStore, "add", killed)
        with pytest.raises(KeyboardInterrupt):
            judge(context)
    assert [chunk["number"] for chunk in newest(context)] == [1]
    assert judge(context).startswith("Judged 1 chunk, 0 of them again")
    assert [(one["number"], one["revision"]) for one in newest(context)] == [(2, 1), (1, 1)]


def test_a_chunk_that_cannot_be_judged_keeps_none_from_its_figures(
    context: ProcessContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = {1}

    def failing(self: EvaluatingService, due: Any) -> dict[str, Any]:
        if due.chunk.number in broken:
            raise ValueError("a patient of 83 years")
        return whole(self, due)

    whole = EvaluatingService._judge
    monkeypatch.setattr(EvaluatingService, "_judge", failing)
    for _ in range(2):  # It is tried each time, and nothing is added where it fails again.
        with pytest.raises(EvaluationError, match="Chunk 1 could not be judged: ") as raised:
            judge(context)
        assert "ValueError" in str(raised.value)
        assert "83" not in str(raised.value)
        second, first = newest(context)
        assert (first["number"], first["revision"], first["rows"]) == (1, 1, 200)
        assert first["result"]["versions"] == {}
        assert set(second["result"]["versions"]) == {"1"}
        assert second["started_at"] == first["ended_at"]
    broken.clear()
    assert judge(context).startswith("Judged 1 chunk, 1 of them again")
    judged = newest(context)[1]
    assert (judged["number"], judged["revision"]) == (1, 2)
    assert set(judged["result"]["versions"]) == {"1"}
    # A late outcome of a chunk that cannot be judged anew: what was judged before stands.
    late = outcome_row("a-3", "acute", context.terminology.label_version, SEEN + 3 * HOUR)
    with context.engine.begin() as connection:
        connection.execute(insert(OUTCOMES), late)
    broken.add(1)
    with pytest.raises(EvaluationError, match="Chunk 1 could not be judged"):
        judge(context)
    assert newest(context)[1] == judged


def test_what_was_judged_is_looked_at_a_few_chunks_at_a_time(
    context: ProcessContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge(context)
    judged = newest(context)
    read: list[int] = []

    def counted(*args: Any, **options: Any) -> Labelled:
        found = labelled(*args, **options)
        read.append(len(found.frame) + len(found.unverified))
        return found

    monkeypatch.setattr(evaluating, "labelled", counted)
    monkeypatch.setattr(evaluating, "AT_ONCE", 1)
    assert judge(context).startswith("Judged 0 chunks")
    assert read == [200, 200, 30]
    assert newest(context) == judged


def test_chunks_are_not_cut_after_one_that_another_process_cut_otherwise(
    context: ProcessContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    add = EvaluationChunkStore.add

    def slower(self: EvaluationChunkStore, chunk: dict[str, Any]) -> bool:
        monkeypatch.setattr(EvaluationChunkStore, "add", add)
        assert add(self, chunk | {"id": "other", "ended_at": SEEN + 101 * HOUR})
        return add(self, chunk)

    monkeypatch.setattr(EvaluationChunkStore, "add", slower)
    assert judge(context).startswith("Judged 0 chunks")
    assert [chunk["id"] for chunk in newest(context)] == ["other"]
    judge(context)
    *_, second, first = newest(context)
    assert second["started_at"] == first["ended_at"] == SEEN + 101 * HOUR


def test_a_late_outcome_opens_its_chunk_again(context: ProcessContext) -> None:
    judge(context)
    before = newest(context)[1]
    late = outcome_row("a-3", "acute", context.terminology.label_version, SEEN + 3 * HOUR)
    with context.engine.begin() as connection:
        connection.execute(insert(OUTCOMES), late)
    assert judge(context).startswith(
        "Judged 1 chunk, 1 of them again because something became known later."
    )
    after = newest(context)[1]
    assert (after["number"], after["revision"]) == (1, 2)
    assert after["verified"] == before["verified"] + 1
    assert (after["started_at"], after["ended_at"]) == (before["started_at"], before["ended_at"])
    # What was judged before stays.
    assert rows(context, EVALUATION_CHUNKS) == 3


def test_an_assessment_whose_window_is_open_ends_what_can_be_judged(
    context: ProcessContext,
) -> None:
    # Seven days after the 250th assessment: the second chunk is not complete.
    set_time(context, SEEN + 250 * HOUR + 7 * DAY)
    assert judge(context).startswith("Judged 1 chunk,")
    set_time(context, SEEN + 60 * DAY)
    assert judge(context).startswith("Judged 1 chunk,")
    assert [chunk["number"] for chunk in newest(context)] == [2, 1]


def test_one_long_window_holds_back_those_after_it(context: ProcessContext) -> None:
    with context.engine.begin() as connection:
        connection.execute(
            update(ASSESSMENTS).where(ASSESSMENTS.c.id == "a-150").values(encounter_class=None)
        )
    set_time(context, SEEN + 430 * HOUR + 8 * DAY)
    assert judge(context).startswith("Judged 0 chunks")
    set_time(context, SEEN + 60 * DAY)
    assert judge(context).startswith("Judged 2 chunks")


def test_a_chunk_that_somebody_else_kept_is_not_kept_twice(context: ProcessContext) -> None:
    service = EvaluatingService(context, replicates=2, runs=False)
    (due, *_) = service._due()
    result = service._judge(due)
    assert service._keep(due, result, "test")
    assert not service._keep(due, result, "test")
    with reading(context.engine) as connection:
        assert len(EvaluationChunkStore(connection).standing()) == 1


def feedback(card: str, outcome: str, minutes: int, **more: Any) -> dict[str, Any]:
    at = SEEN + timedelta(minutes=minutes)
    told = {"id": f"{card}-{minutes}", "client": "development", "service": "disease-severity"}
    known = {"card_uuid": card, "known_card": True, "outcome": outcome}
    times = {"outcome_timestamp": at, "received_at": at, "accepted_suggestions": None}
    return told | known | times | more


def test_c18_what_became_of_a_card_stands_beside_its_assessment(context: ProcessContext) -> None:
    cards = [
        {"uuid": f"c{i}", "assessment_id": f"a-{i}", "kind": "advice", "indicator": "info"}
        for i in (1, 2, 4, 5)
    ]
    told = [
        feedback("c1", "accepted", 1, accepted_suggestions=["s"]),
        feedback("c2", "overridden", 1),
        # The newest word counts for an override; what was taken up once may have had its effect.
        feedback("c4", "accepted", 1),
        feedback("c4", "overridden", 2),
        # A card is spoken of by the client that got it.
        feedback("c5", "accepted", 1, client="other"),
    ]
    with context.engine.begin() as connection:
        connection.execute(insert(CARDS), cards)
        connection.execute(insert(FEEDBACK), told)
        connection.execute(
            update(OUTCOMES)
            .where(OUTCOMES.c.assessment_id == "a-5")
            .values(prompted=True, author="reviewer")
        )
    frame = joined(context).frame.set_index("assessment_id")
    marks = frame.loc[["a-1", "a-2", "a-4", "a-5"], ["accepted", "overridden", "prompted"]]
    assert marks.to_numpy().tolist() == [
        [True, False, False],
        [False, True, False],
        [True, True, False],
        [False, False, True],
    ]
    assert frame.loc["a-5", "author"] == "reviewer"
    assert frame["author"].notna().sum() == 1
    assert set(frame["client"]) == {"development"}
    assert set(frame["encounter_class"]) == {"emergency"}
