"""Compression: weights and the moments of their inputs in, new weights out."""
