"""One lineariser per language: abstract sentences in, text out."""
