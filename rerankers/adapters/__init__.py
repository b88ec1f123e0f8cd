"""Rerankers on a device, one file per mechanism; families state which models each runs."""
