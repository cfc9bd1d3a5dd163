"""Orphadata's cross-references: which ICD-10 codes and OMIM numbers are a rare disease (C20).

Read are Orphadata's "Rare diseases and cross-referencing" (`en_product1.xml`, any language) and the
ICD-10 mapping of Orphanet's nomenclature pack (`ORPHA_ICD10_mapping_en_….xml`), which have the same
form: `JDBOR/DisorderList/Disorder`, in it `OrphaCode` and `ExternalReferenceList/
ExternalReference` with `Source`, `Reference`, `DisorderMappingRelation`. The relation's name begins
with its sign in every language: E (exact), NTBT (the disease is narrower than the code), BTNT (it
is broader), ND, W.
"""

import hashlib
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final, NoReturn
from xml.parsers import expat

from fhir_mapping.code_systems import ICD_10, ICD_10_CM, OMIM, ORPHANET
from fhir_mapping.codings import NormalCoding, normal_code
from fhir_mapping.compositions import TerminologyError

EXACT: Final = "E"
BROADER: Final = "BTNT"
RELATIONS: tuple[str, ...] = (EXACT, BROADER)
"""What may be taken. Never NTBT: of the diseases of such a code most are not rare."""

_SOURCES: Mapping[str, str] = {"ICD-10": ICD_10, "OMIM": OMIM}
_EXACT_ID = "21527"
_VALIDATED_ID = "21611"
_INACTIVE = 8192
"""Bit of a disorder's flags: obsolete, deprecated, or not rare in Europe."""
_INACTIVE_NAMES = ("obsolete:", "non rare in europe:")
_DISEASE = "36547"
"""DisorderGroup of a disease, not of a group or a subtype of diseases. Of two disorders that one
code is exactly mapped to, the disease is meant."""
_TEXTS = frozenset({"OrphaCode", "OrphaNumber", "Name", "Value", "Source", "Reference"})
_DISORDER = ("JDBOR", "DisorderList", "Disorder")
_REFERENCE = (*_DISORDER, "ExternalReferenceList", "ExternalReference")


@dataclass(frozen=True, slots=True)
class RareDiseases:
    """Codes that name a rare disease by themselves."""

    version: str
    """Date and version the file states."""
    file: str
    codes: Mapping[NormalCoding, str]
    """ICD-10 and OMIM codings → `ORPHA:…`."""
    relations: tuple[str, ...]
    left_out: Mapping[str, int]
    """Cross-references to ICD-10 and OMIM that are not used, by reason."""
    names: Mapping[str, str] = field(default_factory=dict)
    """`ORPHA:…` → name, in the language of the file."""

    def orpha_of(self, coding: NormalCoding) -> str | None:
        """The rare disease a code stands for; `None` if it is not known to stand for one.

        Orphanet maps the WHO's ICD-10. ICD-10-CM is asked with the same code, because it keeps the
        WHO's categories. Where broader diseases are taken, subdivisions of a code count too.
        """
        system, code = coding
        if code is None or system not in (ICD_10, ICD_10_CM, OMIM):
            return None
        system = OMIM if system == OMIM else ICD_10
        found = self.codes.get(NormalCoding(system, code))
        if found is not None or system == OMIM or BROADER not in self.relations:
            return found
        while len(code) > 3:
            code = code[:-1].rstrip(".")
            found = self.codes.get(NormalCoding(system, code))
            if found is not None:
                return found
        return None

    def content(self) -> str:
        """SHA-256 of what decides."""
        lines = sorted(f"{c.system} {c.code} {orpha}" for c, orpha in self.codes.items())
        return hashlib.sha256("\n".join([*sorted(self.relations), *lines]).encode()).hexdigest()


def read_orphadata(path: Path, relations: Collection[str] = (EXACT,)) -> RareDiseases:
    """Read a file of cross-references; it may have tens of MB and is never held as a whole.

    Used are references to ICD-10 and OMIM with one of `relations`, validated by Orphanet, of
    diseases that are in use and rare in Europe. Raises `TerminologyError`, which names file, line
    and element, for what is no such file, and for any declaration of an entity: entities are not
    expanded and nothing outside the file is read.
    """
    reader = _Reader(path, relations)
    try:
        with path.open("rb") as file:
            reader.read(file)
    except OSError:
        raise _error(path, "", "cannot be read") from None
    return RareDiseases(
        version=reader.version or "no version",
        file=str(path),
        codes={coding: orpha for coding, (_, _, orpha) in sorted(reader.best.items())},
        relations=tuple(sorted(relations)),
        left_out=dict(reader.left_out),
        names=reader.names,
    )


@dataclass
class _Disorder:
    """What is known of the disorder being read."""

    orpha: str | None = None
    name: str = ""
    inactive: bool = False
    rank: int = 1
    references: list[dict[str, str]] = field(default_factory=list)


