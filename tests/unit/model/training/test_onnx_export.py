"""A model as ONNX answers as the model does, for every kind, whatever is missing."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model.artefact import load
from model.estimators import LogisticRegression
from model.explanation import Calibration
from model.features import FloatArray
from model.scorer import frame_matrix
from model.training import onnx_export
from model.training.fitting import select
from model.training.onnx_export import (
    TOLERANCE,
    compared_rows,
    export,
    largest_difference,
    require_packages,
    write,
)
from model.training.onnx_graphs import ExportError, _floor32, for_float32
from tests.support.artefacts import KEPT, small_model
from tests.support.cohorts import small_cohort

pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
KINDS = ("logistic", "xgboost", "lightgbm")
AGREES = 1e-6
"""Of probabilities in float32: a hundredth of what would be let through."""


@pytest.fixture(scope="module", params=KINDS)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_model(tmp_path_factory.mktemp("exported"), request.param).path


def rows(columns: tuple[str, ...], n: int = 800, seed: int = 11) -> FloatArray:
    return select(frame_matrix(small_cohort(n, seed)), columns)


def content_of(folder: Path) -> tuple[Any, bytes]:
    artefact, checksum = load(folder)
    found = export(artefact, folder, version="7", checksum=checksum, matrix=rows(artefact.columns))
    return artefact, found.onnx


def test_probabilities_agree_on_real_rows_and_on_missing_values(folder: Path) -> None:
    artefact, checksum = load(folder)
    found = export(artefact, folder, version="7", checksum=checksum, matrix=rows(artefact.columns))

    assert found.largest_difference < AGREES
    # As they are, with holes, each column missing alone, and all of them.
    assert found.rows == 800 + 800 + len(artefact.columns) + 1
    # Rows that the comparison never saw, by the caller's own run of the file.
    other = rows(artefact.columns, seed=12)
    other[np.random.default_rng(5).random(other.shape) < 0.5] = np.nan
    assert largest_difference(artefact, found.onnx, other) < AGREES


@pytest.mark.parametrize("value", [0.0, -1e6, 1e30, -1e30, 3.4e38])
def test_extreme_values_agree(folder: Path, value: float) -> None:
    artefact, content = content_of(folder)
    extreme = np.full((len(artefact.columns) + 1, len(artefact.columns)), np.nan)
    extreme[:-1][np.eye(len(artefact.columns), dtype=bool)] = value
    extreme[-1] = value

    assert largest_difference(artefact, content, extreme) < AGREES


def test_values_on_the_edge_of_a_split_agree(folder: Path) -> None:
    artefact, content = content_of(folder)
    grid = np.repeat(np.arange(10.0, 260.0, 0.5)[:, None], len(artefact.columns), axis=1)

    assert largest_difference(artefact, content, grid) < AGREES


def test_class_bias_and_temperature_are_inside(folder: Path) -> None:
    artefact, checksum = load(folder)
    bias = np.linspace(-1.5, 1.0, len(artefact.classes))
    changed = dataclasses.replace(artefact, calibration=Calibration(2.7, bias))
    matrix = rows(artefact.columns)
    found = export(changed, folder, version="7", checksum=checksum, matrix=matrix)

    assert found.largest_difference < AGREES
    assert largest_difference(artefact, found.onnx, matrix) > 0.05


def test_an_artefact_of_an_earlier_version_is_exported() -> None:
    artefact, content = content_of(KEPT)

    assert largest_difference(artefact, content, rows(artefact.columns, seed=3)) < AGREES


def test_two_categories_are_exported_as_two(tmp_path: Path) -> None:
    for kind in KINDS:
        result = small_model(tmp_path / kind, kind, categories=2)
        artefact, content = content_of(result.path)
        assert len(artefact.classes) == 2
        assert largest_difference(artefact, content, rows(artefact.columns)) < AGREES


def test_a_regression_without_curves_is_exported(tmp_path: Path) -> None:
    from model.estimators import SplineBasis

    artefact, checksum = load(KEPT)
    columns, categories = len(artefact.columns), len(artefact.classes)
    rng = np.random.default_rng(2)
    straight = LogisticRegression(
        SplineBasis(
            (10.0,) * columns,
            (200.0,) * columns,
            ((),) * columns,
            (80.0,) * columns,
            (25.0,) * columns,
        ),
        rng.random(columns),
        rng.normal(size=(categories, 2 * columns)),
        rng.normal(size=categories),
    )
    straight.save(tmp_path)
    changed = dataclasses.replace(artefact, estimator=straight)
    found = export(changed, tmp_path, version="1", checksum=checksum, matrix=rows(artefact.columns))

    assert found.largest_difference < AGREES


def test_metadata_and_details_say_what_the_file_is(folder: Path) -> None:
    import onnx

    artefact, checksum = load(folder)
    found = export(artefact, folder, version="7", checksum=checksum, matrix=rows(artefact.columns))
    model = onnx.load_from_string(found.onnx)
    told = {entry.key: entry.value for entry in model.metadata_props}
    (given,), (answered,) = model.graph.input, model.graph.output

    assert given.name == "model_columns"
    assert given.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    assert [d.dim_value or d.dim_param for d in given.type.tensor_type.shape.dim] == [
        "rows",
        len(artefact.columns),
    ]
    assert answered.name == "probabilities"
    assert told["model_version"] == "7"
    assert told["artefact_sha256"] == checksum
    assert json.loads(told["columns"]) == list(artefact.columns)
    assert json.loads(told["classes"]) == [code.value for code in artefact.classes]
    thresholds = {code.value: point.threshold for code, point in artefact.operating_points.items()}
    assert json.loads(told["thresholds"]) == thresholds
    details = found.details
    assert [column["name"] for column in details["input"]["columns"]] == list(artefact.columns)
    assert details["thresholds"] == thresholds
    assert details["prediction_sets"]["limits"] == dict(
        zip((c.value for c in artefact.classes), artefact.sets.limits, strict=True)
    )
    assert details["compared"]["largest_difference"] == found.largest_difference
    json.dumps(details)


def test_a_file_that_answers_otherwise_is_not_written(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    artefact, checksum = load(folder)
    other = np.zeros(len(artefact.classes))
    other[0] = 0.01

    def shifted(given: Any, *_: Any) -> bytes:
        calibration = Calibration(
            given.calibration.temperature, given.calibration.class_bias + other
        )
        return build(dataclasses.replace(given, calibration=calibration), folder, "7", checksum)

    build = onnx_export._build
    monkeypatch.setattr(onnx_export, "_build", shifted)
    with pytest.raises(ExportError, match=r"differs .* nothing was written"):
        export(artefact, folder, version="7", checksum=checksum, matrix=rows(artefact.columns))
    # 0.01 in a score is some 0.001 in a probability; the limit is a tenth of that.
    assert TOLERANCE == 1e-4


def test_nothing_to_compare_on_is_refused() -> None:
    artefact, checksum = load(KEPT)
    empty = np.empty((0, len(artefact.columns)))
    with pytest.raises(ExportError, match="no rows to compare"):
        export(artefact, KEPT, version="7", checksum=checksum, matrix=empty)


def test_a_missing_package_is_named_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_export, "PACKAGES", ("onnx", "no_such_package_at_all"))
    with pytest.raises(ExportError, match=r'pip install "cds-service\[onnx\]"'):
        require_packages()


def test_both_files_are_whole_or_not_there(tmp_path: Path) -> None:
    artefact, checksum = load(KEPT)
    found = export(artefact, KEPT, version="7", checksum=checksum, matrix=rows(artefact.columns))
    beside = write(found, tmp_path / "model.onnx")

    assert beside == tmp_path / "model.json"
    assert (tmp_path / "model.onnx").read_bytes() == found.onnx
    assert json.loads(beside.read_text()) == json.loads(json.dumps(found.details))
    assert {path.name for path in tmp_path.iterdir()} == {"model.onnx", "model.json"}
    with pytest.raises(OSError, match="No such file"):
        write(found, tmp_path / "nowhere" / "model.onnx")


def test_many_rows_are_thinned_evenly() -> None:
    many = np.arange(50_000, dtype=np.float64)[:, None]

    assert len(compared_rows(many)) == 2 * 16_667 + 1 + 1
    np.testing.assert_array_equal(compared_rows(many)[:3, 0], [0, 3, 6])


# LightGBM in float32


def test_thresholds_are_rounded_down() -> None:
    values = np.array([0.1, -0.1, 0.5, 37.25000000000001, 1e-35])
    rounded = _floor32(values)

    assert (rounded <= values).all()
    assert (rounded.astype(np.float32).astype(np.float64) == rounded).all()
    # The next float32 would be above.
    above = np.nextafter(rounded.astype(np.float32), np.float32(np.inf)).astype(np.float64)
    assert (above > values).all()
    assert rounded[2] == 0.5
    assert rounded[3] == 37.25


def test_a_node_that_saw_nothing_missing_takes_it_for_zero() -> None:
    # Missing for nothing, default left: 2. For NaN, default left: 10; default right: 8.
    text = "tree\nobjective=custom\ntree_sizes=1 2\nthreshold=1.5 -1.5 3\ndecision_type=2 2 8\nend"

    assert for_float32(text, 4).split("\n") == [
        "tree",
        "objective=multiclass num_class:4",
        "threshold=1.5 -1.5 3.0",
        "decision_type=10 8 8",
        "end",
    ]
    assert for_float32("tree\nend", 3).split("\n")[1] == "objective=multiclass num_class:3"


@pytest.mark.parametrize("kind", [1, 4])
def test_splits_by_category_or_zero_are_refused(kind: int) -> None:
    with pytest.raises(ExportError, match="cannot be exported"):
        for_float32(f"threshold=1\ndecision_type={kind}", 3)


@pytest.mark.parametrize("holes", [True, False])
@pytest.mark.parametrize("categories", [2, 5])
def test_trees_of_lightgbm_agree(tmp_path: Path, holes: bool, categories: int) -> None:
    """Its own file, whether or not values were missing in training."""
    import lightgbm

    artefact, _ = load(KEPT)
    frame = small_cohort(2_000, 4, categories=categories)
    matrix = select(frame_matrix(frame), artefact.columns)
    names = sorted(set(frame["severity"]))
    outcome = np.array([names.index(code) for code in frame["severity"]])
    given = matrix if holes else np.nan_to_num(matrix, nan=50.0)
    booster = lightgbm.train(
        {
            "objective": "multiclass",
            "num_class": categories,
            "verbose": -1,
            "num_threads": 1,
            "num_leaves": 8,
            "deterministic": True,
        },
        lightgbm.Dataset(given, outcome),
        25,
    )
    (tmp_path / "model.txt").write_text(booster.model_to_string(num_iteration=-1), "utf-8")

    class Trees:
        """What LightGBM itself answers."""

        kind = "lightgbm"

        def margins(self, rows: FloatArray) -> FloatArray:
            found = booster.predict(rows, raw_score=True, num_threads=1)
            return np.asarray(found, dtype=np.float64)

    changed = dataclasses.replace(
        artefact,
        estimator=Trees(),  # type: ignore[arg-type]  # all that an export asks of it
        classes=artefact.classes[:categories],
        calibration=Calibration(1.2, np.linspace(-0.2, 0.2, categories)),
        sets=dataclasses.replace(
            artefact.sets,
            limits=artefact.sets.limits[:categories],
            cases=artefact.sets.cases[:categories],
        ),
    )
    found = export(changed, tmp_path, version="1", checksum="x", matrix=matrix)

    assert found.largest_difference < AGREES
    assert largest_difference(changed, found.onnx, np.vstack([matrix * 1e20, -matrix])) < AGREES
