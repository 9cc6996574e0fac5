"""Storage: files that survive a crash, and results that are made once."""
