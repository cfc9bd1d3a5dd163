"""The model as a folder of readable JSON and one native file, with a checksum over all of it.

Nothing is unpickled. The folder is written under a temporary name and moved into place, so that
a reader finds all of it or nothing.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from model.errors import ArtefactError
from model.estimators import BoostedTrees, Estimator, LogisticRegression
from model.explanation import Calibration
from model.features import schema_hash
from model.lightgbm_trees import LightGbmTrees
from model.operating import OperatingPoint
from model.prediction_sets import PredictionSets
from model.prototypes import PrototypeHead, Prototypes
from model.rarity import Rarity
from model.severity import Severity

FORMAT_VERSION = 1
MANIFEST = "manifest.json"
PROTOTYPES = "prototypes.json"
_KINDS: Mapping[str, type[BoostedTrees | LightGbmTrees | LogisticRegression]] = {
    BoostedTrees.kind: BoostedTrees,
    LightGbmTrees.kind: LightGbmTrees,
    LogisticRegression.kind: LogisticRegression,
}


@dataclass(frozen=True)
class Artefact:
    """A trained model and everything that must be known of it."""

    estimator: Estimator
    columns: tuple[str, ...]
    """Model columns it uses, in its own order."""
    classes: tuple[Severity, ...]
    """Categories it covers, in the order of `SEVERITIES`: the K columns of its probabilities."""
    calibration: Calibration
    operating_points: Mapping[Severity, OperatingPoint]
    sets: PredictionSets
    rarity: Rarity
    design: Mapping[str, Any]
    """Settings it was trained with."""
    metrics: Mapping[str, Any]
    """Figures on the held-out part, and how the candidates compared."""
    attributes: Mapping[str, Any]
    """What it was trained on; see `model.training.run`."""
    prototypes: Prototypes | None = None
    """Few-shot heads for rare diseases; in a file of their own, where there are any."""


def write(artefact: Artefact, root: Path) -> tuple[Path, str]:
    """Write a folder under `root` and return it with its checksum.

    The folder is named after the checksum; the same model written twice is one folder. The files
    and the folder are flushed to disk before it gets its name. Raises `OSError` if it cannot.
    """
    root.mkdir(parents=True, exist_ok=True)
    temporary = root / f".unfinished-{os.getpid()}"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    try:
        for name, content in _contents(artefact).items():
            (temporary / name).write_text(_text(content), encoding="utf-8")
        artefact.estimator.save(temporary)
        files = sorted(temporary.iterdir())
        manifest = {"format_version": FORMAT_VERSION, "files": {f.name: _sha256(f) for f in files}}
        (temporary / MANIFEST).write_text(_text(manifest), encoding="utf-8")
        checksum = _sha256(temporary / MANIFEST)
        for path in [*files, temporary / MANIFEST, temporary]:
            _flush(path)
        folder = root / f"severity-{checksum[:16]}"
        if not folder.exists():
            os.replace(temporary, folder)
            _flush(root)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder, checksum


def load(folder: Path, expected_checksum: str | None = None) -> tuple[Artefact, str]:
    """Read a folder and return the model with its checksum (SHA-256 of `manifest.json`).

    Raises `ArtefactError`, in a sentence, if the folder is missing or damaged, is not the one
    `expected_checksum` names, or was made for model columns that mean something else now.
    """
    checksum, files = _verified(folder, expected_checksum)
    try:
        return _parse(folder, frozenset(files)), checksum
    except ArtefactError:
        raise
    except Exception as error:
        # Every file is as it was written, so this is a model of another program or version;
        # whatever XGBoost or JSON say of it, the administrator needs one sentence.
        raise ArtefactError(f"The model in {folder} cannot be read: {error}.") from error


def documents(folder: Path, expected_checksum: str) -> dict[str, dict[str, Any]]:
    """What a folder says of its model, by name of the JSON file without its ending.

    The model itself is not loaded, so this also works for one that can no longer be served.
    Raises `ArtefactError` as `load` does if the folder is missing, damaged or another one.
    """
    _, names = _verified(folder, expected_checksum)
    return {Path(name).stem: _read(folder / name) for name in names if Path(name).suffix == ".json"}


def _verified(folder: Path, expected_checksum: str | None) -> tuple[str, list[str]]:
    """Checksum and files of a folder in which every file is as it was written."""
    manifest_path = folder / MANIFEST
    if not manifest_path.is_file():
        raise ArtefactError(f"There is no model in {folder}: {MANIFEST} is missing.")
    checksum = _sha256(manifest_path)
    if expected_checksum is not None and checksum != expected_checksum:
        raise ArtefactError(
            f"The model in {folder} is not the approved one: its checksum is {checksum[:16]}…, "
            f"not {expected_checksum[:16]}…."
        )
    manifest = _read(manifest_path)
    if manifest.get("format_version") != FORMAT_VERSION:
        raise ArtefactError(
            f"The model in {folder} has format {manifest.get('format_version')}; this version "
            f"reads format {FORMAT_VERSION}. Train it again."
        )
    files = manifest.get("files")
    if not isinstance(files, dict):
        raise ArtefactError(f"The model in {folder} is damaged: {MANIFEST} lists no files.")
    for name, digest in files.items():
        path = folder / name
        if Path(name).name != name or not path.is_file():
            raise ArtefactError(f"The model in {folder} is damaged: {name} is missing.")
        if _sha256(path) != digest:
            raise ArtefactError(f"The model in {folder} is damaged: {name} was changed.")
    return checksum, list(files)


def _parse(folder: Path, files: frozenset[str]) -> Artefact:
    features = _read(folder / "features.json")
    columns = tuple(features["columns"])
    try:
        current = schema_hash(columns)
    except KeyError as error:
        raise ArtefactError(
            f"The model in {folder} uses the column {error}, which no longer exists. "
            "Train it again."
        ) from error
    if current != features["schema_hash"]:
        raise ArtefactError(
            f"The model in {folder} was made for other features: the meaning or unit of a column "
            "it uses has changed since. Train it again."
        )
    classes = tuple(Severity(code) for code in features["classes"])
    calibration = _read(folder / "calibration.json")
    sets = _read(folder / "prediction_sets.json")["categories"]
    points = _read(folder / "thresholds.json")["categories"]
    rarity = _read(folder / "atypicality.json")
    kind = _KINDS[features["estimator"]]
    return Artefact(
        estimator=kind.load(folder, len(columns), len(classes)),
        columns=columns,
        classes=classes,
        calibration=Calibration(
            float(calibration["temperature"]),
            np.asarray([calibration["class_bias"][code] for code in classes], dtype=np.float64),
        ),
        operating_points={code: OperatingPoint(**points[code]) for code in classes},
        sets=PredictionSets(
            float(_read(folder / "prediction_sets.json")["coverage"]),
            tuple(sets[code]["limit"] for code in classes),
            tuple(sets[code]["cases"] for code in classes),
        ),
        rarity=_rarity(rarity),
        design=_read(folder / "design.json"),
        metrics=_read(folder / "metrics.json"),
        attributes=_read(folder / "attributes.json"),
        # A file that the manifest does not name was not approved.
        prototypes=_prototypes(_read(folder / PROTOTYPES)) if PROTOTYPES in files else None,
    )


def _rarity(content: Mapping[str, Any]) -> Rarity:
    return Rarity(
        tuple(content["inputs"]),
        tuple(content["centre"]),
        tuple(content["scale"]),
        tuple(tuple(row) for row in content["correlation"]),
        tuple(content["reference"]),
    )


def _prototypes(content: Mapping[str, Any]) -> Prototypes:
    heads = tuple(
        PrototypeHead(**head | {"displacement": tuple(head["displacement"])})
        for head in content["heads"]
    )
    return Prototypes(_rarity(content["space"]), heads)


def _contents(artefact: Artefact) -> dict[str, Any]:
    classes = artefact.classes
    sets, heads = artefact.sets, artefact.prototypes
    optional = (
        {}
        if heads is None
        else {
            PROTOTYPES: {
                "space": _rarity_content(heads.space),
                "heads": [asdict(head) for head in heads.heads],
            }
        }
    )
    return optional | {
        "design.json": artefact.design,
        "features.json": {
            "estimator": artefact.estimator.kind,
            "columns": list(artefact.columns),
            "classes": [code.value for code in classes],
            "schema_hash": schema_hash(artefact.columns),
        },
        "calibration.json": {
            "temperature": artefact.calibration.temperature,
            "class_bias": dict(zip(classes, artefact.calibration.class_bias.tolist(), strict=True)),
        },
        "thresholds.json": {
            "categories": {code: asdict(artefact.operating_points[code]) for code in classes}
        },
        "prediction_sets.json": {
            "coverage": sets.coverage,
            "categories": {
                code: {"limit": limit, "cases": cases}
                for code, limit, cases in zip(classes, sets.limits, sets.cases, strict=True)
            },
        },
        "atypicality.json": _rarity_content(artefact.rarity),
        "metrics.json": artefact.metrics,
        "attributes.json": artefact.attributes,
    }


def _rarity_content(rarity: Rarity) -> dict[str, Any]:
    return {
        "inputs": rarity.inputs,
        "centre": rarity.centre,
        "scale": rarity.scale,
        "correlation": rarity.correlation,
        "reference": rarity.reference,
    }


def _text(content: object) -> str:
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ArtefactError(f"The model file {path} cannot be read as JSON.") from error
    if not isinstance(content, dict):
        raise ArtefactError(f"The model file {path} does not hold what it should.")
    return content


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _flush(path: Path) -> None:
    """Make sure a file or folder survives power loss."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
