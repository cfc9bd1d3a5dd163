"""Training: history and simulation in, artefact folder out. Never imported by serving."""
