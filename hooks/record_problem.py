"""The `record-problem` service: Conditions added to a problem list become outcomes."""

from collections.abc import Mapping

import msgspec

from hooks.contexts import ProblemListItemCreateContext

SERVICE_ID = "record-problem"
HOOK = "problem-list-item-create"
PREFETCH: Mapping[str, str] = {}
"""It needs none: the Conditions are in the context."""


class _Entry(msgspec.Struct):
    resource: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class _Bundle(msgspec.Struct):
    entry: list[msgspec.Raw] | None = None


def conditions_of(context: ProblemListItemCreateContext) -> tuple[msgspec.Raw, ...]:
    """The resources in the Bundle of the context, undecoded, in order.

    Whether each is a Condition, whose it is and what it means is for the reader of Conditions,
    who skips with a reason. An entry without a resource has nothing to skip.
    """
    try:
        entries = msgspec.json.decode(context.conditions, type=_Bundle).entry or []
    except (msgspec.DecodeError, RecursionError):
        return ()
    found = []
    for raw in entries:
        try:
            resource = msgspec.json.decode(raw, type=_Entry).resource
        except (msgspec.DecodeError, RecursionError):
            continue
        if not isinstance(resource, msgspec.UnsetType):
            found.append(resource)
    return tuple(found)
