"""Adapters: one file per family of rerankers."""
