"""Speed side by side: this engine and installed peers on the same generated pairs, each in its own process."""
