"""A published table from nothing, in one command that continues where it stopped."""
