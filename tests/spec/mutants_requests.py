"""Mutants of R1–R33 and R69–R72: discovery, prefetch, requests and data."""

from tests.spec.mutant import Mutant
from tests.spec.mutants_use import USED

DISCOVERY, PREFETCH = "hooks/discovery.py", "hooks/prefetch.py"
PROTOCOL, CONTEXTS = "hooks/protocol.py", "hooks/contexts.py"
ROUTES = "cds_service/routes/cds.py"
CHARTS = "cds_service/services/charts.py"
DISCHARGES = "cds_service/services/discharges.py"
RECORDS = "cds_service/services/records.py"
SETTINGS = "cds_service/settings/serving.py"
BUNDLES, CLIENT = "fhir_mapping/bundles.py", "fhir_mapping/client.py"

TRANSPORT = (
    Mutant(1, SETTINGS, 'if url.scheme != "https" and not self.development:', "if False:"),
    Mutant(
        1,
        SETTINGS,
        "if self.development and not self.development_any_host and not is_loopback(self.host):",
        "if False:",
    ),
    Mutant(
        1,
        "cds_service/cli/serve.py",
        "if settings.public_url is None and not settings.development:",
        "if False:",
    ),
    Mutant(
        1,
        "cds_service/routes/dependencies.py",
        'media_type: str = "application/json"',
        'media_type: str = "text/plain"',
    ),
    Mutant(2, RECORDS, 'if value not in (None, "", (), [], {})', "if True"),
    Mutant(2, RECORDS, 'if value not in (None, "", (), [], {})', 'if value not in (None, "")'),
    Mutant(2, DISCOVERY, "    if templates:\n", "    if True:\n"),
    Mutant(2, PROTOCOL, "    if expression is not None:\n", "    if True:\n"),
    Mutant(3, "hooks/suggestions.py", '"subject": {"reference"', '"patient": {"reference"'),
    Mutant(
        3,
        "hooks/suggestions.py",
        'return {"coding": [{"system": f"{_TERMINOLOGY}/{system}", "code": code}]}',
        'return {"coding": {"system": f"{_TERMINOLOGY}/{system}", "code": code}}',
    ),
    Mutant(5, RECORDS, 'EXTENSION = "org.cds-service.assessment"', 'EXTENSION = "assessment"'),
    Mutant(
        5,
        RECORDS,
        'return {EXTENSION: {"assessment": assessment_id} | kept}',
        'return {EXTENSION: [{"assessment": assessment_id} | kept]}',
    ),
    Mutant(
        5,
        PROTOCOL,
        "    members = read_object(body, None)\n",
        "    members = read_object(body, None)\n"
        '    if "extension" in members:\n'
        '        raise RequestError("unknown", element="extension")\n',
    ),
    Mutant(
        5,
        CONTEXTS,
        '    """The bare id; `Encounter/x` is read too, since clients send both."""\n',
        '    if set(members) - {"userId", "patientId", "encounterId", "conditions"}:\n'
        '        raise RequestError("unknown", element="context")\n',
    ),
)

OFFERED = (
    Mutant(6, DISCOVERY, '"services": [', '"service": ['),
    Mutant(6, ROUTES, "facts = None if scorer is None else scorer.facts", "facts = scorer.facts"),
    Mutant(7, DISCOVERY, '        "hook": hook,\n', ""),
    Mutant(
        7,
        DISCOVERY,
        '"description": wording.say(f"discovery.{service_id}.description")',
        '"description": None',
    ),
    Mutant(7, ROUTES, '@router.post(f"/{problem.SERVICE_ID}"', '@router.post("/problem"'),
    Mutant(7, DISCOVERY, '"id": service_id,', '"id": f"/{service_id}",'),
    Mutant(
        13,
        PREFETCH,
        '"encounter": "Encounter/{{context.encounterId}}"',
        '"encounter": "Encounter/{{encounterId}}"',
    ),
    Mutant(
        13,
        "hooks/record_discharge.py",
        "Condition?patient={{context.patientId}}",
        "Condition?patient={{context.patient.id}}",
    ),
    Mutant(
        14,
        "hooks/record_problem.py",
        "PREFETCH: Mapping[str, str] = {}",
        'PREFETCH: Mapping[str, str] = {"known": "Condition?code={{context.conditions}}"}',
    ),
    Mutant(15, PREFETCH, "category=vital-signs&", "category:not=laboratory&"),
    Mutant(15, PREFETCH, "&_sort=-date&_count=100", "&_include=Observation:subject"),
    Mutant(
        15,
        "hooks/record_discharge.py",
        "&category=encounter-diagnosis",
        "&encounter.status=finished",
    ),
    Mutant(16, PREFETCH, "&_sort=-date", "&date=ge{{today() - 1 days}}"),
    Mutant(
        16,
        "hooks/record_discharge.py",
        '"Encounter/{{context.encounterId}}"',
        '"{{%conditions.entry.resource.encounter.resolve()}}"',
    ),
)

