"""Published figures and their errata."""
