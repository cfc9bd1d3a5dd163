"""New heads of rare diseases: all that is common stays, to the last byte and bit."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from model.scorer import Scorer
from model.training.derived import DERIVED_FROM, write_derived
from model.training.rare_update import CASES, update_heads
from model.training.splits import TRAIN, part_of
from tests.support.artefacts import small_model
from tests.support.cohorts import small_cohort

CODE = "ORPHA:423"


def with_cases(frame: pd.DataFrame, cases: int, *, code: str = CODE) -> pd.DataFrame:
    """The rows and `cases` patients, all of the training part, far off in heart rate."""
    names = [name for n in range(1_000) if part_of(name := f"rare-{code}-{n}") == TRAIN][:cases]
    rare = frame[frame["severity"] == "acute"].head(cases).copy()
    rare = rare.assign(patient_id=names, rare_code=code, heart_rate=190.0, body_temperature=41.5)
    return pd.concat([frame.assign(rare_code=None), rare], ignore_index=True)


@pytest.fixture(scope="module")
def cohort() -> pd.DataFrame:
    return small_cohort(2_500, 3)


@pytest.fixture(scope="module", params=["logistic", "lightgbm", "xgboost"])
def parent(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, cohort: pd.DataFrame
) -> tuple[Path, Scorer]:
    result = small_model(tmp_path_factory.mktemp("parent"), request.param, frame=cohort)
    return result.path, result.scorer


def test_only_the_heads_and_their_origin_differ(
    parent: tuple[Path, Scorer], cohort: pd.DataFrame, tmp_path: Path
) -> None:
    folder, scorer = parent
    update = update_heads(scorer, with_cases(cohort, 8), seed=1)
    assert update.changed == (CODE,)
    assert update.artefact is not None
    result = write_derived(scorer, update.artefact, tmp_path, {})
    before, after = (
        json.loads((path / "manifest.json").read_text())["files"] for path in (folder, result.path)
    )
    differing = {name for name in {*before, *after} if before.get(name) != after.get(name)}
    assert differing == {"prototypes.json", "attributes.json"}
    others = small_cohort(4_000, 77)
    derived = Scorer.load(result.path, version="2", expected_checksum=result.checksum)
    np.testing.assert_array_equal(derived.probabilities(others), scorer.probabilities(others))
    told = dict(derived.artefact.attributes)
    assert told.pop(DERIVED_FROM) == scorer.checksum
    assert set(told.pop(CASES)) == {CODE}
    assert told == {k: v for k, v in scorer.artefact.attributes.items() if k != CASES}
    assert result.chosen.way.as_json() == scorer.artefact.design["chosen"]
    assert derived.artefact.prototypes is not None
    assert [head.cases for head in derived.artefact.prototypes.heads] == [8]

    # The same cases again, with other common rows beside them: nothing to release.
    more = pd.concat([with_cases(cohort, 8), small_cohort(300, 9)], ignore_index=True)
    assert update_heads(derived, more, seed=1).artefact is None
    # One case more is another head; too few cases are none.
    assert update_heads(derived, with_cases(cohort, 9), seed=1).changed == (CODE,)
    gone = update_heads(derived, with_cases(cohort, 2), seed=1)
    assert gone.artefact is not None
    assert gone.artefact.prototypes is None


def test_cases_that_the_readings_do_not_tell_change_nothing(
    parent: tuple[Path, Scorer], cohort: pd.DataFrame
) -> None:
    frame = with_cases(cohort, 8)
    plain = frame["rare_code"].isna()
    frame.loc[~plain, ["heart_rate", "body_temperature"]] = [105.0, 37.8]
    update = update_heads(parent[1], frame, seed=1)
    assert update.artefact is None
    (report,) = update.reports
    assert not report.live


def test_training_says_whom_its_heads_rest_on(cohort: pd.DataFrame, tmp_path: Path) -> None:
    result = small_model(tmp_path, frame=with_cases(cohort, 8))
    assert set(result.scorer.artefact.attributes[CASES]) == {CODE}
    assert "rare-" not in json.dumps(result.scorer.artefact.attributes)
    # Undated rows have the same parts in training: the heads are what an update would make.
    assert update_heads(result.scorer, with_cases(cohort, 8), seed=1).artefact is None
