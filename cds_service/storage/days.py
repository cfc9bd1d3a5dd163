"""The day of an instant, told by the database itself."""

from typing import Any

from sqlalchemy import ColumnElement, Dialect, String, func, type_coerce


def utc_day(column: ColumnElement[Any], dialect: Dialect) -> ColumnElement[str]:
    """The day (UTC) of a column of instants, as `2026-03-01`."""
    if dialect.name == "sqlite":
        # Stored as text in UTC (`UTCDateTime`).
        return func.substr(type_coerce(column, String), 1, 10)
    return func.to_char(func.timezone("UTC", column), "YYYY-MM-DD")
