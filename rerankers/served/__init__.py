"""Rerankers behind a server: what is sent, how often it is tried, and what comes back."""
