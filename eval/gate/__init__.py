"""Regression gate: baselines, paired statistics, comparison of runs."""
