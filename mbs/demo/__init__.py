"""The embedded world: a generator of text in parallel languages, all of it made by this project."""
