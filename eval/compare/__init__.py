"""Two runs side by side: paired differences, and the parity of two engines."""
