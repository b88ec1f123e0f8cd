"""One file for each peer, and the process that they run in: alone, so that any Python that has the peer runs them."""
