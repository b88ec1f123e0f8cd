"""Results for other programs: file formats, the hub, experiment trackers."""
