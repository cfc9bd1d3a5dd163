"""What the documentation promises is there, and what is there is documented."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer import Typer
from typer.main import get_command

from cds_service.cli.app import app
from cds_service.settings import Settings
from cds_service.storage.tables import ASSESSMENTS
from fhir_mapping.readings import MissingReason
from hooks.wording import SENTENCES, Language
from model.features import FEATURES
from model.training.cleaning_report import REASONS
from model.training.history import HISTORY_COLUMNS

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text("utf-8")
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FEWEST_LETTERS = 5
"""Of a sentence's own text; shorter ones ("{value}/min") would match nearly everything."""


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text("utf-8")


def commands(root: Typer) -> Iterator[tuple[str, str]]:
    """Every command as it is typed, and the first sentence of its help."""
    for name, command in get_command(root).commands.items():  # type: ignore[attr-defined]  # a group
        below = getattr(command, "commands", None) or {"": command}
        for sub, one in below.items():
            yield f"cds-service {name} {sub}".strip(), one.get_short_help_str(limit=200)


def test_every_setting_is_documented_as_it_describes_itself() -> None:
    settings = page("settings.md")
    for name, field in Settings.model_fields.items():
        assert f"| `CDS_{name.upper()}` |" in settings
        assert f"| {field.description} |" in settings
    documented = set(re.findall(r"^\| `(CDS_[A-Z0-9_]+)` \|", settings, re.MULTILINE))
    assert documented == {f"CDS_{name.upper()}" for name in Settings.model_fields}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_no_page_names_a_setting_that_is_none(path: Path) -> None:
    known = {f"CDS_{name.upper()}" for name in Settings.model_fields}
    assert set(re.findall(r"\bCDS_[A-Z0-9_]+", path.read_text("utf-8"))) <= known


def test_every_feature_is_documented_with_its_unit_and_limits() -> None:
    for feature in FEATURES:
        need = "core" if feature.core else "optional"
        limits = " | ".join(
            f"{low:g} to {high:g}" for low, high in (feature.possible, feature.usual)
        )
        assert f"| `{feature.name}` | {feature.unit} | {need} | {limits} |" in README


def test_every_command_is_in_the_readme_as_it_describes_itself() -> None:
    for typed, sentence in commands(app):
        assert f"| `{typed}` | {sentence} |" in README, typed


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_command_on_a_page_exists(path: Path) -> None:
    known = {typed for typed, _ in commands(app)}
    for typed in re.findall(r"cds-service(?: [a-z][a-z0-9]*)+", path.read_text("utf-8")):
        words = typed.split()
        found = {" ".join(words[:2]), " ".join(words[:3])} & known
        prose = words[1] not in {name.split()[1] for name in known}
        assert found or prose, f"{path.name}: {typed}"


def test_every_package_and_test_folder_is_in_the_readme() -> None:
    packages = [path.parent.name for path in ROOT.glob("*/__init__.py")]
    for name in set(packages) - {"tests", "benchmarks"}:
        assert f"| `{name}` |" in README
    for path in (ROOT / "tests").iterdir():
        if (path.is_dir() and path.name != "__pycache__") or path.match("test_*.py"):
            assert f"`tests/{path.name}`" in README


def test_every_make_target_is_in_the_readme() -> None:
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    assert targets
    for target in targets:
        assert f"make {target}" in README


def test_every_reason_for_a_missing_value_is_explained() -> None:
    for reason in MissingReason:
        assert f"| `{reason.value}` |" in page("integrators.md")


def test_every_column_of_history_is_documented_with_its_unit() -> None:
    data = page("data.md")
    listed = "\n".join(re.findall(r"^\|(.*?)\|", data, re.MULTILINE))
    for column in HISTORY_COLUMNS:
        assert f"`{column}`" in listed
    for feature in FEATURES:
        assert f"| `{feature.name}` | {feature.unit} |" in data


def test_every_reason_of_cleaning_is_documented_in_the_words_of_the_report() -> None:
    for reason, words in REASONS.items():
        assert f"| `{reason}` | {words} |" in page("data.md")


def test_every_table_of_the_database_is_documented() -> None:
    for name in ASSESSMENTS.metadata.tables:
        assert f"| `{name}` |" in page("architecture.md")


def test_every_decision_is_listed() -> None:
    for path in (ROOT / "docs" / "decisions").glob("*.md"):
        title = path.read_text("utf-8").splitlines()[0].removeprefix("# ")
        assert f"[{title}](decisions/{path.name})" in page("architecture.md")


def card_sentences(language: Language) -> list[str]:
    """What clinicians.md says a card says: the quoted first cells of its tables."""
    quotes = {"en": r'"([^"|]+)"', "es": r"«([^»|]+)»"}[language]
    found = re.findall(rf"^\| {quotes} \|", page("clinicians.md"), re.MULTILINE)
    assert len(found) >= 10
    return [str(sentence) for sentence in found]


def pattern(sentence: str) -> re.Pattern[str]:
    """A sentence of the wording table with anything in its gaps."""
    return re.compile(re.sub(r"\\{\w+\\}", ".+", re.escape(sentence)), re.IGNORECASE)


@pytest.mark.parametrize("language", ["en", "es"])
def test_card_sentences_for_clinicians_are_those_of_the_card(language: Language) -> None:
    known = SENTENCES[language].values()
    whole = [
        pattern(sentence)
        for sentence in known
        if sum(map(str.isalpha, re.sub(r"{\w+}", "", sentence))) >= FEWEST_LETTERS
    ]
    # In brackets stand short phrases: "10 min ago", "too old", "red at 90 or below".
    parts = [pattern(sentence) for sentence in known if re.sub(r"{\w+}", "", sentence).strip()]
    for sentence in card_sentences(language):
        assert any(one.fullmatch(sentence) for one in whole), sentence
        for inside in re.findall(r"\(([^)]*[a-z]{3}[^)]*)\)", sentence):
            for part in inside.split("; "):
                if not re.fullmatch(r"\d (?:of|de) 7", part):
                    assert any(one.fullmatch(part) for one in parts), f"{sentence}: {part}"


def test_both_languages_tell_clinicians_the_same() -> None:
    english, spanish = card_sentences("en"), card_sentences("es")
    assert len(english) == len(spanish)
    for one, other in zip(english, spanish, strict=True):
        keys = [
            {
                key
                for key, sentence in SENTENCES[language].items()
                if pattern(sentence).fullmatch(said)
            }
            for language, said in (("en", one), ("es", other))
        ]
        assert keys[0] & keys[1], f"{one} / {other}"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_links_between_pages_lead_somewhere(path: Path) -> None:
    text = path.read_text("utf-8")
    for target, anchor in re.findall(r"\]\(([^)#]*)(?:#([^)]*))?\)", text):
        if target.startswith(("http://", "https://")):
            continue
        other = path if not target else path.parent / target
        assert other.exists(), f"{path.name} → {target}"
        if anchor:
            assert anchor in anchors(other), f"{path.name} → {target}#{anchor}"


def anchors(path: Path) -> set[str]:
    """Anchors of the headings of a page, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)", path.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
