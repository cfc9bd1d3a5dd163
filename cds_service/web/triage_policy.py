"""The data-use policy of the triage page: its versions, and the texts of the current one."""

from collections.abc import Mapping
from typing import Final

from cds_service.web import triage_en, triage_es
from hooks.wording import Language

VERSION: Final = "1"
"""Goes up with any change of the texts: then everybody is asked again."""
DATE: Final = "2026-11-29"
TEXTS: Mapping[Language, tuple[tuple[str, tuple[str, ...]], ...]] = {
    "en": triage_en.POLICY,
    "es": triage_es.POLICY,
}
"""Heading and paragraphs of each section."""
