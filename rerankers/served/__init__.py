"""Rerankers behind a server: requests, retries and answers."""
