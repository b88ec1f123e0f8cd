"""Latency as served: one query at a time after warm-up, by phase, with one client or several."""
