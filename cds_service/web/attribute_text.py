"""What a run, the program and its stored evaluations say of the source attributes."""

from collections.abc import Mapping, Sequence
from typing import Any

from cds_service.web.words import Words
from model.severity import Severity

Facts = Mapping[str, Any]


def texts(facts: Facts, words: Words) -> dict[str, list[str]]:
    """Paragraphs by id of the attribute, for every attribute with `by_run`."""
    say, population = words.say, facts["population"]
    ages = {
        "low": words.figure(population["min_age"], 0),
        "high": words.figure(population["max_age"], 0),
    }
    inputs = {one["name"] for one in facts["inputs"]}
    simulated = facts["data"]["simulated"]
    relevance = "says.training-relevance.simulated" if simulated else "says.training-relevance"
    whose = "says.demographic-representativeness"
    return {
        "output-value": [
            say("says.output-value", categories=words.categories(population["categories"]))
        ],
        "output-type": [say("says.output-type")],
        "intended-population": [say("says.intended-population", **ages)],
        "intended-users": [say("says.intended-users")],
        "decision-role": [say("says.decision-role")],
        "cautioned-uses": _cautions(facts, words, ages),
        "known-risks": _risks(facts, words),
        "inclusion-criteria": [_inclusion(facts["data"], words, ages)],
        "demographic-inputs": [
            say("says.demographic-inputs", sex=say("yes" if "sex" in inputs else "no"))
        ],
        "demographic-representativeness": [
            say(whose if facts["people"] is not None else f"{whose}.none")
        ],
        "training-relevance": [say(relevance)],
        "bias-management": [say("says.bias-management")],
        "internal-validity": [
            _validity(
                "says.internal-validity",
                facts["held_out"],
                words,
                n=words.about(facts["data"]["rows_in_parts"]["held_out"]),
            )
        ],
        "internal-fairness": [
            say("says.not_measured" if facts["groups"] is None else "says.internal-fairness")
        ],
        "validity-monitoring": [say("says.validity-monitoring")],
        "local-validity": [_local(facts["local"], words)],
        "local-fairness": [_local_fairness(facts["local_groups"], words)],
        "update-process": [say("says.update-process")],
    }


def not_demonstrable(facts: Facts) -> list[str]:
    """Categories for which the promise of the prediction set cannot be shown."""
    promises = facts["guarantee"]["categories"]
    return [code for code, promise in promises.items() if not promise["demonstrable"]]


def figure(
    records: Sequence[Mapping[str, Any]], metric: str, category: str | None = None
) -> Mapping[str, Any] | None:
    """The record of one metric, or `None`."""
    for record in records:
        if record["metric"] == metric and record["category"] == category:
            return record
    return None


def _cautions(facts: Facts, words: Words, ages: Mapping[str, str]) -> list[str]:
    said = [words.say("says.cautioned.simulated")] if facts["data"]["simulated"] else []
    said += [words.say("says.cautioned.population", **ages), words.say("says.cautioned.tasks")]
    missing = facts["population"]["categories_not_covered"]
    if missing:
        said.append(words.say("says.cautioned.not_covered", names=words.categories(missing)))
    return said


def _risks(facts: Facts, words: Words) -> list[str]:
    said = [words.say("says.known-risks"), words.say("says.known-risks.selected")]
    if missing := not_demonstrable(facts):
        said.append(words.say("says.known-risks.guarantee", names=words.categories(missing)))
    return said


def _inclusion(data: Mapping[str, Any], words: Words, ages: Mapping[str, str]) -> str:
    rows = data["rows"]
    return words.say(
        "says.inclusion-criteria",
        **ages,
        used=words.about(rows["used"]),
        given=words.about(rows["given"]),
        without=words.about(rows["without_category"]),
        outside=words.about(rows["out_of_population"]),
        labels=data["label_version"],
    )


def _validity(
    key: str, records: Sequence[Mapping[str, Any]], words: Words, **values: object
) -> str:
    return words.say(
        key,
        **values,
        log_loss=words.interval(figure(records, "log_loss")),
        constant=words.interval(figure(records, "log_loss_of_frequencies")),
        auroc=words.interval(figure(records, "auroc", Severity.ACUTE.value)),
    )


def _local_fairness(groups: Mapping[str, Any] | None, words: Words) -> str:
    if groups is None:
        return words.say("says.local-fairness.none")
    return words.say(
        "says.local-fairness",
        begin=words.day(groups["from"]),
        end=words.day(groups["until"]),
        share=words.percent(groups["verified"]),
    )


def _local(local: Mapping[str, Any] | None, words: Words) -> str:
    if local is None:
        return words.say("says.local-validity.none")
    date = words.day(local["at"])
    if figure(local["figures"], "log_loss") is None:
        return words.say("says.local-validity.few", date=date)
    return _validity(
        "says.local-validity",
        local["figures"],
        words,
        n=words.about(local["with_outcome"]),
        date=date,
    )
