"""Families of rerankers: one small file each, which says all that is special about its models."""