class _Reader:
    """Handlers of the parser; keeps one disorder at a time."""

    def __init__(self, path: Path, relations: Collection[str]) -> None:
        self.version = ""
        self.best: dict[NormalCoding, tuple[int, int, str]] = {}
        """Of each coding the rank of the disorder, its number, and its ORPHAcode."""
        self.left_out: Counter[str] = Counter()
        self.names: dict[str, str] = {}
        self._path = path
        self._relations = relations
        self._at: list[str] = []
        self._disorder = _Disorder()
        self._disorders = 0
        self._text: list[str] | None = None
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._characters
        self._parser.EntityDeclHandler = self._entity

    def read(self, file: IO[bytes]) -> None:
        try:
            self._parser.ParseFile(file)
        except expat.ExpatError as error:
            self._refuse("", f"is no well-formed XML: {expat.ErrorString(error.code)}")
        except (LookupError, ValueError):
            self._refuse("", "is in an encoding that is not known")
        if not self._disorders:
            self._refuse("JDBOR.DisorderList", "holds no Disorder")
        if not self.best:
            self._refuse("JDBOR.DisorderList", "maps no code of ICD-10 or OMIM that can be used")

    def _refuse(self, element: str, message: str) -> NoReturn:
        line = f"{message} (line {self._parser.CurrentLineNumber})"
        raise _error(self._path, element, line)

    def _entity(self, *_: object) -> NoReturn:
        self._refuse("DOCTYPE", "declares an entity, which is not read")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._at.append(name)
        depth = len(self._at)
        if depth == 1:
            if name != "JDBOR":
                self._refuse(name, "is not JDBOR, as an Orphadata file begins")
            dates = (attributes.get(key, "") for key in ("date", "ExtractionDate", "version"))
            self.version = " ".join(part for part in dates if part)[:100]
        elif depth == len(_DISORDER) and tuple(self._at) == _DISORDER:
            self._disorder = _Disorder()
        elif depth == len(_REFERENCE) and tuple(self._at) == _REFERENCE:
            self._disorder.references.append({})
        elif name.startswith("DisorderMapping") and self._at[-2] == "ExternalReference":
            self._reference()[name] = attributes.get("id", "")
        elif name == "DisorderGroup" and depth == len(_DISORDER) + 1:
            self._disorder.rank = 0 if attributes.get("id") == _DISEASE else 1
        if name in _TEXTS:
            self._text = []

    def _characters(self, data: str) -> None:
        if self._text is not None:
            self._text.append(data)

    def _end(self, name: str) -> None:
        text = "".join(self._text or ()).strip()
        self._text = None
        above = tuple(self._at[:-1])
        if above == _DISORDER:
            if name in ("OrphaCode", "OrphaNumber"):
                self._disorder.orpha = normal_code(ORPHANET, text)
            elif name == "Name":
                self._disorder.name = text
                self._disorder.inactive |= text.lower().startswith(_INACTIVE_NAMES)
        elif name == "Value" and above[-2:] == ("DisorderFlagList", "DisorderFlag"):
            self._disorder.inactive |= text.isdecimal() and bool(int(text[:9]) & _INACTIVE)
        elif above == _REFERENCE and name in ("Source", "Reference"):
            self._reference()[name] = text
        elif above[:-1] == _REFERENCE and name == "Name":
            self._reference()[f"{above[-1]}.Name"] = text
        self._at.pop()
        if above == _DISORDER[:-1] and name == "Disorder":
            self._settle()

    def _reference(self) -> dict[str, str]:
        if not self._disorder.references:
            self._refuse(".".join(self._at), "stands outside an ExternalReference")
        return self._disorder.references[-1]

    def _settle(self) -> None:
        self._disorders += 1
        disorder = self._disorder
        if disorder.orpha is None:
            self._refuse("Disorder.OrphaCode", "is missing or no ORPHAcode")
        number = int(disorder.orpha.partition(":")[2])
        if disorder.name:
            self.names[disorder.orpha] = disorder.name
        for reference in disorder.references:
            system = _SOURCES.get(reference.get("Source", ""))
            if system is None:
                continue
            code = normal_code(system, reference.get("Reference"))
            reason = self._why_not(disorder, reference, code)
            if reason is not None:
                self.left_out[reason] += 1
                continue
            coding = NormalCoding(system, code)
            rank = (disorder.rank, number, disorder.orpha)
            self.best[coding] = min(self.best.get(coding, rank), rank)

    def _why_not(
        self, disorder: _Disorder, reference: Mapping[str, str], code: str | None
    ) -> str | None:
        relation = _relation(reference)
        if disorder.inactive:
            return "not in use or not rare"
        if relation not in self._relations:
            return f"relation {relation}"
        if not _is_validated(reference):
            return "not validated"
        return "no code of its system" if code is None else None


def _error(path: Path, element: str, message: str) -> TerminologyError:
    place = f"{element} " if element else ""
    return TerminologyError(f"{path}: {place}{message}.", element=element, fault=message)


def _relation(reference: Mapping[str, str]) -> str:
    """The sign of the relation; it is never guessed."""
    name = reference.get("DisorderMappingRelation.Name", "").replace("(", " ").split()
    if name and name[0] in ("E", "NTBT", "BTNT", "ND", "W"):
        return name[0]
    return EXACT if reference.get("DisorderMappingRelation") == _EXACT_ID else "unknown"


def _is_validated(reference: Mapping[str, str]) -> bool:
    """Whether Orphanet has checked the reference; older files do not say."""
    identifier = reference.get("DisorderMappingValidationStatus")
    name = reference.get("DisorderMappingValidationStatus.Name", "")
    if identifier:
        return identifier == _VALIDATED_ID
    return not name or name.lower().startswith("validated")
