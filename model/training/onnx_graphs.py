"""Margins of each servable kind as ONNX nodes, in double precision after the trees.

Each builder reads the artefact's own files and returns a graph from `model_columns` (float32,
(N, M), NaN where missing) to `margins` (double, (N, K)).
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from model.artefact import Artefact
from model.errors import ModelError
from model.estimators import LogisticRegression
from model.features import FloatArray

INPUT = "model_columns"
OPSET, ML_OPSET, IR_VERSION = 15, 1, 8
"""Old enough for every runtime of the last years (ONNX 1.10, 2021)."""


class ExportError(ModelError):
    """A model that cannot be exported, in a sentence."""


class Graph:
    """Nodes and constants, collected in order."""

    def __init__(self) -> None:
        """Start with nothing."""
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self._count = 0

    def constant(self, values: Any, kind: Any = np.float64) -> str:
        """A named constant."""
        from onnx import numpy_helper

        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(values, dtype=kind), name))
        return name

    def add(self, op: str, *inputs: str, output: str | None = None, **attributes: Any) -> str:
        """A node of one output; returns the name of that."""
        from onnx import helper

        self._count += 1
        name = output or f"{op.lower()}{self._count}"
        self.nodes.append(helper.make_node(op, list(inputs), [name], **attributes))
        return name

    def to_double(self, name: str) -> str:
        """The same in double precision."""
        from onnx import TensorProto

        return self.add("Cast", name, to=TensorProto.DOUBLE)


def margins(graph: Graph, artefact: Artefact, folder: Path) -> str:
    """Add the margins of the model in `folder`; returns their name. Raises `ExportError`."""
    builder = _BUILDERS.get(artefact.estimator.kind)
    if builder is None:
        raise ExportError(f"A model of the kind {artefact.estimator.kind} cannot be exported.")
    return builder(graph, artefact, folder)


def _xgboost(graph: Graph, artefact: Artefact, folder: Path) -> str:
    import xgboost
    from onnxmltools import convert_xgboost

    booster = xgboost.Booster()
    booster.load_model(folder / "model.ubj")
    # The converter takes numbered features alone.
    booster.feature_names = None
    return _trees(graph, convert_xgboost(booster, **_signature(artefact)), len(artefact.classes))


def _lightgbm(graph: Graph, artefact: Artefact, folder: Path) -> str:
    import lightgbm
    from onnxmltools import convert_lightgbm

    text = for_float32((folder / "model.txt").read_text("utf-8"), len(artefact.classes))
    booster = lightgbm.Booster(model_str=text)
    model = convert_lightgbm(booster, zipmap=False, **_signature(artefact))
    return _trees(graph, model, len(artefact.classes))


def _signature(artefact: Artefact) -> dict[str, Any]:
    from onnxmltools.convert.common.data_types import FloatTensorType

    shape = FloatTensorType([None, len(artefact.columns)])
    return {"initial_types": [(INPUT, shape)], "target_opset": 15}


def _trees(graph: Graph, converted: Any, categories: int) -> str:
    """The trees of a converted classifier as a sum of leaves: margins instead of a label."""
    from onnx import helper

    (node,) = [n for n in converted.graph.node if n.op_type == "TreeEnsembleClassifier"]
    kept = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    leaves = {
        f"target_{name}": kept.pop(f"class_{name}")
        for name in ("ids", "nodeids", "treeids", "weights")
    }
    for name in ("classlabels_int64s", "classlabels_strings", "post_transform"):
        kept.pop(name, None)
    # Protobuf gives modes back as bytes.
    kept["nodes_modes"] = [mode.decode() for mode in kept["nodes_modes"]]
    trees = graph.add(
        "TreeEnsembleRegressor",
        INPUT,
        domain="ai.onnx.ml",
        n_targets=categories,
        aggregate_function="SUM",
        **kept,
        **leaves,
    )
    return graph.to_double(trees)


_CATEGORICAL, _DEFAULT_LEFT, _MISSING = 1, 2, 12
_NONE, _NAN = 0, 8
"""Bits of LightGBM's `decision_type`: what a missing value is at a node."""


