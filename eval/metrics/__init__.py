"""Measures by name, their values by query, and paired statistics over them."""
