"""Families of rerankers: one small file each, with all that is special about its models."""