def for_float32(text: str, categories: int) -> str:
    """A LightGBM model whose decisions on float32 input are the same, with float32 thresholds.

    A value goes left where it is at most the threshold. For a float32 value that is the same as
    at most the largest float32 not above the threshold. A node that saw nothing missing in
    training takes a missing value for 0; it gets the branch that 0 takes. The objective becomes
    the plain one, for the converter knows no other; margins do not depend on it. Raises
    `ExportError` for splits by category or by zero, which these models do not have.
    """
    lines: list[str] = []
    thresholds: FloatArray = np.empty(0)
    for line in text.split("\n"):
        name, _, values = line.partition("=")
        if name == "threshold":
            thresholds = np.array(values.split(), dtype=np.float64)
            lines.append(f"threshold={' '.join(repr(float(v)) for v in _floor32(thresholds))}")
        elif name == "decision_type":
            kinds = [
                _decision(int(kind), threshold)
                for kind, threshold in zip(values.split(), thresholds, strict=True)
            ]
            lines.append(f"decision_type={' '.join(map(str, kinds))}")
        elif name == "objective":
            lines.append(f"objective=multiclass num_class:{categories}")
        elif name == "tree_sizes":
            continue  # Bytes of each tree, which are no longer true; the reader does without.
        else:
            lines.append(line)
    if not any(re.match("objective=", line) for line in lines):
        lines.insert(1, f"objective=multiclass num_class:{categories}")
    return "\n".join(lines)


def _floor32(values: FloatArray) -> FloatArray:
    """The largest float32 not above each value."""
    nearest = values.astype(np.float32)
    below = np.nextafter(nearest, np.float32(-np.inf))
    return np.where(nearest > values, below, nearest).astype(np.float64)


def _decision(kind: int, threshold: float) -> int:
    missing = kind & _MISSING
    if kind & _CATEGORICAL or missing not in (_NONE, _NAN):
        raise ExportError("A model with splits by category or by zero cannot be exported.")
    if missing == _NAN:
        return kind
    return _NAN | (_DEFAULT_LEFT if threshold >= 0.0 else 0)


def _logistic(graph: Graph, artefact: Artefact, folder: Path) -> str:
    """Clipping, logarithms, splines, standardising, indicators of missingness, coefficients."""
    columns, categories = len(artefact.columns), len(artefact.classes)
    model = LogisticRegression.load(folder, columns, categories)
    basis, add, constant = model.basis, graph.add, graph.constant
    absent = add("IsNaN", INPUT)
    missing = graph.to_double(absent)
    # Any number stands for a missing one; its terms are taken out below.
    value = add("Where", absent, constant(np.zeros(columns)), graph.to_double(INPUT))
    inside = add("Min", add("Max", value, constant(basis.low)), constant(basis.high))
    if basis.logged:
        chosen = constant(np.isin(np.arange(columns), basis.logged), np.bool_)
        positive = add("Where", chosen, inside, constant(np.ones(columns)))
        inside = add("Where", chosen, add("Log", positive), inside)
    owners = basis.owners()[:-columns]
    curved = owners[columns:]
    terms = inside
    if curved:
        knots = [
            (knot, t[-2], t[-1], (t[-2] - knot) / (t[-1] - t[-2]), (t[-1] - t[0]) ** 2)
            for t in basis.knots
            for knot in t[:-2]
        ]
        first, middle, last, ratio, norm = np.asarray(knots, dtype=np.float64).T
        x = add("Gather", inside, constant(curved, np.int64), axis=1)

        def cube(knot: FloatArray) -> str:
            positive = add("Max", add("Sub", x, constant(knot)), constant(0.0))
            return add("Mul", add("Mul", positive, positive), positive)

        rising = add("Sub", cube(first), add("Mul", cube(middle), constant(ratio + 1.0)))
        bent = add("Add", rising, add("Mul", cube(last), constant(ratio)))
        terms = add("Concat", inside, add("Div", bent, constant(norm)), axis=1)
    standard = add("Div", add("Sub", terms, constant(basis.centre)), constant(basis.scale))
    gone = add("Gather", absent, constant(owners, np.int64), axis=1)
    there = add("Where", gone, constant(np.zeros(len(owners))), standard)
    indicators = add("Sub", missing, constant(model.missing_rate))
    whole = add("Concat", there, indicators, axis=1)
    product = add("MatMul", whole, constant(model.coefficients.T))
    return add("Add", product, constant(model.intercept))


_BUILDERS: Mapping[str, Callable[[Graph, Artefact, Path], str]] = {
    "xgboost": _xgboost,
    "lightgbm": _lightgbm,
    "logistic": _logistic,
}
