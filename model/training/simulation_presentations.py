"""What illness does to vital signs: the presentations that make up each severity category.

A shift is the published mean of a cohort minus the healthy mean at that cohort's age, rounded;
the standard deviation is what is left of the cohort's spread after the healthy spread and the
measurement error. "Size ours" marks what a paper gives as a direction or a share only. The heart
rate that comes with fever is added by `simulation`, so the shifts here are those without it.
"""

from dataclasses import dataclass

from model.severity import Severity

Shift = tuple[float, float]
"""Mean and standard deviation of a change, in the units of `FEATURES`."""


@dataclass(frozen=True, slots=True)
class Presentation:
    """One way in which a category comes through the door."""

    name: str
    severity: Severity
    share: float
    """Share within the category; the shares of a category sum to 1."""
    age: Shift
    """Mean and standard deviation, years."""
    heart_rate: Shift
    body_temperature: Shift
    systolic_bp: Shift
    diastolic_bp: Shift
    respiratory_rate: Shift
    oxygen_saturation: Shift
    source: str


# Ours, and no estimate of any hospital: enough of each category to learn from. Mild is the largest
# and acute a tenth, as in triage (about one emergency visit in ten is of the two most urgent of
# five levels); chronic is a little under a third; terminal is well under the 28.8 % of inpatients
# who die within a year (Clark 2014), because few of them are recorded as such.
CATEGORY_SHARE: dict[Severity, float] = {
    Severity.NOT_ILL: 0.18,
    Severity.MILD: 0.38,
    Severity.ACUTE: 0.09,
    Severity.CHRONIC: 0.29,
    Severity.TERMINAL: 0.06,
}

_NOT_ILL, _MILD, _ACUTE = Severity.NOT_ILL, Severity.MILD, Severity.ACUTE
_CHRONIC, _TERMINAL = Severity.CHRONIC, Severity.TERMINAL

