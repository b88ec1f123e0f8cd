"""Experiments: validated, planned, run, stored."""
