"""Data of the project: YAML, CSV and JSON lines only."""
