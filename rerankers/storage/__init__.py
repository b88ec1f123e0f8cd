"""Files that this package writes: whole or not at all, in a cache folder, under safe names."""
