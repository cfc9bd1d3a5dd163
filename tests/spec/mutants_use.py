"""Mutants of R28–R33 and R69–R72: the use of data."""

from tests.spec.mutant import Mutant

PREFETCH, PROTOCOL = "hooks/prefetch.py", "hooks/protocol.py"
CHARTS = "cds_service/services/charts.py"
DISCHARGES = "cds_service/services/discharges.py"
ASSESSING = "cds_service/services/assessing.py"
RECORDS = "cds_service/services/records.py"
CLIENT = "fhir_mapping/client.py"

USED: tuple[Mutant, ...] = (
    Mutant(28, CLIENT, "        if token is not None:\n", "        if False:\n"),
    Mutant(
        28,
        CHARTS,
        "return _OTHER_PATIENT if patient and patient != context.patient_id else None",
        "return None",
    ),
    Mutant(28, DISCHARGES, "if patient and patient != context.patient_id:", "if False:"),
    Mutant(
        28,
        DISCHARGES,
        "token = None if granted is None else granted.access_token",
        "token = None",
    ),
    Mutant(
        28,
        CLIENT,
        "    def _get(self, url: httpx.URL) -> bytes:\n"
        "        reply = self._exchange.get(url, self._headers, deadline=self._deadline)\n",
        "    def _get(self, url: httpx.URL) -> bytes:\n"
        "        reply = self._exchange.get(url, self._headers, deadline=self._deadline)\n"
        "        if reply.status == 401:\n"
        "            reply = self._exchange.get(url, {}, deadline=self._deadline)\n",
    ),
    Mutant(
        29,
        ASSESSING,
        "            fhir_server=request.fhirServer,\n            request_hash",
        '            fhir_server=f"{request.fhirServer}#{request.fhirAuthorization}"\n'
        '            f"{request.fhirAuthorization and request.fhirAuthorization.access_token}",\n'
        "            request_hash",
    ),
    Mutant(
        29,
        ASSESSING,
        '    digest.update((request.fhirServer or "").encode())\n',
        "    granted = request.fhirAuthorization\n"
        "    digest.update((granted.access_token if granted else '').encode())\n",
    ),
    Mutant(
        29, CHARTS, '"detail": fault.detail,', '"detail": request.fhirAuthorization.access_token,'
    ),
    Mutant(
        29, DISCHARGES, '"detail": error.detail,', '"detail": granted and granted.access_token,'
    ),
    Mutant(29, PROTOCOL, "    access_token: str = field(repr=False)\n", "    access_token: str\n"),
    Mutant(
        29,
        CHARTS,
        "                why = _NOT_ALLOWED\n",
        "                why = request.fhirAuthorization.access_token\n",
    ),
    Mutant(
        29, CHARTS, "return base if base in map(normalise_base, allowed) else None", "return base"
    ),
    Mutant(
        29, CHARTS, "if granted.expires_in is not None and granted.expires_in <= 0:", "if False:"
    ),
    Mutant(29, CHARTS, "deadline = start + min(deadline - start, granted.expires_in)", "pass"),
    Mutant(
        29,
        DISCHARGES,
        "seconds = min(seconds, seconds if granted.expires_in is None else granted.expires_in)",
        "pass",
    ),
    Mutant(
        33,
        ASSESSING,
        "            if earlier is not None:\n                return earlier\n",
        "",
    ),
    Mutant(
        33,
        ASSESSING,
        "if earlier is None or earlier.request_hash != call.request_hash:",
        "if earlier is None:",
    ),
    Mutant(
        69,
        PREFETCH,
        '    "conditions": "Condition?patient={{context.patientId}}",\n',
        '    "conditions": "Condition?patient={{context.patientId}}",\n'
        '    "medications": "MedicationRequest?patient={{context.patientId}}",\n',
    ),
    Mutant(69, PREFETCH, "for name in EXTRA if name in set(extra_inputs)", "for name in EXTRA"),
    Mutant(69, PREFETCH, "&category=vital-signs&", "&"),
    Mutant(
        69,
        "fhir_mapping/extract.py",
        "pregnant=answered_pregnant or has_pregnancy",
        "pregnant=answered_pregnant",
    ),
    Mutant(70, ASSESSING, 'actor=actor or f"client:{client.name}"', 'actor=actor or "client"'),
    Mutant(70, ASSESSING, "object_id=call.id,", 'object_id="",'),
    Mutant(
        70,
        ASSESSING,
        'detail={"cards": len(answer.decision.cards)}',
        'detail={"patient": call.context.patient_id}',
    ),
    Mutant(70, RECORDS, '"user": context.user_id, ', ""),
    Mutant(
        70,
        "cds_service/services/deliveries.py",
        'self._audit("receive-conditions", "channel", self._channel, self.received.counts())',
        "pass",
    ),
    Mutant(72, "docs/integrators.md", "| 412 | `patient` or", "| 4xx | `patient` or"),
    Mutant(72, PREFETCH, "&_count=100", "&_count=50"),
    Mutant(
        72, "docs/integrators.md", "| `POST /cds-services/record-discharge` |", "| at discharge |"
    ),
)
