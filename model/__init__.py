"""Severity model: features in, calibrated probabilities and contributions out.

Knows nothing of FHIR, HTTP or SQL. The modules at this level are what serving needs;
`model.training` and `model.evaluation` are loaded only by the commands that train and evaluate.
"""
