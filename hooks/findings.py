"""What a card may say of one patient, before it is put into words (rules C7, C9 to C11)."""

from dataclasses import dataclass

from fhir_mapping.readings import Extraction
from hooks.disease_severity import Situation
from model.assessment import Assessment, ModelFacts
from model.early_warning import PartialNews2, dangerous_readings, partial_news2
from model.severity import Severity

MAX_NAMED = 2
"""A prediction set with more categories than this is not named (C11)."""


@dataclass(frozen=True, slots=True)
class Findings:
    """The rules applied to one extraction and its assessment."""

    extraction: Extraction
    assessment: Assessment | None
    """`None` unless the situation is `scored`."""
    facts: ModelFacts | None
    situation: Situation
    red: tuple[str, ...]
    """Features with a red NEWS2 score (C9), in table order."""
    news2: PartialNews2 | None
    maybe_not_latest: bool
    acute_flagged: bool
    """Acute is above its operating threshold."""
    category: Severity | None
    """What the card may name; `None` where nothing was scored or the category is withheld."""

    @property
    def rare(self) -> bool:
        """A rare disease is on record: what the model says may not fit."""
        return bool(self.extraction.rare)

    @property
    def withheld(self) -> frozenset[Severity]:
        """Categories that are not named."""
        return withheld(red=bool(self.red), maybe_not_latest=self.maybe_not_latest, rare=self.rare)

    @property
    def age(self) -> float | None:
        """Age, a."""
        return self.extraction.patient.age

    def hidden_as_old(self, severity: Severity) -> bool:
        """Whether a category is not named for the reason that newer readings may exist."""
        return self.maybe_not_latest and severity is not Severity.MILD

    @property
    def withheld_for_rare(self) -> bool:
        """Whether the category found is not named for the sake of a rare disease on record."""
        return (
            self.assessment is not None
            and self.category is None
            and self.rare
            and not self.red
            and not self.hidden_as_old(self.assessment.category)
        )

    @property
    def excludes_acute(self) -> bool:
        """Whether the card may call acute illness unlikely (C11).

        Never beside a red reading, with a rare disease on record, nor where newer readings may
        exist: the model can raise concern, never lower it (C9), and this is as reassuring as
        not-ill (C7).
        """
        return (
            self.assessment is not None
            and self.facts is not None
            and not self.withheld
            and not self.acute_flagged
            and Severity.ACUTE in self.facts.excludable
            and Severity.ACUTE in self.assessment.probabilities
            and Severity.ACUTE not in self.assessment.prediction_set
        )

    @property
    def shows_acute(self) -> bool:
        """Whether the estimate for acute illness is stated.

        Where reassurance is not allowed, only if it is no lower than usual (C9).
        """
        if self.assessment is None or Severity.ACUTE not in self.assessment.probabilities:
            return False
        if self.category is Severity.ACUTE or not self.withheld:
            return True
        usual = {} if self.facts is None else self.facts.base_rates
        return self.assessment.probabilities[Severity.ACUTE] >= usual.get(Severity.ACUTE, 0.0)

    def may_state(self, severity: Severity) -> bool:
        """Whether the probability of a category may be told: it raises concern, or nothing forbids
        to lower it.

        Not-ill and mild never beside a red reading or with a rare disease on record, not-ill never
        where newer readings may exist, and acute in each case only if it is no less likely than
        usual (C7, C9).
        """
        return self.shows_acute if severity is Severity.ACUTE else severity not in self.withheld

    def why_not_stated(self, severity: Severity) -> str:
        """Why it may not: `red`, `maybe_not_latest` or `rare`."""
        if self.red:
            return "red"
        return "maybe_not_latest" if self.hidden_as_old(severity) else "rare"

    @property
    def explained(self) -> Severity | None:
        """The category whose contributions the card lists."""
        if self.category is not None:
            return self.category
        return Severity.ACUTE if self.shows_acute else None

    @property
    def set_is_narrow(self) -> bool:
        """Whether the prediction set holds few enough categories to be named (C11)."""
        return self.assessment is not None and len(self.assessment.prediction_set) <= MAX_NAMED

    @property
    def named_set(self) -> tuple[Severity, ...]:
        """The prediction set where it may be named, else empty (C11).

        With a rare disease on record a narrow set would be believed of a patient it was not
        calibrated for.
        """
        if self.assessment is None or self.rare:
            return ()
        named = self.assessment.prediction_set
        nameable = (
            self.set_is_narrow and self.category in named and not self.withheld.intersection(named)
        )
        return named if nameable else ()

    @property
    def full_set(self) -> tuple[Severity, ...] | None:
        """The whole prediction set, for a page that explains (C11); `None` where nothing was
        scored, and where to tell it would reassure against a rule.

        Where categories are withheld it may only say that acute illness is not excluded (C7, C9);
        a narrow one is not told of a patient it was not calibrated for.
        """
        if self.assessment is None or (self.rare and self.set_is_narrow):
            return None
        members = self.assessment.prediction_set
        return None if self.withheld and Severity.ACUTE not in members else members


def find(
    extraction: Extraction,
    assessment: Assessment | None,
    facts: ModelFacts | None,
    situation: Situation,
) -> Findings:
    """Apply the rules; raises `ValueError` if a scored situation comes without its score."""
    scored = situation is Situation.SCORED
    if scored and (assessment is None or facts is None):
        raise ValueError("a scored situation needs its assessment and the facts of its model")
    if not scored:
        assessment = None
    pregnant = extraction.pregnant
    red = dangerous_readings(extraction.row, pregnant=pregnant)
    maybe_not_latest = extraction.maybe_not_latest or any(
        "maybe_not_latest" in reading.flags for reading in extraction.readings
    )
    category = None
    acute_flagged = False
    if assessment is not None:
        acute_flagged = assessment.above_threshold.get(Severity.ACUTE, False)
        hidden = withheld(
            red=bool(red), maybe_not_latest=maybe_not_latest, rare=bool(extraction.rare)
        )
        if assessment.category not in hidden:
            category = assessment.category
    return Findings(
        extraction=extraction,
        assessment=assessment,
        facts=facts,
        situation=situation,
        red=red,
        news2=partial_news2(extraction.row, pregnant=pregnant),
        maybe_not_latest=maybe_not_latest,
        acute_flagged=acute_flagged,
        category=category,
    )


def withheld(*, red: bool, maybe_not_latest: bool, rare: bool) -> frozenset[Severity]:
    """Categories that are not named: not-ill on old readings (C7); beside a red reading (C9), or
    with a rare disease on record, also mild, which would lower concern."""
    if red or rare:
        return frozenset({Severity.NOT_ILL, Severity.MILD})
    return frozenset({Severity.NOT_ILL}) if maybe_not_latest else frozenset()
