"""Database engines and the migrations that bring them up to date."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, NoSuchModuleError
from sqlmodel import SQLModel

from cds_service.errors import ConfigurationError
from cds_service.storage import tables as _tables  # noqa: F401  # fills the metadata
from cds_service.storage.locks import Lock, hold

MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_SECONDS = 30
"""How long a writer waits for another on SQLite before it gives up."""
CONNECT_SECONDS = 5
"""How long a connection to PostgreSQL may take to come about."""
IN_LIST = 500
"""Values in one IN list: SQLite takes 32,766 parameters in a statement, PostgreSQL 65,535."""

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder()


def create_database_engine(url: str) -> Engine:
    """An engine for SQLite (WAL, `synchronous=FULL`: a committed answer survives power loss) or
    PostgreSQL. Raises `ConfigurationError` for any other database, a missing driver or a folder
    that cannot be made."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise ConfigurationError(
            "CDS_DATABASE_URL is not a URL of SQLAlchemy, like postgresql+psycopg://host/name"
        ) from None
    backend = parsed.get_backend_name()
    options: dict[str, Any] = {
        "json_serializer": lambda value: _encoder.encode(value).decode(),
        "json_deserializer": _decoder.decode,
        # An error must not quote what was to be stored.
        "hide_parameters": True,
    }
    if backend == "sqlite":
        if parsed.database:
            _make_folder(Path(parsed.database).parent)
        engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS}, **options)
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    if backend == "postgresql":
        try:
            engine = create_engine(
                url,
                pool_pre_ping=True,
                pool_size=20,
                pool_timeout=BUSY_SECONDS,
                connect_args={"connect_timeout": CONNECT_SECONDS},
                **options,
            )
        except (ModuleNotFoundError, NoSuchModuleError):
            raise ConfigurationError(
                "PostgreSQL needs the extra `postgresql`: pip install 'cds-service[postgresql]', "
                "and a URL that begins with postgresql+psycopg://"
            ) from None
        event.listen(engine, "connect", _prepare_postgresql)
        return engine
    raise ConfigurationError("CDS_DATABASE_URL must name SQLite or PostgreSQL")


def _make_folder(folder: Path) -> None:
    try:
        # What lies in it is about patients: for the service's own user alone.
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"{folder} cannot be made ({error.strerror})") from None


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # The driver's own BEGIN would come too late (before the first write only).
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _prepare_postgresql(connection: Any, _record: Any) -> None:
    # In another zone the first and last days of the calendar cannot be read back.
    connection.execute("SET TIME ZONE 'UTC'")
    connection.commit()


def _begin_sqlite(connection: Connection) -> None:
    # A deferred transaction that turns into a writer fails at once instead of waiting its turn.
    immediate = connection.get_execution_options().get("readonly") is not True
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A connection that only reads, so that readers never wait for a writer on SQLite."""
    with engine.connect().execution_options(readonly=True) as connection:
        yield connection


def upgrade(engine: Engine, to: str = "head") -> None:
    """Bring the schema up to date, or to revision `to`. Safe to call twice and by two processes at
    once.

    Raises `ConfigurationError` if the database cannot be reached or was made by a newer version.
    """
    config = _config()
    _require_reachable(engine)
    with engine.begin() as connection:
        hold(connection, Lock.SCHEMA)
        _refuse_newer(MigrationContext.configure(connection).get_current_revision())
        config.attributes["connection"] = connection
        command.upgrade(config, to)


def check(engine: Engine) -> None:
    """Raise `ConfigurationError` unless the schema is exactly that of this version."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    _require_reachable(engine)
    with reading(engine) as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        current = context.get_current_revision()
        _refuse_newer(current)
        if current != head:
            raise ConfigurationError(
                f"the database is at revision {current or 'none'}, this version needs {head}: "
                "run cds-service db upgrade"
            )
        differences = compare_metadata(context, SQLModel.metadata)
    if differences:
        raise ConfigurationError(
            f"the database differs from its migrations in {len(differences)} places"
        )


def current_revision(engine: Engine) -> tuple[str | None, str | None]:
    """The revision of the database and the one this version needs."""
    with reading(engine) as connection:
        revision = MigrationContext.configure(connection).get_current_revision()
    return revision, ScriptDirectory.from_config(_config()).get_current_head()


def _require_reachable(engine: Engine) -> None:
    try:
        engine.connect().close()
    except DatabaseError:  # Away, not allowed, or a file that is no database.
        raise ConfigurationError(
            "the database of CDS_DATABASE_URL cannot be reached or opened"
        ) from None


def _refuse_newer(revision: str | None) -> None:
    known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
    if revision is not None and revision not in known:
        raise ConfigurationError(
            f"the database is at revision {revision}, which this version does not know: a newer "
            "version made it, and only that can use it"
        )


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["metadata"] = SQLModel.metadata
    return config
