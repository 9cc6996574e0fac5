"""Reports: what a person sees of the results."""
