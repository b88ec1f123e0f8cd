"""The largest numbers that options take. FLOPs of a pair of more tokens would not fit 64 bits."""

MOST_TOKENS = 1 << 20
MOST_QUERIES = 1_000_000_000
