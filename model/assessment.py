"""What the model says of one set of readings, and what is known of the model that said it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from model.severity import Severity


@dataclass(frozen=True, slots=True)
class Contribution:
    """How far one reason moved the prediction of a category: a SHAP value, never a cause."""

    reason: str
    """One of `model.features.REASONS`."""
    value: float
    """Calibrated log-odds of the category against the others; positive speaks for it."""


@dataclass(frozen=True, slots=True)
class RareMatch:
    """The readings are like those of confirmed cases of a rare disease: no category, no proof."""

    code: str
    """`ORPHA:…` or `OMIM:…`."""
    name: str | None
    cases: int
    """Confirmed cases the model learnt it from."""
    flag_rate: float
    """Share of charts that read so."""
    score: float
    """Log-ratio against the common centre, nat."""


@dataclass(frozen=True, slots=True)
class Assessment:
    """A scored set of readings."""

    probabilities: Mapping[Severity, float]
    """Calibrated, over the categories the model covers; they sum to 1."""
    category: Severity
    """Chosen by operating thresholds, not by the largest probability."""
    prediction_set: tuple[Severity, ...]
    """Class-conditional conformal set at `ModelFacts.coverage`."""
    contributions: Mapping[Severity, tuple[Contribution, ...]]
    """Per category, strongest first (ties in table order), reasons that are present only in so
    far as the model uses them."""
    baseline: Mapping[Severity, float]
    """Per category: calibrated log-odds minus the sum of its contributions."""
    atypicality: float | None
    """Share of calibration rows at least as unusual (a tail probability); `None` if unknown."""
    above_threshold: Mapping[Severity, bool]
    """Whether the probability reaches the operating threshold of the category."""
    rare_matches: tuple[RareMatch, ...] = ()
    """Few-shot heads whose threshold the readings reach, the clearest first."""


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What a card and a report must know of the model behind an assessment."""

    version: str
    simulated: bool
    """Trained on simulated patients: every card says so."""
    min_age: float
    max_age: float
    base_rates: Mapping[Severity, float]
    """Share of each category among the rows of its training and tuning parts."""
    missing_categories: tuple[Severity, ...]
    """Categories the history did not hold: no probability, never 0 (C19)."""
    coverage: float
    """Promised rate of the prediction sets, for each category (0.9)."""
    excludable: tuple[Severity, ...]
    """Categories whose exclusion by the prediction set is demonstrable (enough calibration
    rows): a card may say "unlikely: this rule misses at most 1 in 10" of these alone."""
    unusual_below: float = 0.01
    """Atypicality under which a card asks to check the measurements and the patient."""
    thresholds: Mapping[Severity, float] = field(default_factory=dict)
    """Operating thresholds, for the explanation of a decision."""
    extra_inputs: tuple[str, ...] = ()
    """Those of `model.features.EXTRA_INPUTS` it uses: an assessment by it asks for them."""
