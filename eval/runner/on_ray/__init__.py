"""Workers on many GPUs and machines, held by Ray."""
