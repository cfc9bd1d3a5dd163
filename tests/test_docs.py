"""What the documentation promises is there, and what is there is documented."""

import re
from pathlib import Path

import pytest
from typer.main import get_command

from cds_service.cli.app import app
from cds_service.settings import Settings
from fhir_mapping.readings import MissingReason
from model.features import FEATURES

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text("utf-8")
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def test_every_setting_is_documented_as_it_describes_itself() -> None:
    page = (ROOT / "docs" / "settings.md").read_text("utf-8")
    for name, field in Settings.model_fields.items():
        assert f"| `CDS_{name.upper()}` |" in page
        assert f"| {field.description} |" in page
    documented = set(re.findall(r"^\| `(CDS_[A-Z_]+)` \|", page, re.MULTILINE))
    assert documented == {f"CDS_{name.upper()}" for name in Settings.model_fields}


def test_every_feature_is_documented_with_its_unit() -> None:
    for feature in FEATURES:
        assert f"| `{feature.name}` | {feature.unit} |" in README


def test_every_command_is_in_the_readme() -> None:
    root = get_command(app)
    for name, command in root.commands.items():  # type: ignore[attr-defined]  # a group
        for words in [f"{name} {sub}" for sub in getattr(command, "commands", {})] or [name]:
            assert f"cds-service {words}" in README, words


def test_every_reason_for_a_missing_value_is_explained() -> None:
    page = (ROOT / "docs" / "integrators.md").read_text("utf-8")
    for reason in MissingReason:
        assert f"| `{reason.value}` |" in page


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#][^)]*?)(?:#[^)]*)?\)", page.read_text("utf-8")):
        if not target.startswith(("http://", "https://")):
            assert (page.parent / target).exists(), f"{page.name} → {target}"
