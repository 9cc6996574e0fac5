"""Zero-shot tasks per language, prompted and scored by lm-eval."""