# fmt: off
PRESENTATIONS: tuple[Presentation, ...] = (
    #            name, category, share, age,
    #            rate, temperature, systolic, diastolic, respiratory rate, saturation, source
    Presentation("check-up", _NOT_ILL, 1.0, (42, 17),
                 (4, 3), (0.0, 0.1), (7, 7), (4, 4), (0.3, 1), (0.0, 0.3),
                 "Mancia 1983: alarm at the measurement, +27/15 mm[Hg] and +16/min at its peak, "
                 "most of it gone within ten minutes (what is left: size ours)"),

    Presentation("minor injury or pain", _MILD, 0.45, (41, 18),
                 (9, 8), (0.0, 0.2), (11, 11), (6, 7), (1.2, 1.5), (-0.1, 0.5),
                 "Marco 2006: vital signs hardly follow the pain score (size ours)"),
    Presentation("self-limiting infection", _MILD, 0.30, (40, 17),
                 (5, 6), (0.7, 0.6), (2, 9), (0, 7), (1.5, 1.8), (-0.4, 0.8),
                 "Monto 2000: fever in 68 % of influenza, 40 % of other respiratory illness"),
    Presentation("other self-limiting complaint", _MILD, 0.25, (45, 19),
                 (4, 6), (0.0, 0.2), (6, 10), (3, 6), (0.6, 1.5), (-0.1, 0.5),
                 "Barfod 2012: most patients triaged as not urgent have normal vital signs"),

    Presentation("sepsis", _ACUTE, 0.22, (66, 16),
                 (30, 18), (1.0, 1.2), (-22, 22), (-10, 13), (9, 6), (-3.5, 3.5),
                 "Rivers 2001: rate 114-117, systolic 106-109, respiratory rate 30-32; "
                 "ProCESS 2014: 114, 100, 25"),
    Presentation("stroke or hypertensive emergency", _ACUTE, 0.16, (71, 13),
                 (6, 13), (0.1, 0.4), (34, 25), (14, 14), (1.5, 2.5), (-1.0, 1.8),
                 "Leonardi-Bee 2002 (International Stroke Trial): systolic 160 (SD 28)"),
    Presentation("acute coronary syndrome", _ACUTE, 0.14, (65, 13),
                 (5, 17), (0.0, 0.3), (16, 26), (8, 15), (2, 3), (-1.0, 2.0),
                 "Granger 2003 (GRACE): systolic about 140, rate about 76 at presentation"),
    Presentation("acute heart failure", _ACUTE, 0.13, (73, 12),
                 (16, 20), (0.0, 0.4), (21, 30), (9, 17), (7, 5), (-4.5, 4.0),
                 "Adams 2005 (ADHERE): 72 years, systolic 144 (SD 33); Gheorghiade 2006 "
                 "(OPTIMIZE-HF): systolic 143 (SD 33), rate 87"),
    Presentation("respiratory failure", _ACUTE, 0.13, (68, 13),
                 (26, 16), (0.3, 0.6), (13, 20), (5, 12), (11, 5), (-7.5, 4.5),
                 "Plant 2000: exacerbated COPD with acidosis, respiratory rate 28"),
    Presentation("haemorrhage or dehydration", _ACUTE, 0.10, (52, 21),
                 (22, 18), (-0.3, 0.5), (-17, 20), (-8, 13), (4, 4), (-1.0, 2.0),
                 "Guly 2010: rates rise and pressures fall less than ATLS classes say"),
    Presentation("acute with little to see", _ACUTE, 0.12, (58, 18),
                 (9, 10), (0.1, 0.4), (5, 15), (2, 9), (1.5, 2), (-0.6, 1.2),
                 "Kaukonen 2015: one in eight with severe sepsis shows fewer than two SIRS signs"),

    Presentation("hypertension", _CHRONIC, 0.33, (66, 12),
                 (0, 5), (0.0, 0.1), (16, 14), (10, 10), (0.3, 1), (-0.2, 0.5),
                 "SPRINT 2015: 140 (SD 16)/78 (SD 12) at 68 years; Wright 2011: 130/75 treated, "
                 "146/85 untreated"),
    Presentation("diabetes", _CHRONIC, 0.19, (63, 12),
                 (3, 7), (0.0, 0.1), (18, 17), (9, 8), (0.4, 1), (-0.2, 0.6),
                 "ADVANCE 2007: 145 (SD 22)/81 (SD 11); Hillis 2012: rate 74 (SD 12)"),
    Presentation("stable heart failure", _CHRONIC, 0.12, (66, 12),
                 (0, 8), (-0.1, 0.1), (1, 12), (3, 7), (1.5, 1.5), (-0.8, 1.0),
                 "McMurray 2014 (PARADIGM-HF): 64 years, systolic 122 (SD 15), rate 72 (SD 12)"),
    Presentation("stable COPD", _CHRONIC, 0.13, (65, 9),
                 (8, 8), (0.0, 0.2), (8, 13), (5, 8), (3, 2.2), (-2.5, 2.2),
                 "Jensen 2013: resting rate rises with each GOLD stage; Agusti 2010 (ECLIPSE): "
                 "saturation falls with stage"),
    Presentation("controlled condition", _CHRONIC, 0.23, (52, 17),
                 (3, 5), (0.0, 0.1), (7, 9), (4, 6), (0.3, 1), (-0.1, 0.4),
                 "Wright 2011: 130/75 in treated hypertension, near the healthy (size ours)"),

    Presentation("advanced cancer", _TERMINAL, 0.45, (65, 13),
                 (18, 13), (0.1, 0.4), (-8, 14), (-3, 9), (2, 2.5), (-1.8, 2.2),
                 "Bruera 2014: 357 patients of two palliative care units; many near normal "
                 "(size ours)"),
    Presentation("last days of life", _TERMINAL, 0.15, (73, 13),
                 (24, 20), (0.2, 0.7), (-24, 18), (-13, 11), (4, 5), (-6.5, 6.0),
                 "Bruera 2014: pressures and saturation fall, rate up, temperature slightly up in "
                 "the last three days (size ours)"),
    Presentation("end-stage heart or lung disease", _TERMINAL, 0.25, (68, 13),
                 (10, 12), (-0.2, 0.2), (-12, 14), (-3, 9), (4, 3), (-4.0, 3.0),
                 "Binanay 2005 (ESCAPE): systolic 106 (SD 16), rate 82 (SD 15)"),
    Presentation("advanced dementia", _TERMINAL, 0.15, (84, 7),
                 (4, 8), (-0.1, 0.3), (-6, 15), (-2, 9), (1.5, 2), (-0.8, 1.2),
                 "Mitchell 2009: mean age 85; pneumonia and fever frequent (size ours)"),
)
# fmt: on
