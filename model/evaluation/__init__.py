"""Evaluation: predictions and outcomes in, metrics with intervals out; never serves."""
