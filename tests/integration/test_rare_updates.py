"""C20: a rare case that is confirmed changes the heads at once, and nothing that is common."""

import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from cds_service.context import ProcessContext
from cds_service.services.deliveries import Incoming
from cds_service.services.kept_reports import ModelReportService, report_folder
from cds_service.services.model_cards import ModelCardService
from cds_service.services.models import ModelService
from cds_service.services.outcomes import OutcomeService
from cds_service.services.rare_cases import RareCaseService
from cds_service.services.rare_updates import RareUpdateService
from cds_service.services.shadow import shadow_versions
from cds_service.storage import session
from cds_service.storage.challenger_store import ChallengerStore
from cds_service.storage.client_store import ClientStore
from cds_service.storage.model_store import ModelStore
from cds_service.storage.release_watch_store import ReleaseWatchStore
from model.severity import Severity
from model.source_attributes import SOURCE_ATTRIBUTES
from model.training.run import DataDescription, train
from model.training.splits import TRAIN, TUNING, part_of
from tests.support.artefacts import small_settings
from tests.support.cohorts import small_cohort
from tests.support.conditions import condition
from tests.support.seen import seen
from tests.support.service import new_context
from tests.support.stored import BASE, SEEN, receive, set_time

CODE = "ORPHA:423"
ORPHANET = "https://www.orpha.net"
DATA = DataDescription(simulated=False, description="Invented rows.", label_version="1")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, Path]:
    """A model and an empty registry, which takes MLflow seconds to make."""
    root = tmp_path_factory.mktemp("models")
    result = train(small_cohort(2_500, 3), small_settings(), artefact_root=root, data=DATA)
    empty = new_context(tmp_path_factory.mktemp("registry"))
    ModelService(empty.engine, empty.settings, empty.clock)
    empty.engine.dispose()
    return result.path, result.checksum, empty.settings.data_dir / "mlflow.sqlite3"


@pytest.fixture
def context(
    tmp_path: Path, database_url: str, prepared: tuple[Path, str, Path]
) -> Iterator[ProcessContext]:
    """Version b is live and watched against version a, which is the same; 400 common patients."""
    shutil.copy(prepared[2], tmp_path)
    context = new_context(tmp_path, database_url)
    set_time(context, SEEN)
    with context.engine.begin() as connection:
        for version in ("a", "b"):
            ModelStore(connection).add_version(_row(context, version, *prepared[:2]))
        for name in ("development", "first", "second"):
            ClientStore(connection).add(name, {"allow_retraining": True}, context.clock())
    models = ModelService(context.engine, context.settings, context.clock)
    for version in ("a", "b"):
        models.promote(version, actor="test", reason="r")
    seen(
        context,
        small_cohort(400, 8),
        start=SEEN,
        every=timedelta(minutes=5),
        prefix="common",
        version="b",
    )
    set_time(context, SEEN + timedelta(days=40))
    yield context
    context.engine.dispose()


def _row(context: ProcessContext, version: str, path: Path, checksum: str) -> dict[str, Any]:
    return {
        "version": version,
        "location": str(path),
        "checksum": checksum,
        "kind": "logistic + none",
        "simulated": False,
        "created_at": context.clock(),
        "created_by": "test",
        "note": "",
        "history_id": None,
        "history_ids": [],
        "metrics": {},
    }


def rare_visits(context: ProcessContext, names: list[str], *clients: str) -> None:
    """Acutely ill patients with a pattern of their own, diagnosed by each of the clients."""
    frame = pd.DataFrame(
        {
            "age": 50.0,
            "heart_rate": 185.0 + np.arange(len(names)),
            "body_temperature": 41.0,
            "systolic_bp": 95.0,
            "diastolic_bp": 55.0,
            "severity": "acute",
        }
    )
    at = SEEN + timedelta(hours=2)
    for name, (_, row) in zip(names, frame.iterrows(), strict=True):
        seen(context, row.to_frame().T, start=at, every=timedelta(0), prefix=name, version="b")
    for client in clients:
        OutcomeService(context).receive(
            [
                Incoming(
                    resource=condition(
                        icd="I21.4",
                        codings=[(ORPHANET, CODE)],
                        id=f"{client}-{name}",
                        subject={"reference": f"Patient/{name}0"},
                        recordedDate=(at + timedelta(hours=3)).isoformat(),
                    ),
                    base=BASE,
                    patient_id=f"{name}0",
                )
                for name in names
            ],
            client=client,
            channel="test",
            actor="test",
        )


def run(context: ProcessContext) -> str:
    return RareUpdateService(context).run(actor="schedule")


def live(context: ProcessContext) -> dict[str, Any]:
    with session.reading(context.engine) as connection:
        row = ModelStore(connection).champion()
    assert row is not None
    return row


