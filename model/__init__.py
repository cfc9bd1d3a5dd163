"""Severity model: features in, calibrated probabilities and contributions out.

Knows nothing of FHIR, HTTP or SQL. The modules at this level are what serving needs;
`model.training` and `model.evaluation` are loaded only by the commands that train and evaluate.
"""

import os

# Threads of a training that wait must sleep, not spin: on shared cores two trainings at once
# otherwise take twenty times as long. Read by OpenMP when XGBoost or scikit-learn is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
