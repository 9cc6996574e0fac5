"""Data: text per language, from a corpus to rows of calibration tokens."""
