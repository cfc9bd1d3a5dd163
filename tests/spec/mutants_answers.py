"""Mutants of R34–R50, answers; with those of `mutants_callers`, all of R34–R68.

What is never sent (R41, R48, and the deletions of R43) has a mutant that sends it wrongly, and
one of the checker of cards, which would let it pass.
"""

from tests.spec.mutant import Mutant
from tests.spec.mutants_callers import CALLERS

_CARDS = "hooks/cards.py"
_CHECK = "tests/support/cards_check.py"
_PROTOCOL = "hooks/protocol.py"
_SUGGESTIONS = "hooks/suggestions.py"
_TEXT = "hooks/card_text.py"
_WORDING = "hooks/wording.py"
_VENDORS = "hooks/vendors.py"

_INDICATOR = '        "indicator": indicator.value,\n'
_SELECTION = '        card["selectionBehavior"] = shape.selection\n'
_UUID = '        "uuid": uuid,\n'

_ANSWERED = (
    Mutant(34, _PROTOCOL, '{"cards": list(cards)}', '{"card": list(cards)}'),
    Mutant(34, _PROTOCOL, '{"cards": list(cards)}', '{"cards": list(cards)} if cards else {}'),
    Mutant(
        34,
        _PROTOCOL,
        '{"cards": list(cards)}',
        '{"cards": list(cards)} | ({} if cards else {"systemActions": []})',
    ),
    Mutant(
        34,
        "cds_service/services/problems.py",
        "encode(cards_response([]))",
        'encode({"cards": {}})',
    ),
    Mutant(
        34,
        "cds_service/services/discharges.py",
        "encode(cards_response([]))",
        'encode({"cards": {}})',
    ),
    Mutant(34, _CHECK, 'assert isinstance(answer.get("cards"), list)', "assert True"),
    Mutant(35, _TEXT, "MAX_SUMMARY = 139", "MAX_SUMMARY = 1390"),
    Mutant(35, _CHECK, "assert len(summary) < 140", "assert len(summary) < 1400"),
    Mutant(36, _CARDS, 'CRITICAL = "critical"', 'CRITICAL = "hard-stop"'),
    Mutant(36, _CARDS, 'WARNING = "warning"', 'WARNING = "warn"'),
    Mutant(36, _CARDS, 'INFO = "info"', 'INFO = "Info"'),
    Mutant(36, _CARDS, _INDICATOR, ""),
    Mutant(37, _CARDS, '"url": public_url,', '"url": "/cds-services",'),
    Mutant(37, _CARDS, '        "url": public_url,\n', '        "icon": "icon.png",\n'),
    Mutant(
        37,
        _CARDS,
        '"label": wording.say("source.simulated" if simulated else "source")',
        '"label": ""',
    ),
    Mutant(38, _TEXT, "version=self._data(facts.version)", "version=facts.version"),
    Mutant(38, _TEXT, '("\\n\\n" if self._narrow else " ").join', '"<br>".join'),
    Mutant(38, _WORDING, '_HTML = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}', '_HTML = {"&": "&"}'),
    Mutant(38, _WORDING, '_MARKDOWN = frozenset("\\\\`*_{}[]()#!|~$^")', "_MARKDOWN = frozenset()"),
    Mutant(
        38,
        _WORDING,
        "_LINK_STARTS.sub(lambda match: match.group() + _ZERO_WIDTH_SPACE, plain)",
        "plain",
    ),
    Mutant(
        39,
        "cds_service/services/assessing.py",
        "card_uuid=str(uuid4())",
        'card_uuid="11111111-2222-4333-8444-555555555555"',
    ),
    Mutant(
        39,
        "cds_service/services/assessing.py",
        "suggestion_uuid=str(uuid4())",
        'suggestion_uuid="11111111-2222-4333-8444-555555555555"',
    ),
    Mutant(39, _CARDS, '        "uuid": card_uuid,\n', ""),
    Mutant(39, _CHECK, "assert len(uuids) == len(set(uuids))", "assert True"),
    Mutant(40, _CARDS, _SELECTION, ""),
    Mutant(40, _CARDS, "= shape.selection", '= "all"'),
    Mutant(40, _VENDORS, 'Shape(selection="any", ', "Shape("),
    Mutant(
        40,
        _CARDS,
        "    if policy.suggests and findings.category in SUGGESTED:\n",
        '    card["selectionBehavior"] = shape.selection\n'
        "    if policy.suggests and findings.category in SUGGESTED:\n",
    ),
    Mutant(
        41,
        _CARDS,
        _SELECTION,
        _SELECTION + '        card["suggestions"] = [\n'
        '            one | {"isRecommended": True} for one in card["suggestions"] * 2\n'
        "        ]\n",
    ),
    Mutant(41, _CHECK, "assert len(recommended) <= 1", "assert True"),
    Mutant(42, _SUGGESTIONS, '"label": wording.say("suggestion", category=name)', '"label": ""'),
    Mutant(42, _SUGGESTIONS, '        "label": wording.say("suggestion", category=name),\n', ""),
    Mutant(42, _CARDS, _SELECTION, _SELECTION + '        card["suggestions"][0]["actions"] = []\n'),
    Mutant(42, _SUGGESTIONS, _UUID, _UUID + '        "isRecommended": "true",\n'),
    Mutant(42, _SUGGESTIONS, _UUID, '        "uuid": assessment_id[:8],\n'),
    Mutant(
        42, _CHECK, 'assert isinstance(suggestion.get("isRecommended", False), bool)', "assert True"
    ),
    Mutant(43, _SUGGESTIONS, '"type": "create"', '"type": "Create"'),
    Mutant(43, _SUGGESTIONS, '"type": "create"', '"type": "delete"'),
    Mutant(43, _SUGGESTIONS, '"description": wording.say(said, category=name),', ""),
    Mutant(
        43,
        _CARDS,
        _SELECTION,
        _SELECTION + '        del card["suggestions"][0]["actions"][0]["resource"]\n',
    ),
    Mutant(43, _SUGGESTIONS, '"resourceType": "Condition"', '"resourceTyp": "Condition"'),
    Mutant(43, _CHECK, 'if action["type"] == "delete":', 'if action["type"] == "never":'),
    Mutant(
        43,
        _CHECK,
        're.fullmatch(r"[A-Z][A-Za-z]+/[A-Za-z0-9\\-.]{1,64}", action["resourceId"])',
        'action["resourceId"]',
    ),
    Mutant(44, _SUGGESTIONS, _UUID, _UUID + '        "actionSelectionBehavior": "all",\n'),
    Mutant(
        44,
        _SUGGESTIONS,
        _UUID,
        _UUID + '        **({"actionSelectionBehavior": "all"} if shape.action_alone else {}),\n',
    ),
    Mutant(
        44, _CHECK, '"suggestion": {"label",', '"suggestion": {"actionSelectionBehavior", "label",'
    ),
    Mutant(45, _SUGGESTIONS, ', "display": wording.say(f"override.{code}")}', "}"),
    Mutant(45, _SUGGESTIONS, '{"system": NON_ADHERENCE, ', "{"),
    Mutant(45, _SUGGESTIONS, '"code": code, "display": wording', '"display": wording'),
    Mutant(45, "hooks/severity_codes.py", '        "display": DISPLAYS[language][severity],\n', ""),
    Mutant(45, _CHECK, 'assert reason["display"]', "assert True"),
    Mutant(46, _CARDS, '        "label": wording.say("link.model_card"),\n', ""),
    Mutant(46, _CARDS, '"url": f"{public_url}/models/', '"url": f"/models/'),
    Mutant(
        46,
        _CARDS,
        '        "type": "absolute",\n',
        '        "type": "absolute",\n        "appContext": "x",\n',
    ),
    Mutant(46, _CARDS, '/card?lang={wording.language}",\n        "type": "absolute",', '/card",'),
    Mutant(46, _CHECK, 'assert isinstance(link["label"], str)', "assert True"),
    Mutant(46, _CHECK, '_check_absolute(link["url"], "R46")', "pass"),
    Mutant(46, _CHECK, 'assert link["type"] in {"absolute", "smart"}', "assert True"),
    Mutant(46, _CHECK, 'assert "appContext" not in link or link["type"] == "smart"', "assert True"),
    Mutant(46, _CHECK, 'assert isinstance(link.get("autolaunchable", False), bool)', "assert True"),
    Mutant(
        47,
        "hooks/severity_codes.py",
        '        "system": code_system_url(public_url),\n        "code": severity.value,',
        '        "code": severity.value,',
    ),
    Mutant(
        47,
        "hooks/severity_codes.py",
        '        "code": severity.value,\n        "display": DISPLAYS[language][severity],',
        '        "display": DISPLAYS[language][severity],',
    ),
    Mutant(
        47,
        "hooks/topics.py",
        '        "system": code_system_url(public_url),\n        "code": topic.value,',
        '        "code": topic.value,',
    ),
    Mutant(
        47,
        "hooks/topics.py",
        '        "code": topic.value,\n        "display": wording.say',
        '        "display": wording.say',
    ),
    Mutant(
        48,
        _PROTOCOL,
        '{"cards": list(cards)}',
        '{"cards": list(cards), "systemActions": [{"type": "delete"}]}',
    ),
    Mutant(48, _CHECK, 'assert "systemActions" not in answer', "assert True"),
    Mutant(50, "hooks/errors.py", "    status = 412\n", "    status = 400\n"),
    Mutant(50, "hooks/errors.py", "    status = 400\n    code", "    status = 412\n    code"),
    Mutant(
        50,
        "cds_service/errors.py",
        '(R64)."""\n\n    status = 401\n',
        '(R64)."""\n\n    status = 412\n',
    ),
    Mutant(50, "cds_service/errors.py", "    status = 404\n", "    status = 412\n"),
    Mutant(50, "cds_service/errors.py", "    status = 409\n", "    status = 412\n"),
    Mutant(50, "cds_service/errors.py", "    status = 413\n", "    status = 412\n"),
    Mutant(
        50,
        "cds_service/errors.py",
        '    """No model is loaded."""\n\n    status = 503\n',
        '    """No model is loaded."""\n\n    status = 412\n',
    ),
)

ANSWERS: tuple[Mutant, ...] = (*_ANSWERED, *CALLERS)
