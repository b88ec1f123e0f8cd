"""Regression gate: baselines, and the comparison of runs."""
