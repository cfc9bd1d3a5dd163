"""Delimited text of unknown make into a table of text cells.

Encoding and separator are found from the file itself. `csv.Sniffer` guesses from letter
frequencies and mistakes decimal commas for separators, so the header decides here: the right
separator is the one that makes column names appear that are known.
"""

import codecs
import csv
import gzip
import io
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from model.errors import HistoryError

SEPARATORS = (",", ";", "\t", "|", " ")
_SAMPLE_CHARACTERS = 262_144
_ROWS_AT_ONCE = 50_000
_NOT_TEXT = {
    b"PK\x03\x04": "an Excel workbook or a zip archive: save the sheet as CSV",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook: save the sheet as CSV",
    b"PAR1": "Parquet: its name must end in .parquet",
    b"%PDF": "a PDF",
}


@dataclass(frozen=True, slots=True)
class TextTable:
    """The cells of a delimited file, stripped of surrounding space."""

    header: tuple[str, ...]
    cells: pd.DataFrame
    """Text columns numbered 0 to len(header) - 1; an empty cell is ''. Blank lines are skipped."""
    too_long: NDArray[np.bool_]
    """Rows with more filled cells than the header has names."""
    encoding: str
    separator: str


def read_delimited(path: Path, known: Callable[[str], bool]) -> TextTable:
    """Read a text file, gzip-compressed or not, in UTF-8, UTF-16 (with BOM) or Latin-1.

    `known` tells whether a header cell names a column somebody expects. Rows shorter than the
    header are filled with empty cells (spreadsheets drop trailing ones). Raises `HistoryError`
    if the file is empty, binary, damaged, or has no header.
    """
    try:
        encoding = _encoding(path)
        separator = _separator(path, encoding, known)
        with _text(path, encoding) as stream:
            reader = _reader(stream, separator)
            header = tuple(cell.strip() for cell in next(reader, ()))
            if not header:
                raise HistoryError(f"{path.name} is empty.")
            if _is_data(header) and not any(map(known, header)):
                raise HistoryError(
                    f"{path.name} has no header: its first line holds values, not column names."
                )
            frames, too_long = [], []
            while rows := list(islice(reader, _ROWS_AT_ONCE)):
                if any(_swallowed(row, separator, len(header)) for row in rows):
                    raise HistoryError(
                        f"{path.name} has a cell that runs over whole rows: "
                        "is a quotation mark left open?"
                    )
                frame, long_rows = _frame(rows, len(header))
                frames.append(frame)
                too_long.append(long_rows)
    except csv.Error as error:
        raise HistoryError(
            f"{path.name} cannot be split into cells ({error}): is a quotation mark left open?"
        ) from error
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise HistoryError(f"{path.name} is damaged: it cannot be decompressed.") from error
    except OSError as error:
        raise HistoryError(f"{path.name} cannot be opened ({error.strerror}).") from error
    except UnicodeDecodeError as error:
        raise HistoryError(f"{path.name} is not text in one encoding.") from error
    if not frames:
        raise HistoryError(f"{path.name} has a header and no rows.")
    return TextTable(
        header,
        pd.concat(frames, ignore_index=True),
        np.concatenate(too_long),
        {"utf-8-sig": "utf-8"}.get(encoding, encoding),
        separator,
    )


def _binary(path: Path) -> BinaryIO:
    """The bytes of the file, decompressed if they are gzip, whatever the file is called."""
    with path.open("rb") as file:
        compressed = file.read(2) == b"\x1f\x8b"
    return cast(BinaryIO, gzip.open(path, "rb")) if compressed else path.open("rb")


def _text(path: Path, encoding: str) -> io.TextIOWrapper:
    """The file as text, line ends left to the csv module as it asks for."""
    return io.TextIOWrapper(_binary(path), encoding=encoding, newline="")


def _reader(stream: io.TextIOBase, separator: str) -> Iterator[list[str]]:
    """Rows of cells; blank lines are left out. A space separates however often it is repeated."""
    rows = csv.reader(stream, delimiter=separator, skipinitialspace=True)
    return (row for row in rows if row and not (len(row) == 1 and not row[0].strip()))


def _encoding(path: Path) -> str:
    """The encoding of the whole file; Latin-1 when it is not UTF-8."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    utf8 = True
    with _binary(path) as file:
        block = file.read(1 << 20)
        if not block.strip(b" \t\r\n\xef\xbb\xbf"):
            raise HistoryError(f"{path.name} is empty.")
        for magic, what in _NOT_TEXT.items():
            if block.startswith(magic):
                raise HistoryError(f"{path.name} is not delimited text but {what}.")
        if block.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return "utf-16"
        while block:
            if b"\0" in block:
                raise HistoryError(f"{path.name} is a binary file, not delimited text.")
            if utf8:
                try:
                    decoder.decode(block)
                except UnicodeDecodeError:
                    utf8 = False
            block = file.read(1 << 20)
    try:
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        utf8 = False
    return "utf-8-sig" if utf8 else "latin-1"


def _separator(path: Path, encoding: str, known: Callable[[str], bool]) -> str:
    """The separator under which most cells of the header are known, then the one with most."""
    with _text(path, encoding) as stream:
        sample = stream.read(_SAMPLE_CHARACTERS)
    best, best_score = SEPARATORS[0], (0, 1)
    for separator in SEPARATORS:
        try:
            header = next(_reader(io.StringIO(sample, newline=""), separator), [])
        except csv.Error:
            continue
        score = (sum(known(cell) for cell in header), len(header))
        if score > best_score:
            best, best_score = separator, score
    return best


def _is_data(header: tuple[str, ...]) -> bool:
    """Whether a first line looks like a row of values: a name is never a bare number."""
    return any(cell.replace(",", ".").replace(".", "", 1).lstrip("+-").isdigit() for cell in header)


def _swallowed(row: list[str], separator: str, width: int) -> bool:
    """Whether a cell holds a line with as many separators as a row: a quotation mark is open."""
    return any(
        line.count(separator) >= width - 1
        for cell in row
        if "\n" in cell
        for line in cell.splitlines()[1:]
    )


def _frame(rows: list[list[str]], width: int) -> tuple[pd.DataFrame, NDArray[np.bool_]]:
    """Rows as a frame of `width` text columns, and which rows had too many filled cells."""
    too_long = np.zeros(len(rows), dtype=np.bool_)
    for number, row in enumerate(rows):
        if len(row) > width:
            too_long[number] = any(cell.strip() for cell in row[width:])
            del row[width:]
        elif len(row) < width:
            row.extend([""] * (width - len(row)))
    columns = {k: [row[k].strip() for row in rows] for k in range(width)}
    return pd.DataFrame(columns, dtype="str"), too_long
