"""Which worker gets which block and when a worker is given up; independent of Ray."""
