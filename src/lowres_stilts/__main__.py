"""`python -m lowres_stilts` is the command line."""

from lowres_stilts.cli import main

if __name__ == "__main__":
    main()