ARRIVED = (
    Mutant(
        17,
        BUNDLES,
        "    if raw is None:\n        return Contents(PrefetchState.ABSENT)",
        "    if raw is None:\n        return Contents(PrefetchState.NULL)",
    ),
    Mutant(
        17, BUNDLES, "return Contents(PrefetchState.NULL)", "return Contents(PrefetchState.ABSENT)"
    ),
    Mutant(
        17,
        BUNDLES,
        'if bundle.resource_type == "OperationOutcome":\n'
        "        return Contents(PrefetchState.OPERATION_OUTCOME",
        'if bundle.resource_type == "OperationOutcome":\n'
        "        return Contents(PrefetchState.NULL",
    ),
    Mutant(17, BUNDLES, "if failed and all(o is not None for o in outcomes):", "if False:"),
    Mutant(
        17,
        BUNDLES,
        '    if bundle.resource_type != "Bundle":\n',
        "    if not bundle.entry:\n        return Contents(PrefetchState.ABSENT)\n"
        '    if bundle.resource_type != "Bundle":\n',
    ),
    Mutant(17, BUNDLES, "cut_short=failed or any(", "cut_short=any("),
    Mutant(
        17,
        "fhir_mapping/extract.py",
        "PrefetchState.NULL: MissingReason.NULL_PREFETCH",
        "PrefetchState.NULL: MissingReason.NO_OBSERVATION",
    ),
    Mutant(
        17,
        CHARTS,
        "if required else state is PrefetchState.ABSENT",
        "if required else state in prefetch.UNUSABLE",
    ),
    Mutant(
        17,
        PREFETCH,
        "UNUSABLE = (PrefetchState.ABSENT, PrefetchState.OPERATION_OUTCOME,",
        "UNUSABLE = (PrefetchState.ABSENT, PrefetchState.NULL,",
    ),
    Mutant(18, BUNDLES, "failed = bundle.total != 0 and any(", "failed = any("),
    Mutant(18, BUNDLES, "failed = bundle.total != 0 and any(", "failed = False and any("),
    Mutant(
        19, CHARTS, "            if unanswered or key in chart.incomplete:", "            if False:"
    ),
    Mutant(19, CHARTS, "if required else state is PrefetchState.ABSENT", "if required else False"),
    Mutant(19, DISCHARGES, "        for key in missing:\n", "        for key in ():\n"),
    Mutant(20, CHARTS, "            if not chart.unusable:\n", "            if True:\n"),
    Mutant(
        20,
        CHARTS,
        "        if not failed:\n            return",
        "        if True:\n            return",
    ),
    Mutant(20, CHARTS, "for key in prefetch.REQUIRED\n", "for key in self.states\n"),
    Mutant(20, "hooks/errors.py", "status = 412", "status = 400"),
    Mutant(20, CHARTS, "        if lasting:\n", "        if False:\n"),
    Mutant(21, CLIENT, "while (link := next_link(pages[-1])) is not None:", "while link := None:"),
    Mutant(
        21,
        CLIENT,
        "page = _searchset(self._get(following))",
        'page = _searchset(self._exchange.get(following, {"Accept": _FHIR_JSON}, '
        "deadline=self._deadline).body)",
    ),
    Mutant(21, CHARTS, "or key in chart.incomplete", ""),
    Mutant(
        22,
        "fhir_mapping/selection.py",
        "    newest = max(c.time for c in candidates)\n",
        "    newest = candidates[0].time\n",
    ),
    Mutant(
        22,
        "fhir_mapping/selection.py",
        "    newest = max(c.time for c in candidates)\n",
        "    newest = candidates[-1].time\n",
    ),
    Mutant(22, CHARTS, "attempts=(first, plain)", "attempts=(first,)"),
)

