"""What the whole process shares."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Self

from sqlalchemy import Engine

from cds_service.security.secrecy import Secrecy
from cds_service.services.champion import Champion
from cds_service.settings import Settings, read_secret_keys
from cds_service.storage.session import create_database_engine
from fhir_mapping.terminology import Terminology, load_terminology

Clock = Callable[[], datetime]


def now() -> datetime:
    """The one place the process reads the clock."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class ProcessContext:
    """Process singletons; nothing below `cds_service` sees it."""

    settings: Settings
    engine: Engine
    secrecy: Secrecy
    champion: Champion
    clock: Clock

    @cached_property
    def terminology(self) -> Terminology:
        """Value sets and maps of the label rules. Raises `TerminologyError`."""
        return load_terminology(self.settings.terminology_dir)

    @classmethod
    def create(cls, settings: Settings, *, clock: Clock = now) -> Self:
        """Open the database and read the keys. Raises `ConfigurationError`."""
        engine = create_database_engine(settings.database)
        return cls(
            settings=settings,
            engine=engine,
            secrecy=Secrecy(read_secret_keys(settings)),
            champion=Champion(engine),
            clock=clock,
        )
