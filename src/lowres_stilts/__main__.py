"""`python -m lowres_stilts` is the `lowres-stilts` command."""

from lowres_stilts.cli import main

if __name__ == "__main__":
    main()
