"""Versions of the label rules (clinical rule C17, docs/decisions/0007-label-versions.md)."""

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final

LABEL_RULE_VERSION: Final = "1"
"""The rules with the shipped terminology. Stored with every outcome and history file; outcomes of
two versions are not pooled (C17)."""

_DIGITS = 8


def site_version(versions: Mapping[str, str], content: Any) -> str:
    """The rules with a site's own terminology: `1-` and 8 hexadecimal digits.

    Same versions and content (JSON values), same string, on every replica.
    """
    text = json.dumps([sorted(versions.items()), content], sort_keys=True)
    return f"{LABEL_RULE_VERSION}-{sha256(text.encode()).hexdigest()[:_DIGITS]}"
