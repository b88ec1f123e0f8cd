"""Datasets: queries, judgements, and a corpus that stays on disk."""
