"""Rare diseases of the simulated cohort, with ORPHAcodes and vital signs from named papers.

Half of them look like a common category and cannot be told from it by vital signs; the other half
have a pattern of their own. Papers on rare diseases give shares and directions more often than
means: the means below are our reading of them, in the units of `FEATURES`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from model.severity import Severity

MeanSd = tuple[float, float]
"""Mean and standard deviation."""


@dataclass(frozen=True, slots=True)
class RareDisease:
    """One rare disease as it is met in the simulated cohort."""

    orphacode: str
    name: str
    severity: Severity
    """Category of its records."""
    overlaps: Severity | None
    """Category whose vital signs it shares; `None` where the pattern is its own."""
    share_female: float
    age: MeanSd
    heart_rate: MeanSd
    body_temperature: MeanSd
    systolic_bp: MeanSd
    diastolic_bp: MeanSd
    respiratory_rate: MeanSd
    oxygen_saturation: MeanSd
    source: str

    @property
    def code(self) -> str:
        """As the column `rare_code` of history has it."""
        return f"ORPHA:{self.orphacode}"


_NOT_ILL, _ACUTE, _CHRONIC = Severity.NOT_ILL, Severity.ACUTE, Severity.CHRONIC

# fmt: off
RARE_DISEASES: tuple[RareDisease, ...] = (
    #           ORPHAcode, name, category, overlaps, share of women, age,
    #           rate, temperature, systolic, diastolic, respiratory rate, saturation, source
    RareDisease("422", "Idiopathic/heritable pulmonary arterial hypertension",
                _CHRONIC, _CHRONIC, 0.58, (57, 17),
                (80, 15), (36.6, 0.3), (127, 18), (79, 12), (18, 3), (95.2, 2.5),
                "Boucly 2017 (French registry): 57 (SD 17) years, 59 % women, rate 80 (SD 15), "
                "mean pressure 95 (SD 17); saturation: size ours"),
    RareDisease("3287", "Takayasu arteritis",
                _CHRONIC, _CHRONIC, 0.91, (36, 13),
                (79, 12), (36.7, 0.3), (139, 21), (79, 13), (16, 2.5), (97.5, 1.2),
                "Schmidt 2013 (126 patients, 91 % women, 32 years at diagnosis); Kerr 1994: "
                "hypertension in a third"),
    RareDisease("324", "Fabry disease",
                _CHRONIC, _CHRONIC, 0.50, (42, 14),
                (70, 11), (36.6, 0.3), (126, 16), (75, 10), (16, 2.5), (97.3, 1.3),
                "Kleinert 2006 (Fabry Outcome Survey, 391 patients): median 120/74 to 130/75 by "
                "kidney function"),
    RareDisease("3286", "Catecholaminergic polymorphic ventricular tachycardia",
                _CHRONIC, _NOT_ILL, 0.50, (32, 11),
                (66, 9), (36.6, 0.3), (117, 12), (71, 9), (15.5, 2.2), (97.9, 1.0),
                "Postma 2005: sinus bradycardia at rest without drugs, otherwise unremarkable "
                "(size ours)"),
    RareDisease("423", "Malignant hyperthermia of anesthesia",
                _ACUTE, None, 0.35, (30, 11),
                (138, 18), (39.4, 0.9), (128, 24), (70, 15), (28, 6), (94, 4),
                "Larach 2010 and Riazi 2014: hyperthermia and sinus tachycardia in two thirds, "
                "young, mostly men (61 %)"),
    RareDisease("29072", "Hereditary pheochromocytoma-paraganglioma",
                _ACUTE, None, 0.50, (41, 14),
                (112, 17), (37.0, 0.4), (194, 24), (112, 14), (20, 3.5), (97, 1.5),
                "Soltani 2016 (37 studies): hypertension 81 %, palpitation 59 %; a paroxysm "
                "(size ours)"),
    RareDisease("79276", "Acute intermittent porphyria",
                _ACUTE, None, 0.85, (31, 9),
                (119, 14), (37.0, 0.4), (157, 17), (100, 11), (18, 3), (98, 1.2),
                "Anderson 2005: tachycardia in 64-85 %, hypertension in 36-55 % of attacks; Hift "
                "and Meissner 2005: mostly young women"),
    RareDisease("621", "Hereditary methemoglobinemia",
                _CHRONIC, None, 0.50, (36, 13),
                (78, 11), (36.6, 0.3), (121, 13), (74, 9), (16, 2.5), (85.5, 2.0),
                "Barker 1989: pulse oximeters drift to 85 % whatever the true saturation; Percy "
                "and Lappin 2008: cyanosis with little else"),
)
# fmt: on

SIMULATED_NAMES: Mapping[str, str] = {disease.code: disease.name for disease in RARE_DISEASES}
"""By code: histories of real patients bring no names."""
