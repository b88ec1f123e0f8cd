"""From texts to token ids: the tokenizer, pairs for encoders and decoders, length limits."""
