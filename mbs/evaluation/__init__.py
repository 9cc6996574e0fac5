"""Evaluators: a model in, scores per language out."""
