"""The two texts of a card: its summary, and its detail in GitHub-Flavored Markdown.

Short, because it is read in a narrow pane between two other tasks: the strongest statement first,
no tables. Only the model's version comes from outside; it is escaped. Everything else is our own
wording and numbers.
"""

import math
from collections.abc import Callable, Iterable, Sequence

from hooks.disease_severity import Situation, population, population_reason
from hooks.findings import Findings
from hooks.reading_text import SHOWN, ReadingText
from hooks.wording import Wording, from_data, sentence
from model.assessment import Contribution
from model.early_warning import MIN_AGE
from model.severity import Severity

MAX_SUMMARY = 139
"""Characters of a summary (R35: fewer than 140)."""

TOP_REASONS = 3

MOST_RARE = 3
"""Rare diseases on record that a card names; how many more there are is said."""

ON_RECORD = (Severity.CHRONIC, Severity.TERMINAL)
"""Classes of Conditions known before that a card names: those that last (C16)."""


class CardText:
    """Summary and detail of one card in one language.

    The statements a detail is made of can be had one by one (`…_lines`), for a page that shows
    them in another form.
    """

    def __init__(
        self,
        findings: Findings,
        wording: Wording,
        *,
        narrow: bool = False,
        sandbox: bool = False,
        data: Callable[[str], str] = from_data,
    ) -> None:
        """Write about `findings` with `wording`.

        `narrow`: one statement a line and lists, for a pane in which paragraphs are hard to read.
        `sandbox`: for a test environment, which the card names (C13).
        `data` makes text that came from data safe for where it is shown.
        """
        self._found = findings
        self._wording = wording
        self._narrow = narrow
        self._sandbox = sandbox
        self._data = data
        self._readings = ReadingText(findings.extraction, wording)

    def summary(self) -> str:
        """One sentence of at most `MAX_SUMMARY` characters."""
        if self._found.red:
            return self._red_summary()
        category = self._found.category
        if category is Severity.TERMINAL:
            return self._wording.say("terminal")
        if category is not None:
            return self._estimate(category)
        return self._no_category()

    def detail(self) -> str:
        """Paragraphs and lists of Markdown; ends with "decision support, not a diagnosis"."""
        scored = self._found.assessment is not None
        blocks = [
            self._red(),
            # A category that is not shown is explained before anything else is said.
            self._cautions() if scored and self._found.category is None else "",
            self._statements() if scored else self._why(),
            "" if scored and self._found.category is None else self._cautions(),
            *(self._reasons() if scored else self._all_readings()),
            self._rare_match(),
            *self.on_record_lines(),
            self._missing(),
            self._last(),
        ]
        return "\n\n".join(block for block in blocks if block)

    # Summary

    def _red_summary(self) -> str:
        say, found = self._wording.say, self._found
        if not found.acute_flagged or found.assessment is None:
            candidates = [
                say("red", readings=self._red_names(n)) for n in range(len(found.red), 0, -1)
            ]
            candidates.append(say("red", readings=self._red_names(1, dated=False)))
        else:
            probability = found.assessment.probabilities[Severity.ACUTE]
            frequency = self._wording.frequency(probability)
            usual = self._usual(Severity.ACUTE, short=True)
            names = [self._red_names(2), self._red_names(1), self._red_names(1, dated=False)]
            candidates = [
                say("red.acute", readings=named, frequency=frequency, usual=usual)
                for named in names
                if usual is not None
            ]
            candidates.append(say("red.acute.alone", readings=names[-1], frequency=frequency))
        return next((c for c in candidates if len(c) <= MAX_SUMMARY), candidates[-1])

    def _red_names(self, n: int, *, dated: bool = True) -> str:
        red = self._found.red
        say_one = self._readings.dated if dated else self._readings.brief
        names = [say_one(feature) for feature in red[:n]]
        if len(red) > n:
            return self._wording.say("list.more", names=", ".join(names), n=len(red) - n)
        return self._wording.join(names)

    def _no_category(self) -> str:
        situation = self._found.situation
        if situation is Situation.OUT_OF_POPULATION:
            return self._wording.say(f"none.{self._outside()}", **self._ages())
        if situation is Situation.INSUFFICIENT_DATA:
            names = self._wording.join(self._readings.missing_core())
            return self._wording.say("none.insufficient_data", names=names)
        if situation is Situation.MODEL_FAILED:
            return self._wording.say("none.model_failed")
        rare = self._found.withheld_for_rare
        return self._wording.say("none.rare" if rare else "none.maybe_not_latest")

    # Detail

    def _red(self) -> str:
        found, say = self._found, self._wording.say
        needed = (Situation.INSUFFICIENT_DATA, Situation.MODEL_FAILED)
        parts = []
        if readings := self.red_lines():
            if self._narrow and len(readings) > 1:
                parts.append(_listed(f"**{say('red.heading')}**", map(sentence, readings)))
            else:
                parts.append(f"**{say('red', readings='; '.join(readings))}.**")
        if found.red or found.situation in needed:
            parts += self.news2_lines()
        return self._together(parts)

    def red_lines(self) -> list[str]:
        """Every red reading with its age and its limit (C9)."""
        return [self._readings.red(feature) for feature in self._found.red]

    def news2_lines(self) -> list[str]:
        """The partial NEWS2, where it applies: of how many parameters, never as if of all (C9)."""
        news2 = self._found.news2
        if news2 is None:
            return []
        return [self._wording.say("news2", n=news2.n_parameters, score=news2.score)]

    def _statements(self) -> str:
        lines = self.statement_lines()
        if lines and self._found.category is not None:
            lines[0] = f"**{lines[0]}**"
        return self._together(lines)

    def statement_lines(self) -> list[str]:
        """What the model says: estimates, exclusion, and what cannot be told apart."""
        found, say = self._found, self._wording.say
        category = found.category
        lines = []
        if category is Severity.TERMINAL:
            lines.append(say("terminal") + ".")
        if category is not None:
            lines.append(self._estimate(category) + ".")
        if category is not Severity.ACUTE and found.shows_acute:
            lines.append(self._estimate(Severity.ACUTE) + ".")
        if found.excludes_acute and found.facts is not None:
            # Rounded down, so that the promise is never larger than what was shown.
            n = math.floor(1 / (1 - found.facts.coverage) + 1e-6)
            lines.append(say("exclusion", n=n))
        if found.named_set:
            names = [self._wording.category(severity) for severity in found.named_set]
            lines.append(say("set.named", names=self._wording.join(names, "or")))
        elif category is not None and not (found.rare and found.set_is_narrow):
            lines.append(say("set.open"))
        return lines

    def _why(self) -> str:
        return self._together(self.why_lines())

    def why_lines(self) -> list[str]:
        """Why there is no category."""
        found, say = self._found, self._wording.say
        if found.situation is Situation.OUT_OF_POPULATION:
            lines = [say(f"why.{self._outside()}", **self._ages())]
        else:
            lines = [say(f"why.{found.situation.value}")]
        return lines + self.no_limit_lines()

    def no_limit_lines(self) -> list[str]:
        """Why no reading is called dangerous, where the limits for it are not for this age (C9)."""
        age = self._found.age
        if age is None:
            return [self._wording.say("no_adult_limits.no_age")]
        return [self._wording.say("no_adult_limits.child")] if age < MIN_AGE else []

    def _cautions(self) -> str:
        return self._together(self.caution_lines())

    def caution_lines(self) -> list[str]:
        """What to check before believing any of it."""
        found, say = self._found, self._wording.say
        lines = []
        if found.maybe_not_latest:
            lines.append(say("maybe_not_latest"))
        if found.rare:
            lines.append(self._rare())
        if found.assessment is not None and found.category is None and not found.red:
            lines.append(say("why.withheld"))
        if extreme := self._readings.extreme():
            lines.append(say("extreme", readings=", ".join(extreme)))
        atypicality = None if found.assessment is None else found.assessment.atypicality
        if (
            atypicality is not None
            and found.facts is not None
            and atypicality < found.facts.unusual_below
        ):
            lines.append(say("unusual"))
        return lines

    def _rare(self) -> str:
        """Rare diseases on record; their names are data (R38)."""
        rare = self._found.extraction.rare
        names = [self._rare_name(one.code, one.name) for one in rare[:MOST_RARE]]
        shown = self._wording.join(names)
        if len(rare) > MOST_RARE:
            shown = self._wording.say("list.more", names=", ".join(names), n=len(rare) - MOST_RARE)
        key = "rare.alone" if self._found.assessment is None else "rare"
        return self._wording.say(key, names=shown)

    def _reasons(self) -> list[str]:
        """What moved the prediction most, and the readings that did not."""
        top = self.contributions()[:TOP_REASONS]
        lines = [self.reason_line(reason) for reason in top]
        blocks = []
        if lines:
            blocks.append(_listed(self.reasons_heading(), lines))
        # A red reading stands above, with its age.
        used = {reason.reason for reason in top} | set(self._found.red)
        others = [
            self._readings.full(reason)
            for reason in SHOWN
            if reason not in used and self._readings.present(reason)
        ]
        if others and self._narrow:
            heading = self._wording.say("readings.other.heading")
            blocks.append(_listed(heading, map(sentence, others)))
        elif others:
            blocks.append(self._wording.say("readings.other", readings=", ".join(others)))
        return blocks

    def contributions(self) -> list[Contribution]:
        """What moved the prediction that is explained, the strongest first."""
        assessment, category = self._found.assessment, self._found.explained
        if assessment is None or category is None:
            return []
        given = assessment.contributions.get(category, ())
        return [reason for reason in given if reason.value != 0]

    def reason_line(self, reason: Contribution) -> str:
        """One of them in clinical words."""
        return self._wording.say(
            "reason.for" if reason.value > 0 else "reason.against",
            reading=sentence(self._readings.reason(reason.reason)),
        )

    def reasons_heading(self) -> str:
        """What the reasons are reasons for; raises `ValueError` where nothing is explained."""
        category = self._found.explained
        if category is None:
            raise ValueError("no category is explained")
        return self._wording.say("reasons", category=self._wording.category(category))

    def reading_lines(self) -> list[str]:
        """Age, sex and every reading with its age and its reference range."""
        extraction = self._found.extraction
        known = [
            *(["age"] if extraction.patient.age is not None else []),
            *(["sex"] if extraction.row.sex is not None else []),
            *(reason for reason in SHOWN if self._readings.present(reason)),
        ]
        return [sentence(self._readings.full(reason)) for reason in known]

    def missing_lines(self) -> list[str]:
        """What has no value, and why."""
        return [sentence(group) for group in self._readings.missing()]

    def _all_readings(self) -> list[str]:
        shown = [reason for reason in SHOWN if self._readings.present(reason)]
        if not shown:
            return [self._wording.say("readings.none")]
        age = [] if self._found.age is None else ["age"]
        lines = [sentence(self._readings.full(reason)) for reason in [*age, *shown]]
        return [_listed(self._wording.say("readings"), lines)]

    def rare_match_lines(self) -> list[str]:
        """The clearest few-shot head, if the readings reach one."""
        return [text] if (text := self._rare_match()) else []

    def _rare_match(self) -> str:
        """The clearest few-shot head the readings reach, of a disease that is not on record."""
        found = self._found
        known = {one.code for one in found.extraction.rare}
        matches = () if found.assessment is None else found.assessment.rare_matches
        match = next((one for one in matches if one.code not in known), None)
        if match is None:
            return ""
        simulated = found.facts is not None and found.facts.simulated
        return self._wording.say(
            "rare.match.simulated" if simulated else "rare.match",
            n=match.cases,
            name=self._rare_name(match.code, match.name),
            charts=round(1.0 / match.flag_rate),
        )

    def on_record_lines(self) -> list[str]:
        """Illness known before, from the classes of Conditions, never from their text (C16)."""
        known = self._found.extraction.known_before
        names = [self._wording.category(s) for s in ON_RECORD if s in known]
        return [self._wording.say("on_record", names=self._wording.join(names))] if names else []

    def _missing(self) -> str:
        groups = self._readings.missing()
        if not groups:
            return ""
        if self._narrow and len(groups) > 1:
            return _listed(self._wording.say("missing.heading"), map(sentence, groups))
        return self._wording.say("missing", names="; ".join(groups))

    def _last(self) -> str:
        say = self._wording.say
        loud = (say("sandbox"), say("simulated"))
        return self._together(
            [f"**{line}**" if line in loud else line for line in self.last_lines()]
        )

    def last_lines(self) -> list[str]:
        """What the model is; the last says "decision support, not a diagnosis"."""
        facts, say = self._found.facts, self._wording.say
        lines = [say("sandbox")] if self._sandbox else []
        if facts is None:
            return [*lines, say("model.none")]
        if facts.missing_categories and self._found.assessment is not None:
            names = [self._wording.category(severity) for severity in facts.missing_categories]
            lines.append(say("not_covered", names=self._wording.join(names, "or")))
        if facts.simulated:
            lines.append(say("simulated"))
        lines.append(say("model", version=self._data(facts.version)))
        return lines

    # Parts

    def _together(self, statements: Sequence[str]) -> str:
        """Statements as one paragraph, in a narrow pane as one each."""
        return ("\n\n" if self._narrow else " ").join(statements)

    def _estimate(self, severity: Severity) -> str:
        """The probability of a category against its base rate, in frequencies (C11)."""
        if self._found.assessment is None:
            raise ValueError("no probability without an assessment")
        frequency = self._wording.frequency(self._found.assessment.probabilities[severity])
        category, usual = self._wording.display(severity), self._usual(severity, short=False)
        if usual is None:
            return self._wording.say("estimate.alone", category=category, frequency=frequency)
        return self._wording.say("estimate", category=category, frequency=frequency, usual=usual)

    def _usual(self, severity: Severity, *, short: bool) -> str | None:
        facts = self._found.facts
        if facts is None or severity not in facts.base_rates:
            return None
        usual = self._wording.frequency(facts.base_rates[severity], short=short)
        return self._wording.say("usual.simulated", usual=usual) if facts.simulated else usual

    def _outside(self) -> str:
        reason = population_reason(self._found.extraction, self._found.facts)
        return "pregnant" if reason == "pregnant" else "age"

    def _rare_name(self, code: str, name: str | None) -> str:
        """As `rare_name`, safe for where this text is shown."""
        return rare_name(code, name, self._wording, self._data)

    def _ages(self) -> dict[str, str]:
        low, high = population(self._found.facts)
        return {"low": self._wording.number(low), "high": self._wording.number(high)}


def rare_name(
    code: str, name: str | None, wording: Wording, data: Callable[[str], str] = from_data
) -> str:
    """A rare disease as "Fabry disease (ORPHA:324)"; without a name the code alone."""
    return (
        data(code) if name is None else wording.say("rare.name", name=data(name), code=data(code))
    )


def _listed(heading: str, items: Iterable[str]) -> str:
    """A Markdown list under its heading."""
    return "\n".join([heading + "\n", *(f"- {item}" for item in items)])
