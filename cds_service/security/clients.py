"""Who calls."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Client:
    """A CDS Client: an EHR."""

    name: str
    base: str
    """FHIR base URL its patients belong to where a request names none (C3)."""


DEVELOPMENT_CLIENT = Client("development", "client:development")
"""Everybody, in development mode."""
