"""HL7 v2 messages taken apart: bytes, character sets, segments, fields and acknowledgements.

See HL7 v2.5.1, chapter 2 (control). Segments and fields are split by the package `hl7`; its
`unescape` is not used, because it writes what it cannot read into a log. What diagnoses say is
read by `fhir_mapping.hl7v2_diagnoses`.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from typing import Any, Final

import hl7

from fhir_mapping.errors import MappingError

START_BLOCK: Final = b"\x0b"
END_BLOCK: Final = b"\x1c"
"""MLLP (HL7 v2, transport: MLLP release 1): a block is SB, data, EB, CR."""
MAX_MESSAGE: Final = 5_000_000
"""Bytes of one message. Diagnoses need thousands; the rest are documents some systems embed."""

_BREAKS = re.compile(rb"[\r\n\x0b\x1c]+")
_ENVELOPE = (b"FHS", b"BHS", b"BTS", b"FTS")
_MARK = r"[!-/:-@\[-`{-~]"
"""Punctuation of ASCII: an answer is in ASCII, with the separators of its message."""
# A field separator, then two to five encoding characters (MSH-1, MSH-2).
# MSH-2 ends at the first field separator, also where the fields after it are empty.
_HEADER = re.compile(
    rf"MSH(?P<field>{_MARK})(?P<encoding>(?:(?!(?P=field)){_MARK}){{2,5}})(?P=field)"
)
_NO_ENCODING = re.compile(rf"MSH({_MARK})\1")
_PRINTABLE = re.compile(r"[ -~]{1,199}")
_HEX = re.compile(r"X(?:[0-9A-Fa-f]{2})+")
_TIME = re.compile(
    r"(?P<year>\d{4})(?:(?P<month>\d\d)(?:(?P<day>\d\d)"
    r"(?:(?P<hour>\d\d)(?:(?P<minute>\d\d)(?:(?P<second>\d\d)(?:\.\d{1,4})?)?)?)?)?)?"
    r"(?P<offset>[+-]\d{4})?"
)
_WRITTEN = re.compile(r"[^+]{19}[+-]\d\d:\d\d")
_OFFSET = re.compile(r"[+-](?:0\d|1[0-4])[0-5]\d")
_NULL = '""'
"""A field that is deleted (chapter 2, "null value")."""

_CHARACTER_SETS: dict[str, str] = {
    "": "utf-8",
    "ASCII": "ascii",
    "UNICODE": "utf-8",
    "UNICODE UTF-8": "utf-8",
    "UTF-8": "utf-8",
    "UTF8": "utf-8",
    **{f"8859/{part}": f"iso8859-{part}" for part in (1, 2, 3, 4, 5, 6, 7, 8, 9, 15)},
    "WINDOWS-1252": "cp1252",
}
"""MSH-18, HL7 table 0211, with spellings that are met."""


Components = list[list[str]]
"""Components of a repetition, each with its subcomponents."""


class HL7Error(MappingError):
    """A message that cannot be read; `element` is the field, the words hold nothing of it."""


class Segment:
    """One segment; fields are asked for by number, as the standard counts them."""

    def __init__(self, fields: Sequence[str], separators: "Separators") -> None:
        self._fields = fields
        self._separators = separators

    @property
    def name(self) -> str:
        """Such as `PID`."""
        return self._fields[0]

    def repetitions(self, field: int) -> list[Components]:
        """Each repetition of a field, unescaped; a null or absent field has none."""
        raw = self._fields[field] if field < len(self._fields) else ""
        if not raw or raw == _NULL:
            return []
        marks = self._separators
        return [
            [marks.subcomponents(component) for component in one.split(marks.component)]
            for one in raw.split(marks.repetition)
        ]

    def value(self, field: int, component: int = 1) -> str:
        """One component of the first repetition; empty if it is not there."""
        repetitions = self.repetitions(field)
        return part(repetitions[0], component) if repetitions else ""


@dataclass(frozen=True, slots=True)
class Separators:
    """The characters a message chose (MSH-1 and MSH-2)."""

    field: str
    component: str
    repetition: str
    escape: str
    subcomponent: str

    @property
    def encoding(self) -> str:
        """MSH-2."""
        return self.component + self.repetition + self.escape + self.subcomponent

    def subcomponents(self, component: str) -> list[str]:
        """The unescaped subcomponents of a component."""
        if component == _NULL:
            return [""]
        pieces = component.split(self.subcomponent) if self.subcomponent else [component]
        return [self.text(piece) for piece in pieces]

    def text(self, raw: str) -> str:
        """Unescape (chapter 2, "use of escape sequences in text fields").

        Formatting and unknown sequences are left out; they say nothing here.
        """
        if not self.escape or self.escape not in raw:
            return raw
        pieces = raw.split(self.escape)
        # Every second piece stands between two escape characters; a last one alone is no sequence.
        return "".join(
            self._sequence(piece) if index % 2 and index < len(pieces) - 1 else piece
            for index, piece in enumerate(pieces)
        )

    def _sequence(self, name: str) -> str:
        if _HEX.fullmatch(name):
            return bytes.fromhex(name[1:]).decode("latin-1")
        return {
            "F": self.field,
            "S": self.component,
            "T": self.subcomponent,
            "R": self.repetition,
            "E": self.escape,
        }.get(name, "")


def part(components: Components, number: int, subcomponent: int = 1) -> str:
    """A subcomponent by the numbers of the standard, stripped; empty if it is not there."""
    if number > len(components) or subcomponent > len(components[number - 1]):
        return ""
    return components[number - 1][subcomponent - 1].strip()


@dataclass(frozen=True, slots=True)
class Message:
    """A message with its header."""

    separators: Separators
    segments: tuple[Segment, ...]

    @property
    def header(self) -> Segment:
        """MSH."""
        return self.segments[0]

    @property
    def kind(self) -> str:
        """Message code, `ADT` (MSH-9.1)."""
        return self.header.value(9).upper()

    @property
    def event(self) -> str:
        """Trigger event, `A01` (MSH-9.2)."""
        return self.header.value(9, 2).upper()

    def all(self, name: str) -> list[Segment]:
        """Segments of one name."""
        return [segment for segment in self.segments if segment.name == name]

    def first(self, name: str) -> Segment | None:
        """The first segment of one name."""
        return next((segment for segment in self.segments if segment.name == name), None)


def split_messages(chunks: Iterable[bytes], limit: int = MAX_MESSAGE) -> Iterator[bytes]:
    """The messages of a file, segments ended by CR, without batch and MLLP envelopes.

    Lines may end in CR, LF or both, and the file may begin with a byte order mark. What stands
    before the first MSH comes out as it is, for the reader to refuse; so does a message over
    `limit` bytes, cut just above it.
    """
    lines: list[bytes] = []
    size = 0
    for line in _lines(chunks, limit):
        name = line[:3]
        if name in _ENVELOPE or name == b"MSH":
            if lines:
                yield b"\r".join(lines)
            lines, size = [], 0
            if name != b"MSH":
                continue
        if size <= limit:
            lines.append(line)
            size += len(line) + 1
    if lines:
        yield b"\r".join(lines)


def _lines(chunks: Iterable[bytes], limit: int) -> Iterator[bytes]:
    rest, first = b"", True
    for chunk in chunks:
        if first:
            chunk, first = chunk.removeprefix(b"\xef\xbb\xbf"), False  # its mark
        # A line without end would be copied with every chunk: what is over the limit is refused
        # whatever follows.
        *whole, rest = _BREAKS.split(rest + chunk if len(rest) <= limit else rest)
        yield from (line for line in whole if line.strip())
    if rest.strip():
        yield rest


def read_message(data: bytes) -> Message:
    """Take one message apart. Raises `HL7Error`, and nothing else, whatever `data` holds."""
    if len(data) > MAX_MESSAGE:
        raise HL7Error(f"the message is longer than {MAX_MESSAGE} bytes", element="MSH")
    data = data.strip(b"\r\n \t\x00")
    separators = _separators(data)
    text = _decoded(data, separators.field)
    text = text.replace("\r\n", "\r").replace("\n", "\r")
    if "\rMSH" + separators.field in text:
        raise HL7Error("there is more than one message", element="MSH")
    try:
        parsed = hl7.parse(text)
        segments = tuple(_segments(parsed, separators))
    except Exception:  # The package raises what its indexing raises; the text may quote a value.
        raise HL7Error("the message cannot be taken apart", element="MSH") from None
    return Message(separators, segments)


def _segments(parsed: Any, separators: Separators) -> Iterator[Segment]:
    for segment in parsed:
        fields = [str(field) for field in segment]
        if fields and fields[0].strip():
            yield Segment([fields[0].strip().upper(), *fields[1:]], separators)


def _separators(data: bytes) -> Separators:
    start = data[:10].decode("latin-1")
    match = _HEADER.match(start)
    if _NO_ENCODING.match(start):
        raise HL7Error("two separators are the same character", element="MSH-2")
    if match is None:
        raise HL7Error("the message does not begin with MSH and its separators", element="MSH")
    # The fifth is the truncation character of version 2.7, which means nothing here.
    chosen = match["encoding"][:4]
    marks = match["field"] + chosen
    if len(set(marks)) != len(marks) or '"' in marks:
        raise HL7Error("two separators are the same character", element="MSH-2")
    return Separators(match["field"], *(chosen[i : i + 1] for i in range(4)))


def _decoded(data: bytes, separator: str) -> str:
    header = data.split(b"\r", 1)[0].split(b"\n", 1)[0].decode("latin-1").split(separator)
    declared = header[17] if len(header) > 17 else ""
    name = re.split(r"[~^]", declared)[0].strip().upper()
    encoding = _CHARACTER_SETS.get(name)
    if encoding is None:
        raise HL7Error("a character set this service does not read", element="MSH-18")
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        if name:
            raise HL7Error("the message is not in the set it names", element="MSH-18") from None
        # Undeclared and not UTF-8: old systems mean a superset of ASCII, and ids are ASCII.
        return data.decode("latin-1")


def fhir_time(text: str, default: tzinfo | None) -> str | None:
    """An HL7 time as a FHIR dateTime; `None` if it is none.

    Without an offset the time is in `default`; where that is not known either only the day is
    kept, since a zone that is guessed could move it by half a day. A month or a year stay so.
    """
    match = _TIME.fullmatch(text.strip())
    if match is None:
        return None
    at = match.groupdict()
    given = "-".join(p for p in (at["year"], at["month"], at["day"]) if p)
    try:
        date(int(at["year"]), int(at["month"] or 1), int(at["day"] or 1))
        if at["hour"] is None:
            return given
        moment = datetime.fromisoformat(
            f"{given}T{at['hour']}:{at['minute'] or '00'}:{at['second'] or '00'}"
        )
        zone = offset_of(text) or default
        if zone is None:
            return given
        written = moment.replace(tzinfo=zone).isoformat()
        # Offsets of the nineteenth century have seconds, which FHIR has no place for.
        return written if _WRITTEN.fullmatch(written) else given
    except (ValueError, OverflowError):
        return None


def offset_of(text: str) -> tzinfo | None:
    """The offset an HL7 time states; `None` if it states none."""
    match = _TIME.fullmatch(text.strip())
    offset = match["offset"] if match else None
    if offset is None or not _OFFSET.fullmatch(offset):
        return None
    return datetime.strptime(offset, "%z").tzinfo


def acknowledgement(data: bytes, code: str, text: str, *, at: datetime, control_id: str) -> bytes:
    """The ACK to a message, in original mode (chapter 2, "message acknowledgment").

    `code` is AA, AE or AR; `text`, up to 80 characters, must hold nothing of the message. `data`
    need not be readable: what is of its header is sent back.
    """
    fields, marks = _raw_header(data)
    sep, encoding = (marks.field, marks.encoding) if marks else ("|", "^~\\&")

    def sent(number: int, form: re.Pattern[str] = _PRINTABLE) -> str:
        value = fields[number - 1] if number <= len(fields) else ""
        return value if form.fullmatch(value) else ""

    event = sent(9).split(marks.component if marks else "^")
    kind = (marks.component if marks else "^").join(["ACK", event[1] if len(event) > 1 else ""])
    header = sep.join(
        [
            "MSH",
            encoding,
            sent(5),
            sent(6),
            sent(3),
            sent(4),
            at.strftime("%Y%m%d%H%M%S%z"),
            "",
            kind.rstrip("^"),
            control_id,
            sent(11) or "P",
            sent(12) or "2.5",
        ]
    )
    plain = "".join(c for c in text[:80] if c not in sep + encoding and c.isprintable())
    return f"{header}\rMSA{sep}{code}{sep}{sent(10)}{sep}{plain}\r".encode("ascii", "replace")


def control_id_of(data: bytes) -> str:
    """MSH-10 as it was sent; empty if there is none or it is not printable ASCII."""
    fields, _ = _raw_header(data)
    value = fields[9] if len(fields) > 9 else ""
    return value if _PRINTABLE.fullmatch(value) else ""


def _raw_header(data: bytes) -> tuple[list[str], Separators | None]:
    """The fields of MSH, numbered so that `fields[n - 1]` is MSH-n."""
    data = data.strip(b"\r\n \t\x00")
    try:
        marks = _separators(data)
    except HL7Error:
        return [], None
    line = re.split(rb"[\r\n]", data[:MAX_MESSAGE], maxsplit=1)[0].decode("latin-1")
    return line.split(marks.field), marks
