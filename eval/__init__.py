"""Evaluation: datasets, first stage, runner, metrics, tables, regression check, command line."""
