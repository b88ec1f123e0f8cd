"""Runs experiments: scores, stores, makes cells."""
