"""Errors of the model package; each message is a sentence a user can act on."""


class ModelError(Exception):
    """Base of every error this package raises on purpose."""


class ArtefactError(ModelError):
    """The artefact folder is missing, damaged, or was made for other features."""


class HistoryError(ModelError):
    """A history file cannot be read, or holds nothing to learn from."""


class TrainingError(ModelError):
    """Training cannot be done honestly on the rows that are there."""
