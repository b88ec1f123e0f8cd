"""What a device is, what it can do at most, and what energy it uses."""
