"""Mutants of R53–R68: feedback, tokens and browsers."""

from tests.spec.mutant import Mutant

_FEEDBACK = "hooks/feedback.py"
_KEPT = "cds_service/services/feedback.py"
_KEYS = "cds_service/security/keys.py"
_TOKENS = "cds_service/security/tokens.py"
_APP = "cds_service/app.py"
_AUTHENTICATION = "cds_service/services/authentication.py"

_ADD = "            FeedbackStore(connection).add("
_END = "    return app\n\n\nclass _LastResort:"

_AFTERWARDS = (
    Mutant(
        53,
        _FEEDBACK,
        'card = required(members, "card", str, where=where)',
        'card = optional(members, "card", str, where=where) or "x"',
    ),
    Mutant(53, _FEEDBACK, "if outcome not in _OUTCOMES:", "if False:"),
    Mutant(
        53,
        _FEEDBACK,
        '_OUTCOMES = ("accepted", "overridden")',
        '_OUTCOMES = ("accepted", "overridden", "ignored")',
    ),
    Mutant(
        53,
        _FEEDBACK,
        'outcome = required(members, "outcome", str, where=where)',
        'outcome = optional(members, "outcome", str, where=where) or "overridden"',
    ),
    Mutant(
        53,
        _FEEDBACK,
        "Annotated[datetime, msgspec.Meta(tz=True)]",
        "Annotated[datetime, msgspec.Meta()]",
    ),
    Mutant(
        53,
        _FEEDBACK,
        '    required(members, "outcomeTimestamp", str, where=where)\n',
        '    if "outcomeTimestamp" not in members:\n        return datetime.now(UTC)\n',
    ),
    Mutant(53, _FEEDBACK, "    if not items:\n", "    if False:\n"),
    Mutant(
        53,
        _FEEDBACK,
        'required(read_object(item, f"{element}[{i}]"), "id", str, where=f"{element}[{i}]")',
        'optional(read_object(item, f"{element}[{i}]"), "id", str) or "x"',
    ),
    Mutant(
        53,
        _FEEDBACK,
        "    if reason is None and comment is None and not extension:\n",
        "    if False:\n",
    ),
    Mutant(
        53,
        _FEEDBACK,
        "    if reason is None and comment is None and not extension:\n",
        "    if reason is None and not extension:\n",
    ),
    Mutant(
        53,
        _FEEDBACK,
        'code=required(coding, "code", str, where=f"{where}.reason")',
        'code=optional(coding, "code", str, where=f"{where}.reason") or "x"',
    ),
    Mutant(
        53,
        _FEEDBACK,
        'display=optional(coding, "display", str',
        'display=required(coding, "display", str',
    ),
    Mutant(
        53,
        _KEPT,
        '"reason_code": None if reason is None else _kept(reason.code)',
        '"reason_code": None',
    ),
    Mutant(53, _KEPT, "[_kept(uuid) for uuid in entry.accepted_suggestions] or None", "None"),
    Mutant(
        53,
        _KEPT,
        '"outcome_timestamp": entry.outcome_timestamp',
        '"outcome_timestamp": self._context.clock()',
    ),
    Mutant(54, _KEPT, "entries = parse_feedback(body)", "entries = parse_feedback(body)[:1]"),
    Mutant(
        54,
        _KEPT,
        "entries = parse_feedback(body)",
        "entries = parse_feedback(body)\n"
        "        if len({entry.card for entry in entries}) < len(entries):\n"
        "            raise ValueError",
    ),
    Mutant(
        54,
        _KEPT,
        _ADD,
        "            if set(cards) - set(known):\n                raise ValueError\n" + _ADD,
    ),
    Mutant(
        54,
        _KEPT,
        _ADD,
        "            if not entries:\n                raise ValueError\n" + _ADD,
    ),
    Mutant(
        54,
        _KEPT,
        "for card, entry in zip(cards, entries, strict=True)",
        "for card, entry in zip(cards, entries, strict=True)\n                    if card in known",
    ),
    Mutant(
        55,
        _FEEDBACK,
        'name = "overrideReasons" if "overrideReason" not in members else "overrideReason"',
        'name = "overrideReason"',
    ),
    Mutant(55, _FEEDBACK, "and comment is None and not extension", "and comment is None"),
    Mutant(
        55, _FEEDBACK, "return reason, comment, extension or None", "return reason, comment, None"
    ),
    Mutant(55, _KEPT, '            "extension": entry.extension,\n', ""),
)

