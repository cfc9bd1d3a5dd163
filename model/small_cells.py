"""Counts that may be shown to everybody: small ones are left out, and so is what gives them away.

A count of a few people can point at one of them. Publishers of health counts hide those under 8
(NHS England, disclosure control for HES) to under 11 (US CMS, cell size suppression policy); ten
lies between them.
"""

from collections.abc import Mapping, Sequence

SMALLEST_SHOWN = 10
"""Rows or patients a shown count stands for, unless it is 0."""


def shown(count: int | None) -> int | None:
    """The count, or `None` where it is small or not known; 0 is no person and is shown."""
    if count is None or 0 < count < SMALLEST_SHOWN:
        return None
    return count


def shown_table(
    rows: Sequence[str], columns: Sequence[str], counts: Mapping[str, Mapping[str, int]]
) -> dict[str, dict[str, int | None]]:
    """A table of counts whose row and column totals may be known, without its small cells.

    A single hidden cell of a row or column could be had by subtraction, so the smallest of the
    others is hidden too (complementary suppression), until no line has only one.
    """
    known = {row: {column: int(counts[row][column]) for column in columns} for row in rows}
    table = {row: {c: shown(count) for c, count in line.items()} for row, line in known.items()}
    lines = [[(row, column) for column in columns] for row in rows]
    lines += [[(row, column) for row in rows] for column in columns]
    changed = True
    while changed:
        changed = False
        for line in lines:
            hidden = [(row, column) for row, column in line if table[row][column] is None]
            others = [cell for cell in line if table[cell[0]][cell[1]]]
            if len(hidden) == 1 and others:
                row, column = min(others, key=lambda cell: known[cell[0]][cell[1]])
                table[row][column] = None
                changed = True
    return table
