"""The tables. Nothing here names a patient: only keyed hashes and encrypted fields (C3)."""

from sqlmodel import SQLModel

from cds_service.storage.tables import (
    assessments,
    calls,
    clients,
    models,
    outcomes,
    people,
    runs,
    watching,
)
from cds_service.storage.tables.columns import JSON_, UTCDateTime

__all__ = [
    "JSON_",
    "UTCDateTime",
    "assessments",
    "calls",
    "clients",
    "models",
    "outcomes",
    "people",
    "runs",
    "watching",
]

ASSESSMENTS = SQLModel.metadata.tables["assessments"]
CALL_COUNTS = SQLModel.metadata.tables["call_counts"]
CARDS = SQLModel.metadata.tables["cards"]
FEEDBACK = SQLModel.metadata.tables["feedback"]
CONDITIONS = SQLModel.metadata.tables["conditions"]
OUTCOMES = SQLModel.metadata.tables["outcomes"]
PATIENT_MERGES = SQLModel.metadata.tables["patient_merges"]
OUTCOME_PULLS = SQLModel.metadata.tables["outcome_pulls"]
NOTIFICATIONS = SQLModel.metadata.tables["notifications"]
SUBSCRIPTION_CURSORS = SQLModel.metadata.tables["subscription_cursors"]
RARE_CASE_REVIEWS = SQLModel.metadata.tables["rare_case_reviews"]
CLIENTS = SQLModel.metadata.tables["clients"]
CLIENT_SECRETS = SQLModel.metadata.tables["client_secrets"]
USED_TOKENS = SQLModel.metadata.tables["used_tokens"]
SWITCHES = SQLModel.metadata.tables["switches"]
USERS = SQLModel.metadata.tables["users"]
SESSIONS = SQLModel.metadata.tables["sessions"]
POLICY_CONSENTS = SQLModel.metadata.tables["policy_consents"]
USED_LINKS = SQLModel.metadata.tables["used_links"]
SIGN_IN_ATTEMPTS = SQLModel.metadata.tables["sign_in_attempts"]
AUDIT_EVENTS = SQLModel.metadata.tables["audit_events"]
MODEL_VERSIONS = SQLModel.metadata.tables["model_versions"]
RELEASES = SQLModel.metadata.tables["releases"]
HISTORY_FILES = SQLModel.metadata.tables["history_files"]
EVALUATIONS = SQLModel.metadata.tables["evaluations"]
HELD_OUT_LOOKS = SQLModel.metadata.tables["held_out_looks"]
MODEL_CARD_ENTRIES = SQLModel.metadata.tables["model_card_entries"]
ALERTS = SQLModel.metadata.tables["alerts"]
ALERT_DELIVERIES = SQLModel.metadata.tables["alert_deliveries"]
INPUT_CHUNKS = SQLModel.metadata.tables["input_chunks"]
EVALUATION_CHUNKS = SQLModel.metadata.tables["evaluation_chunks"]
SHADOW_SCORES = SQLModel.metadata.tables["shadow_scores"]
RUNS = SQLModel.metadata.tables["runs"]
COMPARISON_REQUESTS = SQLModel.metadata.tables["comparison_requests"]
JOBS = SQLModel.metadata.tables["jobs"]
CHALLENGERS = SQLModel.metadata.tables["challengers"]
RELEASE_WATCHES = SQLModel.metadata.tables["release_watches"]
REVIEW_ITEMS = SQLModel.metadata.tables["review_items"]
REVIEW_ANSWERS = SQLModel.metadata.tables["review_answers"]
EXPORT_PARTS = SQLModel.metadata.tables["export_parts"]
EXPORTED_ROWS = SQLModel.metadata.tables["exported_rows"]
WATCHED_FILES = SQLModel.metadata.tables["watched_files"]
