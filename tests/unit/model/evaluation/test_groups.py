"""Groups of patients: figures by hand, and small cells that stay hidden."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from model.evaluation.groups import (
    cohorts,
    confusion,
    coverage_figures,
    group_figures,
    operating_figures,
    set_sizes,
)
from model.evaluation.study_rows import TOO_FEW, Draws
from model.severity import Severity
from tests.support.studies import rows_of

DRAWS = Draws(20, 1)


def test_figures_of_a_group_are_those_of_its_rows() -> None:
    rows = rows_of()
    member = rows.frame["age"].to_numpy() >= 50
    found = group_figures(rows, member, DRAWS)
    outcome, p = rows.outcome[member], rows.probabilities[member]
    case, decided = outcome == 1, rows.decisions[member] == 1
    expected = {
        "log_loss": -np.log(p[np.arange(len(p)), outcome]).mean(),
        "set_size": rows.members[member].sum(axis=1).mean(),
        "flag_rate": decided.mean(),
        "prevalence": case.mean(),
        "auroc": roc_auc_score(case, p[:, 1]),
        "average_precision": average_precision_score(case, p[:, 1]),
        "recall": decided[case].mean(),
        "observed_to_expected": case.sum() / p[:, 1].sum(),
    }
    assert (found["rows"], found["cases"], found["too_few"]) == (len(p), case.sum(), None)
    for name, value in expected.items():
        assert found[name]["value"] == pytest.approx(value)
        assert found[name]["lower"] <= value <= found[name]["upper"]


def test_levels_of_every_cohort() -> None:
    rows = rows_of()
    frame = rows.frame.assign(
        rare_code=np.where(np.arange(len(rows.frame)) < 40, "558", None),
        source=np.where(np.arange(len(rows.frame)) % 2 == 0, "north", "south"),
    )
    frame.loc[frame.index[:50], "sex"] = None
    found = cohorts(rows_of(frame=frame), DRAWS)
    assert [(one["cohort"], one["level"]) for one in found] == [
        *[("sex", "female"), ("sex", "male"), ("sex", "not known")],
        *[("age", "18 to 39"), ("age", "40 to 64"), ("age", "65 to 79"), ("age", "80 and over")],
        *[("disease", "rare"), ("disease", "common"), ("source", "north"), ("source", "south")],
    ]
    by_level = {one["level"]: one["rows"] for one in found}
    assert by_level["rare"] == 40
    assert by_level["north"] + by_level["south"] == len(frame)
    assert by_level["female"] + by_level["male"] + by_level["not known"] == len(frame)


@pytest.mark.parametrize("n", [1, TOO_FEW - 1])
def test_a_small_group_has_no_figures_and_no_count(n: int) -> None:
    rows = rows_of()
    found = group_figures(rows, np.arange(len(rows.outcome)) < n, DRAWS)
    assert found["too_few"] == "rows"
    assert {value for name, value in found.items() if name != "too_few"} == {None}


def test_few_cases_hide_what_is_of_cases() -> None:
    rows = rows_of()
    member = rows.outcome != 1
    member[np.flatnonzero(rows.outcome == 1)[: TOO_FEW - 1]] = True
    found = group_figures(rows, member, DRAWS)
    assert found["too_few"] == "cases"
    assert found["cases"] is None
    assert found["log_loss"]["value"] > 0
    for name in ("auroc", "average_precision", "recall", "prevalence", "observed_to_expected"):
        assert found[name] is None


def test_operating_figures_by_hand() -> None:
    n = 40
    p = np.zeros((n, 3))
    p[:, 1] = [0.5] * 16 + [0.1] * 24
    p[:, 0] = 1 - p[:, 1]
    outcome = np.array([1] * 12 + [0] * 4 + [1] * 6 + [0] * 18)
    rows = rows_of(n, probabilities=p, outcome=outcome, patient=np.arange(n), members=p > 0.2)
    acute = operating_figures(rows, DRAWS)[1]
    assert acute["category"] == "acute"
    assert acute["flag_rate"]["value"] == pytest.approx(16 / 40)
    assert acute["sensitivity"]["value"] == pytest.approx(12 / 18)
    assert acute["positive_predictive_value"]["value"] == pytest.approx(12 / 16)
    assert acute["number_needed_to_evaluate"]["value"] == pytest.approx(16 / 12)
    chronic = operating_figures(rows, DRAWS)[2]
    assert chronic["sensitivity"]["value"] is None
    assert chronic["number_needed_to_evaluate"]["value"] is None


def test_coverage_and_the_words_for_too_few_to_calibrate() -> None:
    rows = rows_of()
    found = {one["category"]: one for one in coverage_figures(rows, DRAWS)}
    for i, code in enumerate(rows.classes):
        case = rows.outcome == i
        assert found[code]["covered"]["value"] == pytest.approx(rows.members[case, i].mean())
        sizes = rows.members[case].sum(axis=1)
        assert found[code]["set_size"]["value"] == pytest.approx(sizes.mean())
    demonstrable = {code: one["demonstrable"] for code, one in found.items()}
    assert demonstrable == {"mild": True, "acute": False, "chronic": False}
    assert found[Severity.ACUTE]["calibration_cases"] == 29
    assert found[Severity.CHRONIC]["calibration_cases"] is None
    sizes = set_sizes(rows)
    assert [one["size"] for one in sizes] == [1, 2, 3]
    assert sum(one["share"] for one in sizes) == pytest.approx(1.0)


def test_confusion_hides_small_cells() -> None:
    outcome = np.array([0] * 50 + [1] * 50)
    decisions = np.array([0] * 21 + [1] * 9 + [2] * 20 + [0] * 12 + [1] * 15 + [2] * 23)
    mild, acute, chronic = confusion(rows_of(100, outcome=outcome, decisions=decisions))
    # 9 is hidden, and one more of its row and of its column, and what would give those away.
    assert mild["decided"] == {"mild": 21, "acute": None, "chronic": None}
    assert acute["decided"] == {"mild": 12, "acute": None, "chronic": None}
    assert [acute["rows"], chronic["rows"]] == [50, 0]


def test_a_hidden_count_cannot_be_had_by_subtraction() -> None:
    rows = rows_of()
    sex = rows.frame["sex"].to_numpy(dtype=object)
    sex[:5] = "other"
    found = cohorts(rows_of(frame=rows.frame.assign(sex=sex)), DRAWS)
    of_sex = {one["level"]: one for one in found if one["cohort"] == "sex"}
    assert of_sex["other"]["rows"] is None
    hidden = [level for level in ("female", "male") if of_sex[level]["rows"] is None]
    assert len(hidden) == 1
    smaller = of_sex[hidden[0]]
    assert smaller["log_loss"]["value"] > 0
    assert smaller["log_loss"]["n"] is None
    assert (sex == hidden[0]).sum() == min((sex == level).sum() for level in ("female", "male"))


def test_unknown_age_and_sex_belong_to_no_band() -> None:
    rows = rows_of(200)
    frame = rows.frame.assign(age=np.nan).drop(columns=["sex"])
    assert cohorts(rows_of(200, frame=frame), DRAWS) == []