CALLED = (
    Mutant(
        23,
        ROUTES,
        '@router.post(f"/{severity.SERVICE_ID}"',
        '@router.put(f"/{severity.SERVICE_ID}"',
    ),
    Mutant(
        23,
        ROUTES,
        '@router.post(f"/{discharge.SERVICE_ID}"',
        '@router.put(f"/{discharge.SERVICE_ID}"',
    ),
    Mutant(
        23,
        PROTOCOL,
        "    members = read_object(body, None)\n",
        '    members = read_object(body.removeprefix(b"[").removesuffix(b"]"), None)\n',
    ),
    Mutant(24, PROTOCOL, "    if hook != service_hook:\n", "    if False:\n"),
    Mutant(
        24,
        PROTOCOL,
        'hook = required(members, "hook", str)',
        'hook = optional(members, "hook", str) or service_hook',
    ),
    Mutant(
        24,
        PROTOCOL,
        'instance = required(members, "hookInstance", str)',
        'instance = optional(members, "hookInstance", str) or '
        '"00000000-0000-0000-0000-000000000000"',
    ),
    Mutant(24, PROTOCOL, "    if not _UUID.fullmatch(instance):\n", "    if False:\n"),
    Mutant(24, PROTOCOL, '    required_object(members, "context")\n', ""),
    Mutant(24, ROUTES, "    _known(service)\n    FeedbackService", "    FeedbackService"),
    Mutant(
        24,
        "cds_service/services/problems.py",
        "parse_request(body, service_hook=HOOK)",
        'parse_request(body, service_hook="patient-view")',
    ),
    Mutant(
        24,
        DISCHARGES,
        "parse_request(body, service_hook=HOOK)",
        'parse_request(body, service_hook="patient-view")',
    ),
    Mutant(25, PROTOCOL, "    if not has_server:\n", "    if False:\n"),
    Mutant(
        25,
        PROTOCOL,
        'if server is not None and not server.startswith(("https://", "http://")):',
        "if False:",
    ),
    Mutant(
        25,
        "fhir_mapping/addresses.py",
        'schemes = ("https", "http") if allow_private else ("https",)',
        'schemes = ("https", "http")',
    ),
    Mutant(
        26, PROTOCOL, 'if token_type is not None and token_type.lower() != "bearer":', "if False:"
    ),
    Mutant(26, PROTOCOL, 'token_type.lower() != "bearer":', 'token_type != "Bearer":'),
    Mutant(
        26,
        PROTOCOL,
        'access_token=required(given, "access_token", str, where=where)',
        'access_token=optional(given, "access_token", str, where=where) or ""',
    ),
    Mutant(
        26,
        PROTOCOL,
        'expires_in=optional(given, "expires_in", int, where=where)',
        "expires_in=None",
    ),
    Mutant(
        26,
        CHARTS,
        "start + min(deadline - start, granted.expires_in)",
        "min(deadline, start + granted.expires_in)",
    ),
    Mutant(
        26,
        PROTOCOL,
        'scope=optional(given, "scope", str, where=where)',
        'scope=required(given, "scope", str, where=where)',
    ),
    Mutant(
        26,
        PROTOCOL,
        'scope=optional(given, "scope", str, where=where)',
        'scope=required({} if b"EPIC" in bytes(given["scope"]) else given, "scope", str)',
    ),
    Mutant(
        26,
        PROTOCOL,
        'subject=optional(given, "subject", str, where=where)',
        'subject=required(given, "subject", str, where=where)',
    ),
    Mutant(26, CHARTS, '(granted.patient or "").removeprefix("Patient/")', 'granted.patient or ""'),
    Mutant(
        27,
        CONTEXTS,
        "if not slash or kind not in USER_TYPES or not _ID.fullmatch(bare):",
        "if False:",
    ),
    Mutant(27, CONTEXTS, '"PractitionerRole", "Patient", "RelatedPerson")', '"PractitionerRole")'),
    Mutant(
        27,
        CONTEXTS,
        'user_id = required(members, "userId", str, where="context")',
        'user_id = optional(members, "userId", str, where="context") or "Practitioner/x"',
    ),
    Mutant(
        27,
        CONTEXTS,
        'patient_id = required(members, "patientId", str, where="context")',
        'patient_id = optional(members, "patientId", str, where="context") or "x"',
    ),
    Mutant(27, CONTEXTS, "    if not _ID.fullmatch(patient_id):\n", "    if False:\n"),
    Mutant(27, CONTEXTS, "    if not _ID.fullmatch(bare):\n", "    if False:\n"),
    Mutant(
        27, CONTEXTS, "    if not encounter_id:\n        return None\n", "    assert encounter_id\n"
    ),
    Mutant(27, CONTEXTS, '    required(members, "encounterId", str, where="context")\n', ""),
    Mutant(
        27,
        CONTEXTS,
        'if optional(bundle, "resourceType", str, where="context.conditions") != "Bundle":',
        "if not bundle:",
    ),
)

REQUESTS: tuple[Mutant, ...] = (*TRANSPORT, *OFFERED, *ARRIVED, *CALLED, *USED)
