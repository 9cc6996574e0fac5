"""`python -m mbs` is the command `mbs`."""

from mbs.cli.main import main

if __name__ == "__main__":
    main()
