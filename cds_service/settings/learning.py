"""How models are trained, gated, released, watched and reviewed."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from cds_service.settings.serving import ServingSettings


class LearningSettings(ServingSettings):
    """Settings of everything that learns, and of what watches it."""

    minimum_outcomes: int = Field(
        100,
        ge=1,
        description="Outcomes below which `evaluate` says so instead of printing figures.",
    )
    minimum_held_out: int = Field(
        2000,
        ge=1,
        description="Held-out outcomes below which `retrain` cannot decide and the champion stays.",
    )
    input_chunk_rows: int = Field(
        500,
        ge=300,
        description="Assessments in a chunk of the input watch.",
    )
    reference_chunks: int = Field(
        10,
        ge=5,
        description="Local chunks that later ones are held against; below five nothing but unseen "
        "codes and units raises an alert.",
    )
    input_reference: Literal["local", "training"] = Field(
        "local",
        description="What distances of inputs are taken from: `local`, the first "
        "CDS_REFERENCE_CHUNKS chunks seen here, and until there are as many the rows that the live "
        "version learnt from; `training`, always those rows.",
    )
    gate_log_loss: float = Field(
        0.003, ge=0, description="How much worse the log loss of a challenger may be, nat."
    )
    gate_category: float = Field(
        0.03,
        ge=0,
        description="How much worse its log loss of one category against the rest may be, as a "
        "share of the entropy of the category.",
    )
    gate_sensitivity: float = Field(
        0.05,
        ge=0,
        le=1,
        description="How much lower its sensitivity for acute illness may be, at the champion's "
        "flag rate.",
    )
    gate_fairness: float = Field(
        0.05,
        ge=0,
        le=1,
        description="How much more that sensitivity may differ between sexes or between ages than "
        "with the champion, if a group is found less often.",
    )
    gate_latency_ratio: float = Field(
        2.0,
        ge=1,
        description="How many times the champion's median its median time of an answer may be; "
        "below 5 ms it may be anything.",
    )
    gate_latency_ms: float = Field(
        50.0, gt=0, description="95th percentile of the time of an answer that it may have, ms."
    )
    training_window_days: int = Field(
        1095,
        ge=30,
        description="How old rows may be that `retrain` learns from, d; rows without a time always "
        "count.",
    )
    retrain_new_outcomes: int = Field(
        2000,
        ge=0,
        description="New outcomes since the champion from which a refresh is due; 0: never for "
        "that reason.",
    )
    search_minutes: float = Field(
        240, gt=0, description="How long the search of every third month may take, min."
    )
    shadow_days: int = Field(
        14,
        ge=0,
        le=365,
        description="How long a challenger of the schedule stays in shadow after its gates, d; 0: "
        "it waits for approval at once.",
    )
    shadow_outcomes: int = Field(
        300,
        ge=50,
        description="Outcomes of its time in shadow that it must be judged on.",
    )
    watch_outcomes: int = Field(
        500,
        ge=50,
        description="Outcomes after a promotion at which the new version is held against the old "
        "one; again at twice as many.",
    )
    change_plan: Path | None = Field(
        None,
        description="JSON file of a written change plan, by which a challenger may be promoted "
        "without a person. Default: none may.",
    )
    floor_acute_sensitivity: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Sensitivity for acute illness below which an alert is raised. Floors block no "
        "better model.",
    )
    floor_acute_ppv: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Positive predictive value for acute illness below which an alert is raised.",
    )
    floor_macro_auroc: float | None = Field(
        None,
        ge=0.5,
        le=1,
        description="Mean AUROC of the categories below which an alert is raised.",
    )
    review_daily: int = Field(
        20,
        ge=0,
        le=1000,
        description="Assessments a day that reviewers are asked about because they teach most.",
    )
    review_audit_share: float = Field(
        0.01,
        ge=0,
        le=1,
        description="Share of assessments that reviewers are asked about at random.",
    )
    review_days: int = Field(
        60,
        ge=31,
        le=365,
        description="Days after which nobody is asked about an assessment, and after which an "
        "unanswered question is closed; the random ones stay.",
    )
    evaluation_chunk_rows: int = Field(
        500,
        ge=100,
        description="Index assessments with which a chunk of `evaluate` closes.",
    )
    evaluation_chunk_days: float = Field(
        30,
        gt=0,
        description="Days after which such a chunk closes with fewer, if it has 100; else it "
        "closes with the 100th.",
    )
