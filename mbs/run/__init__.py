"""Runs: one run from its settings to its result."""
