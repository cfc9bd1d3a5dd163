"""The JSON of a resource that was posted, read more strictly than the charts of a prefetch.

See https://hl7.org/fhir/R4/json.html: what becomes truth is not guessed.
"""

import json
from typing import Any

import msgspec

from fhir_mapping.elements import UNREADABLE
from fhir_mapping.errors import PostedError


def decode_object(body: bytes) -> dict[str, Any]:
    """The JSON object in `body`.

    Raises `PostedError` (400): not JSON in UTF-8, nested too deeply, a number that no computer
    number holds, half a surrogate pair, a member given twice, or no object.
    """
    if not body.strip():
        raise PostedError("The body is empty: a FHIR resource is needed.", element="Resource")
    try:
        value = msgspec.json.decode(body)
        json.loads(body, object_pairs_hook=_members)
    except _TwiceError:
        raise PostedError(
            "The body has an object with the same member twice.", element="Resource"
        ) from None
    except (*UNREADABLE, ValueError):
        raise PostedError("The body is not JSON in UTF-8.", element="Resource") from None
    if not isinstance(value, dict):
        raise PostedError("The body must be a FHIR resource.", element="Resource")
    return value


class _TwiceError(Exception):
    pass


def _members(pairs: list[tuple[str, Any]]) -> None:
    if len({name for name, _ in pairs}) < len(pairs):
        raise _TwiceError
