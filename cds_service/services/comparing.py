"""Comparing two versions: what `retrain` and `models compare` share."""

from cds_service.settings import Settings
from model.training.gate_records import Margins


def margins_of(settings: Settings) -> Margins:
    """How much worse a challenger may be at this site."""
    return Margins(
        log_loss=settings.gate_log_loss,
        category=settings.gate_category,
        sensitivity=settings.gate_sensitivity,
        fairness=settings.gate_fairness,
        latency_ratio=settings.gate_latency_ratio,
        latency_ms=settings.gate_latency_ms,
        minimum=settings.minimum_held_out,
    )
