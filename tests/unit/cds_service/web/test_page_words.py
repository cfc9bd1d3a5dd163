"""Every page says the same in both languages; whatever is looked for has words."""

import re
import string
from importlib import import_module
from pathlib import Path

import pytest

import cds_service.web
from cds_service.security.permissions import Role
from cds_service.web.admin_page import admin_words
from cds_service.web.navigation import ENTRIES, SECTIONS
from cds_service.web.words import LAYOUT
from hooks.wording import LANGUAGES

WEB = Path(cds_service.web.__file__).parent
TABLES = sorted(path.name.removesuffix("_en.py") for path in WEB.glob("*_en.py"))


def gaps(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("table", TABLES)
def test_both_languages_have_the_same_words_and_gaps(table: str) -> None:
    english = import_module(f"cds_service.web.{table}_en").ENGLISH
    spanish = import_module(f"cds_service.web.{table}_es").SPANISH
    assert set(english) == set(spanish)
    for key, text in english.items():
        assert gaps(text) == gaps(spanish[key]), key
        assert text.strip(), key
        assert spanish[key].strip(), key
    # What was forgotten shows as English in the Spanish table.
    # Units are written alike.
    told = {key: re.sub(r"\{\w+\}|\b(min|s|h)\b", "", text) for key, text in english.items()}
    same = [key for key, text in told.items() if english[key] == spanish[key] and text.split()]
    same = [key for key in same if len(english[key].split()) > 3]
    assert same == []


@pytest.mark.parametrize("table", [name for name in TABLES if name != "layout"])
def test_no_page_says_otherwise_what_all_pages_say(table: str) -> None:
    assert set(import_module(f"cds_service.web.{table}_en").ENGLISH) & set(LAYOUT["en"]) == set()


def test_there_are_tables_to_compare() -> None:
    assert {"layout", "model_card"} <= set(TABLES)
    assert sorted(path.name.removesuffix("_es.py") for path in WEB.glob("*_es.py")) == TABLES


def test_pages_and_roles_have_names() -> None:
    needed = {entry.words for entry in ENTRIES} | {f"role.{role}" for role in Role}
    for language in LANGUAGES:
        assert needed <= set(LAYOUT[language])
        assert {entry.words for entry in SECTIONS} <= set(admin_words({}, {})[language])
