"""A model as one ONNX file that answers as the service does, and what that file cannot hold.

The file goes from the model columns to calibrated probabilities: whoever runs it computes the
columns as the JSON beside it says, and decides by its thresholds. It is written only if its
answers were found to be the same.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from model.artefact import Artefact
from model.features import FEATURES, MAX_MINUTES_APART, MODEL_COLUMNS, FloatArray
from model.training.onnx_graphs import (
    INPUT,
    IR_VERSION,
    ML_OPSET,
    OPSET,
    ExportError,
    Graph,
    margins,
)

OUTPUT = "probabilities"
PACKAGES = ("onnx", "onnxmltools", "onnxruntime")
"""Of the extra `onnx`."""
TOLERANCE = 1e-4
"""Largest difference of a probability that is let through: both sides get float32 input, and
sums of leaves in float32 differ by some 1e-6."""
MOST_ROWS = 20_000
"""Rows compared at most: more show nothing new."""
_SEED = 20_260


@dataclass(frozen=True, slots=True)
class Exported:
    """A model as it would be written."""

    onnx: bytes
    details: dict[str, Any]
    """What ONNX cannot hold, JSON types."""
    rows: int
    """Rows compared, those with more values missing included."""
    largest_difference: float
    """Of a probability."""


def export(
    artefact: Artefact, folder: Path, *, version: str, checksum: str, matrix: FloatArray
) -> Exported:
    """Build the file and compare it on `matrix`, real rows of (n, M) in the model's columns.

    Compared are the rows as they are, the same with values missing at random, each column
    missing by itself, and everything missing. Raises `ExportError` if there are no rows, the
    kind cannot be exported, a probability differs by more than `TOLERANCE`, or the packages of
    the extra `onnx` are missing.
    """
    require_packages()
    if len(matrix) == 0:
        raise ExportError("There are no rows to compare the export on.")
    content = _build(artefact, folder, version, checksum)
    rows = compared_rows(matrix)
    difference = largest_difference(artefact, content, rows)
    # Not `>`: a difference that is no number is no agreement.
    if not difference <= TOLERANCE:
        raise ExportError(
            f"The export differs from the model by {difference:.1e} in a probability, more than "
            f"{TOLERANCE:g}: nothing was written."
        )
    details = _details(artefact, version, checksum) | {
        "onnx_sha256": sha256(content).hexdigest(),
        "compared": {
            "rows": len(rows),
            "largest_difference": difference,
            "tolerance": TOLERANCE,
        },
    }
    return Exported(content, details, len(rows), difference)


def write(exported: Exported, target: Path) -> Path:
    """Write the file and its JSON; returns the path of that. Raises `OSError`.

    Each is written under another name first, so that a file that is there is whole.
    """
    beside = target.with_suffix(".json")
    text = json.dumps(exported.details, indent=1, ensure_ascii=False) + "\n"
    for path, content in ((beside, text.encode()), (target, exported.onnx)):
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            temporary.write_bytes(content)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    return beside


def compared_rows(matrix: FloatArray) -> FloatArray:
    """The rows to compare on: real ones, and the ways in which values can be missing."""
    real = matrix[:: -(-len(matrix) // MOST_ROWS)]
    rng = np.random.default_rng(_SEED)
    holes = np.where(rng.random(real.shape) < 0.3, np.nan, real)
    columns = real.shape[1]
    single = np.repeat(real[:1], columns, axis=0)
    single[np.arange(columns), np.arange(columns)] = np.nan
    return np.concatenate([real, holes, single, np.full((1, columns), np.nan)])


def largest_difference(artefact: Artefact, content: bytes, rows: FloatArray) -> float:
    """Of any probability, between the model and the file, on the same float32 input."""
    import onnxruntime

    narrow = rows.astype(np.float32)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    (found,) = session.run([OUTPUT], {INPUT: narrow})
    expected = artefact.calibration.probabilities(
        artefact.estimator.margins(narrow.astype(np.float64))
    )
    return float(np.abs(found - expected).max())


def _build(artefact: Artefact, folder: Path, version: str, checksum: str) -> bytes:
    """The graph: margins, class bias, temperature, softmax."""
    from onnx import TensorProto, checker, helper

    graph = Graph()
    calibration = artefact.calibration
    raw = margins(graph, artefact, folder)
    shifted = graph.add("Add", raw, graph.constant(calibration.class_bias))
    divided = graph.add("Div", shifted, graph.constant(calibration.temperature))
    probable = graph.add("Softmax", divided, axis=1)
    graph.add("Cast", probable, output=OUTPUT, to=TensorProto.FLOAT)
    rows = "rows"
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "severity",
            [
                helper.make_tensor_value_info(
                    INPUT, TensorProto.FLOAT, [rows, len(artefact.columns)]
                )
            ],
            [
                helper.make_tensor_value_info(
                    OUTPUT, TensorProto.FLOAT, [rows, len(artefact.classes)]
                )
            ],
            graph.constants,
        ),
        opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", ML_OPSET)],
        ir_version=IR_VERSION,
        producer_name="cds-service",
    )
    helper.set_model_props(model, _metadata(artefact, version, checksum))
    checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString())


def _metadata(artefact: Artefact, version: str, checksum: str) -> dict[str, str]:
    points = artefact.operating_points
    return {
        "model_version": version,
        "artefact_sha256": checksum,
        "kind": artefact.estimator.kind,
        "columns": json.dumps(list(artefact.columns)),
        "classes": json.dumps([code.value for code in artefact.classes]),
        "thresholds": json.dumps({code.value: points[code].threshold for code in artefact.classes}),
        "simulated": json.dumps(bool(artefact.attributes["simulated"])),
    }


def _details(artefact: Artefact, version: str, checksum: str) -> dict[str, Any]:
    """Features, derived columns, thresholds, limits of the sets, population."""
    used = [column for column in MODEL_COLUMNS if column.name in artefact.columns]
    inputs = {name for column in used for name in column.uses}
    attributes: Mapping[str, Any] = artefact.attributes
    sets = artefact.sets
    return {
        "model_version": version,
        "artefact_sha256": checksum,
        "kind": artefact.estimator.kind,
        "input": {
            "name": INPUT,
            "type": "float32",
            "shape": ["rows", len(artefact.columns)],
            "missing": "NaN; never filled in",
            "columns": [
                asdict(next(column for column in used if column.name == name))
                for name in artefact.columns
            ],
            "derived_columns": (
                f"missing where their readings lie more than {MAX_MINUTES_APART:g} min apart"
            ),
        },
        "output": {
            "name": OUTPUT,
            "type": "float32",
            "classes": [code.value for code in artefact.classes],
        },
        "features": [
            {
                "name": feature.name,
                "unit": feature.unit,
                "possible": list(feature.possible),
                "usual": list(feature.usual),
            }
            for feature in FEATURES
            if feature.name in inputs
        ],
        "decision": (
            "acute where its probability is at least its threshold; else terminal where its own "
            "is; else whichever of the others is largest in proportion to its threshold"
        ),
        "thresholds": {
            code.value: artefact.operating_points[code].threshold for code in artefact.classes
        },
        "prediction_sets": {
            "coverage": sets.coverage,
            "rule": "a category belongs to the set where 1 - p is at most its limit; one without "
            "a limit always does, and so does the decision",
            "limits": {
                code.value: limit for code, limit in zip(artefact.classes, sets.limits, strict=True)
            },
        },
        "population": {"min_age": attributes["min_age"], "max_age": attributes["max_age"]},
        "categories_not_covered": list(attributes["missing_categories"]),
        "simulated": bool(attributes["simulated"]),
        "label_version": attributes["label_version"],
        "not_held": "contributions (reasons), atypicality, NEWS2 and the rules of the card",
    }


def require_packages() -> None:
    """Raise `ExportError`, saying what to install, if the packages of the export are missing."""
    if any(find_spec(name) is None for name in PACKAGES):
        raise ExportError(
            'Exporting takes the packages of the extra onnx: pip install "cds-service[onnx]".'
        )
