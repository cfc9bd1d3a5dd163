"""Links from a card to the explanation of its assessment: sealed, and good for ten minutes.

The address says nothing: the id of the assessment and the end of its time are encrypted and cannot
be changed. Nothing is stored for a link that nobody follows, so that no answer waits for it.
"""

import base64
from datetime import UTC, datetime, timedelta
from typing import Final

from cds_service.security.secrecy import Secrecy

LAUNCH: Final = "/launch"
"""Where a health record opens the explanation itself, by SMART launch: no sealed link is needed."""
LIFETIME: Final = timedelta(minutes=10)
_PURPOSE: Final = "explanation-link"
_LONGEST: Final = 400


def new_link_token(secrecy: Secrecy, assessment_id: str, at: datetime) -> str:
    """The part of a link that opens an assessment, from `at` on (aware); base64url."""
    ends = int((at + LIFETIME).timestamp())
    sealed = secrecy.encrypt(f"{_PURPOSE} {assessment_id} {ends}".encode())
    return _written(sealed)


def read_link_token(secrecy: Secrecy, token: str) -> tuple[str, datetime] | None:
    """The assessment that a link opens and until when; `None` for what is no link of ours."""
    if len(token) > _LONGEST:
        return None
    try:
        sealed = base64.b64decode(
            token.encode("ascii") + b"=" * (-len(token) % 4), altchars=b"-_", validate=True
        )
        purpose, assessment_id, ends = secrecy.decrypt(sealed).decode().split(" ")
    except ValueError:
        return None
    # Other last letters may stand for the same bytes: they would open a used link once more.
    if purpose != _PURPOSE or _written(sealed) != token:
        return None
    return assessment_id, datetime.fromtimestamp(int(ends), UTC)


def _written(sealed: bytes) -> str:
    return base64.urlsafe_b64encode(sealed).decode().rstrip("=")
