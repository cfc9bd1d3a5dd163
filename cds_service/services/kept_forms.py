"""What somebody typed when their session was over before it was sent: sealed, and stored nowhere.

The page holds it as a text that nobody can read but this service, and that it opens for nobody but
the person it is of, for an hour. Nothing readable is left in the browser of a shared computer.
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cds_service.context import ProcessContext
from cds_service.security.people import Person

KEPT_FOR = timedelta(hours=1)
"""Readings are assessed as of now: older ones are better measured again."""
_PURPOSE = "kept-form"
_PARTS = 4


@dataclass(frozen=True, slots=True)
class Kept:
    """A form that was opened again."""

    fields: Mapping[str, str] = field(repr=False)
    at: datetime
    """When it was sealed."""


class KeptForms:
    """Seals forms and opens them (AES-256-GCM with the service's keys)."""

    def __init__(self, context: ProcessContext) -> None:
        self._context = context

    def seal(self, actor: str, fields: Mapping[str, str]) -> str:
        """The fields as a text for a hidden field (base64url)."""
        content = [_PURPOSE, actor, self._context.clock().isoformat(), dict(fields)]
        sealed = self._context.secrecy.encrypt(json.dumps(content).encode())
        return base64.urlsafe_b64encode(sealed).decode()

    def open(self, sealed: str, person: Person) -> Kept | None:
        """What this person typed; `None` where it is another's, too old or not ours."""
        actor, kept = self._read(sealed)
        return kept if actor == person.actor else None

    def is_good(self, sealed: str) -> bool:
        """Whether somebody may still open it."""
        return self._read(sealed)[1] is not None

    def _read(self, sealed: str) -> tuple[str | None, Kept | None]:
        try:
            data = base64.urlsafe_b64decode(sealed.encode("ascii"))
            content = json.loads(self._context.secrecy.decrypt(data))
        except ValueError:
            return None, None
        # Other things are encrypted under these keys; they are no forms.
        if not isinstance(content, list) or len(content) != _PARTS or content[0] != _PURPOSE:
            return None, None
        _, actor, text, fields = content
        at = datetime.fromisoformat(text)
        if self._context.clock() - at >= KEPT_FOR:
            return None, None
        return actor, Kept(fields, at)
