"""Pruners: a weight matrix and the moments of its input in, the new matrix out."""
