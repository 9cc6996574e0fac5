"""Trackers: where the numbers of a run go besides its own files."""
