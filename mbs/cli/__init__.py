"""The command line: Hydra and the terminal."""
