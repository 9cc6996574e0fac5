"""Corpora: text per language, as documents with ids."""
