"""Rows as dictionaries, out of the database and into it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, CursorResult, Table, insert
from sqlalchemy.exc import IntegrityError


def dicts(result: CursorResult[Any]) -> Iterator[dict[str, Any]]:
    """Each row by the names of its columns.

    Where a hospital's whole history is read, half the time was spent in `dict(row._mapping)`,
    which looks every column up by its name.
    """
    names = tuple(result.keys())
    for row in result:
        yield dict(zip(names, row, strict=True))


def insert_once(
    connection: Connection, table: Table, rows: Mapping[str, Any] | Sequence[Mapping[str, Any]]
) -> bool:
    """Insert one row or some; `False`, and none of it is, if a key of one of them is there.

    So of two processes that would both add the same only one does. The transaction goes on.
    """
    try:
        with connection.begin_nested():
            connection.execute(insert(table), rows)
    except IntegrityError:
        return False
    return True
