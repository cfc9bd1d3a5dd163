"""A promotion is watched: kept, or taken back."""

import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from cds_service.context import ProcessContext
from cds_service.errors import ServiceError
from cds_service.services.lifecycle import NOTHING
from cds_service.storage.model_store import ModelStore
from cds_service.storage.tables import RELEASE_WATCHES
from tests.support.challengers import (
    Artefacts,
    add,
    advance,
    live,
    models,
    on_its_way,
    open_alerts,
    rows,
    visit,
)
from tests.support.cohorts import small_cohort
from tests.support.seen import seen
from tests.support.stored import SEEN, set_time


def test_a_promotion_that_turns_out_worse_is_rolled_back(
    context: ProcessContext, artefacts: Artefacts
) -> None:
    add(context, "1", artefacts["good"])
    add(context, "2", artefacts["bad"])
    models(context).promote("1", actor="test", reason="first")
    models(context).promote("2", actor="test", reason="a mistake")
    visit(context, 150, SEEN + timedelta(hours=1), seed=8, name="a")
    assert advance(context) == NOTHING  # No window has passed.
    set_time(context, SEEN + timedelta(days=35))
    said = advance(context)
    assert said.startswith("Version 2 is taken back: log loss ")
    assert said.endswith("Version 1 is live again.")
    assert live(context) == "1"
    (watch,) = rows(context, RELEASE_WATCHES)
    assert watch["state"] == "rolled_back"
    (look,) = watch["looks"]
    assert look["statistic"] > look["limit"] > 2.5
    assert open_alerts(context) == ["rolled_back"]
    champion = models(context).champion()
    assert champion is not None
    assert champion["reason"] in said
    assert (champion["action"], champion["actor"]) == ("rollback", "schedule")
    # Not a second time, and nothing is watched any more.
    assert advance(context) == NOTHING


def test_faults_of_the_service_end_a_release_at_once(
    quiet: ProcessContext,
) -> None:
    models(quiet).promote("2", actor="dr", reason="r")
    for number, situation in ((400, "scored"), (4, "model_failed")):
        seen(
            quiet,
            small_cohort(number, 8),
            start=SEEN + timedelta(minutes=1),
            every=timedelta(seconds=20),
            prefix=situation,
            version="2",
            situation=situation,
        )
    assert advance(quiet) == NOTHING
    seen(
        quiet,
        small_cohort(2, 8),
        start=SEEN + timedelta(minutes=2),
        every=timedelta(seconds=20),
        prefix="more",
        version="2",
        situation="model_failed",
    )
    said = advance(quiet)
    assert said == (
        "Version 2 is taken back: It failed on 6 of 406 assessments. Version 1 is live again."
    )


def test_files_that_cannot_be_read_end_a_release_at_once(
    quiet: ProcessContext, tmp_path: Path
) -> None:
    row = models(quiet).version("2")
    broken = Path(shutil.copytree(row["location"], tmp_path / "broken"))
    with quiet.engine.begin() as connection:
        ModelStore(connection).add_version(
            {name: value for name, value in row.items() if name != "live"}
            | {"version": "3", "location": str(broken)}
        )
    models(quiet).promote("3", actor="dr", reason="r")
    assert advance(quiet) == NOTHING
    (broken / "thresholds.json").unlink()
    assert "Its files cannot be read" in advance(quiet)
    assert live(quiet) == "1"


def test_a_champion_that_is_kept_is_not_taken_back_for_its_files(
    quiet: ProcessContext,
) -> None:
    with quiet.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE model_versions SET checksum = 'x' WHERE version = '1'")
    assert "is not the approved one" in advance(quiet)
    assert open_alerts(quiet) == ["champion_unreadable"]
    assert live(quiet) == "1"


def test_a_challenger_that_cannot_go_on_keeps_no_release_from_being_taken_back(
    context: ProcessContext, artefacts: Artefacts
) -> None:
    add(context, "1", artefacts["good"])
    add(context, "2", artefacts["bad"])
    models(context).promote("1", actor="test", reason="first")
    models(context).promote("2", actor="test", reason="a mistake")
    add(context, "3", artefacts["other"])
    add(context, "4", artefacts["other"])
    with context.engine.begin() as connection:
        ModelStore(connection).add_history(
            {
                "id": "gone",
                "sha256": "x",
                "location": "/nowhere",
                "label_version": context.terminology.label_version,
                "rows": 1,
                "added_at": SEEN,
                "report": {},
            }
        )
    detail = {"kind": "refresh", "data_until": SEEN.isoformat(), "histories": ["gone"]}
    on_its_way(context, "3", "gate", champion="2", detail=detail)
    on_its_way(context, "4", "shadow", champion="2", shadow_until=SEEN)
    with pytest.raises(ServiceError, match="history of the champion is missing"):
        advance(context)
    visit(context, 150, SEEN + timedelta(hours=1), seed=8, name="a")
    set_time(context, SEEN + timedelta(days=35))
    assert advance(context).startswith("Version 2 is taken back: log loss ")
    assert live(context) == "1"
