"""What the whole process shares."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from functools import cached_property
from threading import BoundedSemaphore
from typing import Self
from zoneinfo import ZoneInfo

from sqlalchemy import Engine

from cds_service.security.keys import KeyRing
from cds_service.security.secrecy import Secrecy
from cds_service.services.champion import Champion
from cds_service.services.directory import Directory
from cds_service.services.places import Places
from cds_service.services.site_terminology import site_terminology
from cds_service.settings import Settings, read_secret_keys
from cds_service.storage.session import create_database_engine
from fhir_mapping.client import FHIRAccess
from fhir_mapping.terminology import Terminology

Clock = Callable[[], datetime]
KEYS_SECONDS = 4.0
"""How long a client's JWKS may take, but never more than half of the time of a call. A call waits
for it, once in ten minutes."""

WRITERS = 8
"""Deliveries of diagnoses that have a database connection: the rest of the pool is for cards."""


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
    directory: Directory
    """The clients (C13)."""
    clock: Clock

    @cached_property
    def terminology(self) -> Terminology:
        """Value sets and maps of the label rules. Raises `ConfigurationError`."""
        return site_terminology(self.settings)

    @cached_property
    def zone(self) -> tzinfo:
        """Where the days of diagnoses end (C16)."""
        name = self.settings.time_zone
        return UTC if name is None else ZoneInfo(name)

    @cached_property
    def fhir(self) -> FHIRAccess:
        """The way to the FHIR servers of clients; closed when the process stops."""
        return FHIRAccess(
            allow_private=self.settings.fhir_allow_private,
            max_pages=self.settings.fhir_max_pages,
            follow_redirects=self.settings.fhir_follow_redirects,
        )

    @cached_property
    def keys(self) -> KeyRing:
        """Public keys of the clients; fetched over the same guarded way as FHIR resources."""
        seconds = min(KEYS_SECONDS, self.settings.request_seconds / 2)
        return KeyRing(lambda url: self.fhir.get_json(url, deadline=time.monotonic() + seconds))

    @cached_property
    def writers(self) -> BoundedSemaphore:
        """Held by deliveries of diagnoses, which wait for each other with a connection each."""
        return BoundedSemaphore(WRITERS)

    @cached_property
    def places(self) -> Places:
        """Where calls wait for FHIR servers."""
        return Places()

    @classmethod
    def create(cls, settings: Settings, *, clock: Clock = now) -> Self:
        """Open the database and read the keys. Raises `ConfigurationError`."""
        engine = create_database_engine(settings.database)
        return cls(
            settings=settings,
            engine=engine,
            secrecy=Secrecy(read_secret_keys(settings)),
            champion=Champion(engine),
            directory=Directory(engine, development=settings.development),
            clock=clock,
        )
