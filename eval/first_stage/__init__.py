"""First stage: candidates per query, from BM25, a dense retriever or a run file."""
