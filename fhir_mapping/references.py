"""Whose data a resource holds: FHIR references resolved against the patient of the request (C3).

See https://hl7.org/fhir/R4/references.html#literal.
"""

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

_RELATIVE = re.compile(r"Patient/(?P<id>[^/?#\s]+)(?:/_history/[^/?#\s]+)?")
_DEFAULT_PORT = {"http": 80, "https": 443}
_UUID_PREFIX = "urn:uuid:"


class PatientMatcher:
    """Tells whether a reference names the patient of one request.

    `aliases` are further names of the same Patient: the `urn:uuid:` fullUrls of Bundle entries
    that hold it. Without `fhir_server` an absolute URL is judged by its id alone, since there is
    no base to compare with; with it the base must be the same server, because one id on two
    servers is two patients (C3).
    """

    def __init__(
        self, patient_id: str, fhir_server: str | None, aliases: Iterable[str] = ()
    ) -> None:
        self._patient_id = patient_id
        self._base = None if fhir_server is None else normal_base(fhir_server)
        self._check_base = fhir_server is not None
        self._uuids = {patient_id.casefold()} | {_uuid(alias) for alias in aliases}
        # A chart repeats one reference hundreds of times.
        self._known: dict[str | None, bool] = {None: False}

    def matches(self, reference: str | None) -> bool:
        """Whether `reference` (relative, absolute or `urn:uuid:`) is the patient's."""
        known = self._known.get(reference)
        if known is None and reference is not None:
            known = self._known[reference] = self._resolve(reference)
        return bool(known)

    def is_at(self, full_url: str | None) -> bool:
        """Whether the fullUrl of a Bundle entry is the patient's address."""
        return full_url is not None and ":" in full_url and self.matches(full_url)

    def _resolve(self, reference: str) -> bool:
        if reference[: len(_UUID_PREFIX)].lower() == _UUID_PREFIX:
            return _uuid(reference) in self._uuids
        start = reference.rfind("/Patient/") + 1 if "://" in reference else 0
        match = _RELATIVE.fullmatch(reference, start)
        if match is None or match["id"] != self._patient_id:
            return False
        if "://" not in reference or not self._check_base:
            return True
        base = normal_base(reference[: max(start - 1, 0)])
        return base is not None and base == self._base


def _uuid(urn: str) -> str:
    # RFC 9562: the hexadecimal digits of a UUID are read case-insensitively.
    return urn[len(_UUID_PREFIX) :].casefold()


def normal_base(url: str) -> str | None:
    """A FHIR base URL in one spelling; `None` if it is not an http(s) URL.

    Scheme and host in lower case, no default port, no trailing slash (RFC 3986, 6.2.2 and 6.2.3).
    The path is case-sensitive.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    scheme = parts.scheme.lower()
    if scheme not in _DEFAULT_PORT or not parts.hostname or parts.query or parts.fragment:
        return None
    place = parts.hostname.lower()
    if port is not None and port != _DEFAULT_PORT[scheme]:
        place = f"{place}:{port}"
    return f"{scheme}://{place}{parts.path.rstrip('/')}"
