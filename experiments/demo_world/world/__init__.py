"""The generated world: text in parallel languages, all of it made by this project."""