def names_of(context: ProcessContext, number: int) -> list[str]:
    found = (f"rare{n}x" for n in range(1_000))
    return [
        name
        for name in found
        if part_of(context.secrecy.patient_keys(BASE, f"{name}0")[0]) in (TRAIN, TUNING)
    ][:number]


def test_a_second_source_releases_a_head_and_nothing_else(context: ProcessContext) -> None:
    assert run(context) == "No case of a rare disease is known."
    names = names_of(context, 8)
    rare_visits(context, names, "first")
    assert run(context) == "No case of a rare disease is known."  # Of one source alone.
    with context.engine.begin() as connection:
        ChallengerStore(connection).add(
            {
                "version": "a",
                "origin": "refresh",
                "stage": "waiting",
                "champion": "b",
                "created_at": context.clock(),
                "reason": "",
                "detail": {"kind": "refresh"},
            }
        )
    before = ModelService.load(live(context))
    folder = report_folder(context.settings, "b")
    folder.mkdir(parents=True)
    (folder / "report.html").write_text("the report of b")
    cards = ModelCardService(context.engine, context.clock, context.settings.data_dir)
    cards.write("b", SOURCE_ATTRIBUTES[0].id, "For triage.", language="en", actor="test")
    for name in names:
        receive(
            context,
            condition(
                icd="I21.4",
                codings=[(ORPHANET, CODE)],
                id=f"second-{name}",
                subject={"reference": f"Patient/{name}0"},
                recordedDate=(SEEN + timedelta(hours=6)).isoformat(),
            ),
            client="second",
            patient_id=f"{name}0",
        )
    said = run(context)
    assert said == f"Version 1 is live: rare cases of {CODE}. Heads: {CODE}."
    row = live(context)
    assert (row["action"], row["actor"], row["reason"]) == (
        *("rare-update", "schedule"),
        f"rare cases of {CODE}",
    )
    after = ModelService.load(row)
    cohort = small_cohort(2_000, 99)
    np.testing.assert_array_equal(before.probabilities(cohort), after.probabilities(cohort))
    assert before.facts.thresholds == after.facts.thresholds
    assert after.artefact.prototypes is not None
    assert Severity.ACUTE in after.classes

    # The watch of the promotion and the challenger go on with the version that is live now.
    with session.reading(context.engine) as connection:
        watch = ReleaseWatchStore(connection).open()
        challenger = ChallengerStore(connection).get("a")
    assert watch is not None
    assert (watch["version"], watch["previous"]) == ("1", "a")
    assert challenger is not None
    assert (challenger["stage"], challenger["champion"]) == ("waiting", "1")

    # What is known of the one that it answers as holds for it, and that is not its shadow.
    with session.reading(context.engine) as connection:
        assert ModelStore(connection).alike("1") == ["1", "b"]
        assert shadow_versions(connection) == ["a"]
    cards = ModelCardService(context.engine, context.clock, context.settings.data_dir)
    assert [one["en"].text for one in cards.card("1").written.values()] == ["For triage."]
    reports = ModelReportService(context.engine, context.settings, context.clock)
    assert reports.page("1", actor="test") == "the report of b"

    assert run(context) == "The cases of rare diseases are those of the last time."
    # A rejected case is not learnt from, by the next run.
    cases = RareCaseService(context)
    case = next(one for one in cases.cases(actor="dr") if one.code == CODE)
    cases.review(case.id, confirm=False, reason="it was sepsis", actor="dr")
    assert run(context).startswith(f"Version 2 is live: rare cases of {CODE}.")
    heads = ModelService.load(live(context)).artefact.prototypes
    assert heads is not None
    assert [head.cases for head in heads.heads] == [7]

    # Back goes to what was promoted before, whatever was updated since.
    models = ModelService(context.engine, context.settings, context.clock)
    models.roll_back_to("a", "2", actor="dr", reason="back")
    assert live(context)["version"] == "a"
    models.promote("b", actor="dr", reason="again")
    assert models.rollback(actor="dr", reason="back once more") == "a"


def test_a_confirmed_case_counts_before_its_outcome_window_has_passed(
    context: ProcessContext,
) -> None:
    set_time(context, SEEN + timedelta(days=1))
    rare_visits(context, names_of(context, 8), "first", "second")
    assert run(context) == f"Version 1 is live: rare cases of {CODE}. Heads: {CODE}."
    heads = ModelService.load(live(context)).artefact.prototypes
    assert heads is not None
    assert [head.cases for head in heads.heads] == [8]
    # What is known then stays so: a later run has nothing to add.
    set_time(context, SEEN + timedelta(days=40))
    assert run(context) == "The cases of rare diseases are those of the last time."
