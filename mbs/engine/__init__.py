"""The engine: any causal language model, run block by block."""
