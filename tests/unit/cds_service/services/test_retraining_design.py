"""Retraining keeps the champion's kind, remedy and parameters among its candidates."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cds_service.services.retraining import as_champion, full_search, like_champion
from model.errors import TrainingError
from model.features import FeatureRow
from model.scorer import Scorer
from model.severity import Severity
from model.training.design import BALANCINGS, ESTIMATORS, TrainingSettings, Way
from model.training.run import train
from tests.support.artefacts import DESCRIPTION, KEPT, small_model, small_settings
from tests.support.cohorts import small_cohort

TUNED = Way("lightgbm", "focal", (("gamma", 1.0), ("num_leaves", 4.0)))


def test_the_champions_way_is_compared_again(tmp_path: Path) -> None:
    frame = small_cohort(1_500, 61)
    settings = small_settings(
        "logistic", known=(TUNED,), flag_rates={Severity.ACUTE: 0.1}, rare_flag_rate=0.02
    )
    champion = train(frame, settings, artefact_root=tmp_path, data=DESCRIPTION)
    chosen = Way.of_json(champion.scorer.artefact.design["chosen"])
    assert {c.name for c in champion.candidates} == {"logistic + none", TUNED.name}
    design = like_champion(champion.scorer, 3)
    assert (design.known, design.seed) == ((chosen,), 3)
    assert (design.flag_rates, design.rare_flag_rate) == ({Severity.ACUTE: 0.1}, 0.02)


def test_a_tuned_champion_brings_its_parameters(tmp_path: Path) -> None:
    frame = small_cohort(1_500, 61)
    champion = train(frame, small_settings(), artefact_root=tmp_path, data=DESCRIPTION).scorer
    artefact = replace(
        champion.artefact, design=champion.artefact.design | {"chosen": TUNED.as_json()}
    )
    design = like_champion(Scorer(artefact, version="1", checksum=champion.checksum), 1)
    quick = replace(design, estimators=("logistic",), balancings=("none",), folds=2)
    again = train(frame, quick, artefact_root=tmp_path, data=DESCRIPTION)
    assert [TUNED.name in {c.name for c in again.candidates}, len(again.candidates)] == [True, 2]
    assert TUNED in {candidate.way for candidate in again.candidates}


def test_a_champion_from_before_names_none() -> None:
    assert like_champion(Scorer.load(KEPT, version="1"), 1).known == ()


def test_lightgbm_answers_with_reasons_that_add_up(tmp_path: Path) -> None:
    result = train(
        small_cohort(1_500, 61),
        small_settings("lightgbm"),
        artefact_root=tmp_path,
        data=DESCRIPTION,
    )
    scorer = Scorer.load(result.path, version="1", expected_checksum=result.checksum)
    assert {path.name for path in result.path.iterdir()} >= {"model.txt", "features.json"}
    row = FeatureRow(age=61, heart_rate=118, body_temperature=38.4, systolic_bp=94)
    found = scorer.assess(row)
    assert sum(found.probabilities.values()) == pytest.approx(1.0)
    for code, p in found.probabilities.items():
        reasons = sum(reason.value for reason in found.contributions[code])
        assert found.baseline[code] + reasons == pytest.approx(np.log(p / (1.0 - p)), abs=1e-9)


def test_a_refresh_is_fitted_as_the_champion_was(tmp_path: Path) -> None:
    champion = small_model(tmp_path, rows=1_200).scorer
    design = as_champion(champion, 4)
    assert (design.only_known, design.learn_newest) == (True, True)
    assert [way.as_json() for way in design.known] == [champion.artefact.design["chosen"]]
    # A model of before ways were named is compared with the quick kinds instead.
    assert not as_champion(Scorer.load(KEPT, version="1"), 4).only_known


def test_a_search_compares_every_kind_and_the_champions_own(tmp_path: Path) -> None:
    champion = small_model(tmp_path, rows=1_200).scorer
    design = full_search(champion, 4)
    assert design.search
    assert (design.estimators, design.balancings) == (ESTIMATORS, BALANCINGS)
    assert len(design.known) == 1


def test_nothing_but_the_known_way_is_compared(tmp_path: Path) -> None:
    settings = small_settings(known=(TUNED,), only_known=True)
    again = train(small_cohort(1_500, 61), settings, artefact_root=tmp_path, data=DESCRIPTION)
    assert [candidate.way for candidate in again.candidates] == [TUNED]
    assert again.scorer.artefact.design["chosen"] == TUNED.as_json()
    with pytest.raises(TrainingError, match="a way that is known"):
        TrainingSettings(only_known=True)
