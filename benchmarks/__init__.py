"""Measurements as ratios to a floor in the same run; none is a test."""
