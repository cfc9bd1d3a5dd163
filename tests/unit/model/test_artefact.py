"""The artefact folder: written whole, checked on loading, loadable after features are added."""

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from model import features
from model.artefact import load, write
from model.errors import ArtefactError
from model.features import MODEL_COLUMNS, FeatureRow, ModelColumn
from model.scorer import Scorer
from tests.support.artefacts import KEPT, small_model

KEPT_CHECKSUM = "15a717ff86fd7e3d7d42bb97c716d449adf93779759ffbfb13954c14d7428da4"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_model(tmp_path_factory.mktemp("models")).path


@pytest.fixture
def copy(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "copy"))


def test_checksum_is_that_of_the_manifest_and_names_the_folder(trained: Path) -> None:
    _, checksum = load(trained)
    assert checksum == hashlib.sha256((trained / "manifest.json").read_bytes()).hexdigest()
    assert trained.name == f"severity-{checksum[:16]}"


def test_everything_but_the_trees_is_readable_json(trained: Path) -> None:
    names = {path.name for path in trained.iterdir()}
    assert names == {
        *("attributes.json", "atypicality.json", "calibration.json", "design.json"),
        *("features.json", "logistic.json", "manifest.json", "metrics.json"),
        *("prediction_sets.json", "thresholds.json"),
    }
    for name in names:
        assert isinstance(json.loads((trained / name).read_text("utf-8")), dict)


def test_writing_the_same_model_again_changes_nothing(trained: Path, tmp_path: Path) -> None:
    artefact, checksum = load(trained)
    first = write(artefact, tmp_path)
    assert write(artefact, tmp_path) == first
    assert first[1] == checksum
    assert [path.name for path in tmp_path.iterdir()] == [first[0].name]


def test_a_failed_write_leaves_nothing(trained: Path, tmp_path: Path) -> None:
    artefact, _ = load(trained)
    with pytest.raises(ValueError, match="JSON compliant"):
        write(replace(artefact, metrics={"log_loss": float("nan")}), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match="There is no model in"):
        load(tmp_path / "none")


def test_another_model_than_the_approved_one_is_refused(trained: Path) -> None:
    with pytest.raises(ArtefactError, match="not the approved one"):
        load(trained, "0" * 64)


@pytest.mark.parametrize("name", ["logistic.json", "thresholds.json", "calibration.json"])
def test_a_changed_file_is_refused(copy: Path, name: str) -> None:
    (copy / name).write_text((copy / name).read_text("utf-8").replace("0.", "1.", 1), "utf-8")
    with pytest.raises(ArtefactError, match=f"{name} was changed"):
        load(copy)


def test_a_lost_file_is_refused(copy: Path) -> None:
    (copy / "atypicality.json").unlink()
    with pytest.raises(ArtefactError, match=r"atypicality\.json is missing"):
        load(copy)


def _rewrite(folder: Path, name: str, content: object) -> None:
    """Change a file and the manifest with it, as another program would have written them."""
    text = json.dumps(content)
    (folder / name).write_text(text, "utf-8")
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    if name != "manifest.json":
        manifest["files"][name] = hashlib.sha256(text.encode()).hexdigest()
        (folder / "manifest.json").write_text(json.dumps(manifest), "utf-8")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("manifest.json", {"format_version": 99}, "has format 99"),
        ("manifest.json", {"format_version": 1}, "lists no files"),
        ("manifest.json", {"format_version": 1, "files": {"../x": "0"}}, "../x is missing"),
        ("manifest.json", [], "does not hold what it should"),
        ("calibration.json", {"temperature": 1.0}, "cannot be read"),
        ("thresholds.json", {"categories": {}}, "cannot be read"),
        ("logistic.json", {}, "cannot be read"),
        ("attributes.json", {"simulated": True}, "attributes.json"),
    ],
)
def test_content_of_another_program_is_refused(
    copy: Path, name: str, content: object, message: str
) -> None:
    _rewrite(copy, name, content)
    with pytest.raises(ArtefactError, match=message):
        Scorer.load(copy, version="1")


def test_what_is_not_json_is_refused(copy: Path) -> None:
    (copy / "manifest.json").write_bytes(b"\xff\x00")
    with pytest.raises(ArtefactError, match="cannot be read as JSON"):
        load(copy)


ROW = FeatureRow(age=61, heart_rate=118, body_temperature=38.4, systolic_bp=94, diastolic_bp=58)


EXPECTED = {
    "not-ill": 0.0624,
    "mild": 0.2126,
    "acute": 0.6664,
    "chronic": 0.0464,
    "terminal": 0.0122,
}


def test_a_model_kept_from_an_earlier_version_answers_as_it_did() -> None:
    scorer = Scorer.load(KEPT, version="7", expected_checksum=KEPT_CHECKSUM)
    found = scorer.assess(ROW)
    assert {code.value: round(p, 4) for code, p in found.probabilities.items()} == EXPECTED
    assert found.category == "acute"


def test_a_new_optional_feature_leaves_old_models_loadable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    used = set(json.loads((KEPT / "features.json").read_text("utf-8"))["columns"])
    assert not used & {"respiratory_rate", "oxygen_saturation", "is_female"}
    added = ModelColumn("pack_years", ("pack_years",), ("age",))
    monkeypatch.setattr(features, "MODEL_COLUMNS", (added, *MODEL_COLUMNS))
    assert load(KEPT)[1] == KEPT_CHECKSUM


def test_a_changed_meaning_of_a_used_column_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    changed = tuple(
        replace(column, rule="systolic/heart rate") if column.name == "shock_index" else column
        for column in MODEL_COLUMNS
    )
    monkeypatch.setattr(features, "MODEL_COLUMNS", changed)
    with pytest.raises(ArtefactError, match="made for other features"):
        load(KEPT)


def test_a_removed_column_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = tuple(column for column in MODEL_COLUMNS if column.name != "shock_index")
    monkeypatch.setattr(features, "MODEL_COLUMNS", kept)
    with pytest.raises(ArtefactError, match=r"shock_index.*no longer exists"):
        load(KEPT)
