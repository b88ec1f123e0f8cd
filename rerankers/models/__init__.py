"""The two architectures: one small decoder, one small encoder."""