_TRUSTED = (
    Mutant(58, _TOKENS, 'if not isinstance(kind, str) or kind.upper() != "JWT":', "if False:"),
    Mutant(58, _TOKENS, "if not isinstance(key_id, str) or not key_id:", "if False:"),
    Mutant(58, _KEYS, 'if jwk.get("kid") == key_id]', "if key_id]"),
    Mutant(
        58,
        _KEYS,
        "if jku is not None and jku not in settings.jwks_urls:",
        "if jku not in settings.jwks_urls:",
    ),
    Mutant(
        58,
        _KEYS,
        "if jku is not None and jku not in settings.jwks_urls:",
        "if jku and jku not in settings.jwks_urls:",
    ),
    Mutant(
        59,
        _TOKENS,
        'issuer = claims.get("iss")\n        known',
        'issuer = claims.get("iss", "https://ehr.example/fhir")\n        known',
    ),
    Mutant(
        59,
        _TOKENS,
        "addressed = [client for client in known if _is_meant",
        'addressed = [client for client in known if "aud" not in claims or _is_meant',
    ),
    Mutant(
        59,
        _TOKENS,
        "listed = claimed if isinstance(claimed, list) else [claimed]",
        "listed = [claimed]",
    ),
    Mutant(
        59,
        _TOKENS,
        'expires, issued = _date(claims, "exp"),',
        'expires, issued = _date(claims, "exp") or now + 9,',
    ),
    Mutant(59, _TOKENS, '_date(claims, "iat")\n', '_date(claims, "iat") or now\n'),
    Mutant(59, _TOKENS, "if expires <= now - LEEWAY:", "if False:"),
    Mutant(59, _TOKENS, "if issued > now + LEEWAY:", "if False:"),
    Mutant(59, _TOKENS, 'jti = claims.get("jti")', 'jti = claims.get("jti", token)'),
    Mutant(59, _TOKENS, "if not isinstance(jti, str) or not jti:", "if not isinstance(jti, str):"),
    Mutant(
        60,
        _TOKENS,
        "        key_id, algorithm, jku = _header(header)\n",
        '        if str(header.get("alg")).lower() == "none":\n'
        '            return clients(claims["iss"])[0]\n'
        "        key_id, algorithm, jku = _header(header)\n",
    ),
    Mutant(
        60,
        _KEYS,
        '''    "RS512": ("RSA", None),
}
ALGORITHMS = tuple(_KINDS)
"""The only algorithms that are accepted (R60): never `none`, never one with a shared secret."""
PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
''',
        """    "RS512": ("RSA", None),
    "HS384": ("oct", None),
}
ALGORITHMS = tuple(_KINDS)
PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth"})
""",
    ),
    Mutant(60, _KEYS, 'if jwk.get("alg", algorithm) != algorithm or', "if"),
    Mutant(65, _TOKENS, "LEEWAY = 30.0", "LEEWAY = 0.0"),
    Mutant(65, _TOKENS, "LEEWAY = 30.0", "LEEWAY = 3600.0"),
    Mutant(65, _TOKENS, "if issued > now + LEEWAY:", "if issued > now:"),
    Mutant(
        66,
        _AUTHENTICATION,
        "audiences(self._context.settings.base_url, path)",
        'audiences("http://internal.invalid", path)',
    ),
    Mutant(66, _TOKENS, "accepted = here | {", "accepted = here or {"),
    Mutant(
        66,
        _TOKENS,
        "any(isinstance(one, str) and one.rstrip",
        "True or any(isinstance(one, str) and one.rstrip",
    ),
    Mutant(
        66,
        _AUTHENTICATION,
        "urls.append(base_url + path.rstrip",
        "(base_url + path.rstrip",
    ),
    Mutant(
        66,
        _AUTHENTICATION,
        "urls = [base_url + path]",
        'urls = [base_url + path, base_url + path + "/feedback"]',
    ),
)

_SHOWN = (
    Mutant(68, _APP, 'allow_methods=["GET", "POST"]', 'allow_methods=["GET"]'),
    Mutant(68, _APP, 'allow_methods=["GET", "POST"]', 'allow_methods=["POST"]'),
    Mutant(68, _APP, 'allow_headers=["Authorization", ', "allow_headers=["),
    Mutant(68, _APP, "allow_origins=list(context.settings.cors_origins)", 'allow_origins=["*"]'),
    Mutant(68, _APP, "if context.settings.cors_origins:", "if False:"),
    Mutant(68, _APP, "    app.add_middleware(_LastResort)\n    if context", "    if context"),
    # Errors written outside of what adds the header.
    Mutant(
        68,
        _APP,
        _END,
        "    app.user_middleware.reverse()\n" + _END,
    ),
)

CALLERS: tuple[Mutant, ...] = (*_AFTERWARDS, *_TRUSTED, *_SHOWN)
