"""Rerankers on a device, one file per mechanism; which models each runs is said by the families."""
