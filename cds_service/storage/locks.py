"""Locks of a whole database, for what rows alone cannot keep apart."""

from enum import IntEnum, unique

from sqlalchemy import Connection


@unique
class Lock(IntEnum):
    """Numbers of PostgreSQL's advisory locks: two with one number would wait for each other."""

    SCHEMA = 725_264
    OUTCOMES = 725_265
    RELEASES = 725_266
    NOTIFICATIONS = 725_267
    PULLS = 725_268
    EXPORTS = 725_270
    HISTORIES = 725_271
    REVIEWS = 725_272
    INPUTS = 725_273


def hold(connection: Connection, lock: Lock) -> None:
    """Hold a lock until the transaction ends; SQLite has one writer anyway."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({lock.value})")
