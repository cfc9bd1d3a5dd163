"""Few-shot heads at serving: scores by hand, missing readings, and the artefact."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from model.artefact import PROTOTYPES, load, write
from model.features import FeatureRow
from model.prototypes import PrototypeHead, Prototypes, contrasts
from model.rarity import Rarity
from model.scorer import Scorer
from tests.support.artefacts import KEPT, small_model

CORRELATION = ((1.0, 0.5, 0.2), (0.5, 1.0, -0.1), (0.2, -0.1, 1.0))
SPACE = Rarity(
    ("heart_rate", "systolic_bp", "logit_0"), (80.0, 120.0, 0.0), (10.0, 20.0, 2.0), CORRELATION, ()
)
HEAD = PrototypeHead("ORPHA:423", "Malignant hyperthermia", 4, (2.0, -1.0, 0.5), 1.5, 0.01)
EVEN = np.array([[0.5, 0.5]])


def test_contrasts_are_centred_log_ratios() -> None:
    found = contrasts(np.array([[0.7, 0.2, 0.1]]))
    mean = (np.log(0.7) + np.log(0.2) + np.log(0.1)) / 3
    assert found[0] == pytest.approx([np.log(0.7) - mean, np.log(0.2) - mean])
    assert np.isfinite(contrasts(np.array([[1.0, 0.0, 0.0]]))).all()


@pytest.mark.parametrize("missing", [(), (0,), (1,)])
def test_a_score_is_the_log_ratio_of_two_normal_populations(missing: tuple[int, ...]) -> None:
    inputs = np.array([[105.0, 90.0]])
    inputs[0, list(missing)] = np.nan
    score = Prototypes(SPACE, (HEAD,)).scores(inputs, EVEN)[0, 0]

    seen = [i for i in range(3) if i not in missing]
    values = np.array([2.5, -1.5, 0.0])[seen]
    covariance = np.array(CORRELATION)[np.ix_(seen, seen)]
    expected = multivariate_normal.logpdf(
        values, np.array(HEAD.displacement)[seen], covariance
    ) - multivariate_normal.logpdf(values, np.zeros(len(seen)), covariance)
    assert score == pytest.approx(expected)


def test_without_a_reading_nothing_matches() -> None:
    heads = Prototypes(SPACE, (replace(HEAD, threshold=-100.0),))
    nothing = np.array([[np.nan, np.nan]])
    assert np.isnan(heads.scores(nothing, EVEN)).all()
    assert heads.matches(nothing, EVEN) == ()


def test_the_clearest_match_is_first_and_what_is_below_is_none() -> None:
    near = replace(HEAD, code="ORPHA:1", name=None, threshold=0.5)
    far = replace(HEAD, code="ORPHA:2", threshold=50.0)
    heads = Prototypes(SPACE, (HEAD, near, far))
    found = heads.matches(np.array([[105.0, 90.0]]), EVEN)
    assert [one.code for one in found] == ["ORPHA:1", "ORPHA:423"]
    assert (found[1].name, found[1].cases, found[1].flag_rate) == (HEAD.name, 4, 0.01)
    assert found[1].score > 1.5
    assert heads.matches(np.array([[70.0, 130.0]]), EVEN) == ()


def test_heads_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="do not fit"):
        Prototypes(SPACE, (replace(HEAD, displacement=(1.0,)),))
    with pytest.raises(ValueError, match="do not fit"):
        Prototypes(SPACE, ())


@pytest.fixture(scope="module")
def scorer(tmp_path_factory: pytest.TempPathFactory) -> Scorer:
    """A small model with one head, of fast hearts."""
    plain = small_model(tmp_path_factory.mktemp("model")).scorer
    rarity = plain.artefact.rarity
    classes = len(plain.classes)
    size = len(rarity.inputs) + classes - 1
    space = Rarity(
        (*rarity.inputs, *(f"logit_{i}" for i in range(classes - 1))),
        (*rarity.centre, *([0.0] * (classes - 1))),
        (*rarity.scale, *([1.0] * (classes - 1))),
        tuple(tuple(row) for row in np.eye(size).tolist()),
        (),
    )
    displacement = tuple(3.0 if name == "heart_rate" else 0.0 for name in space.inputs)
    heads = Prototypes(space, (replace(HEAD, displacement=displacement, threshold=4.0),))
    folder, checksum = write(
        replace(plain.artefact, prototypes=heads), tmp_path_factory.mktemp("with")
    )
    return Scorer.load(folder, version="7", expected_checksum=checksum)


def row(heart_rate: float | None) -> FeatureRow:
    return FeatureRow(
        age=40.0,
        heart_rate=heart_rate,
        body_temperature=37.0,
        systolic_bp=120.0,
        diastolic_bp=75.0,
        sex="female",
    )


def test_an_assessment_names_the_match(scorer: Scorer) -> None:
    (found,) = scorer.assess(row(170.0)).rare_matches
    assert (found.code, found.cases) == ("ORPHA:423", 4)
    assert scorer.assess(row(75.0)).rare_matches == ()
    assert scorer.assess(row(None)).rare_matches == ()


def test_heads_come_back_from_disk_as_they_were(scorer: Scorer, tmp_path: Path) -> None:
    folder, checksum = write(scorer.artefact, tmp_path)
    again, found = load(folder)
    assert (folder / PROTOTYPES).is_file()
    assert found == checksum == scorer.checksum
    assert again.prototypes == scorer.artefact.prototypes


def test_a_model_without_heads_loads_as_before() -> None:
    artefact, _ = load(KEPT)
    assert artefact.prototypes is None
    assert Scorer.load(KEPT, version="1").assess(row(170.0)).rare_matches == ()


def test_heads_that_the_manifest_does_not_name_are_not_read(scorer: Scorer, tmp_path: Path) -> None:
    plain, checksum = write(replace(scorer.artefact, prototypes=None), tmp_path / "plain")
    full, _ = write(scorer.artefact, tmp_path / "full")
    (plain / PROTOTYPES).write_bytes((full / PROTOTYPES).read_bytes())
    artefact, found = load(plain, checksum)
    assert found == checksum
    assert artefact.prototypes is None
