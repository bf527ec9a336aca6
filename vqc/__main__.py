"""`python -m vqc` is the `vqc` command."""

from vqc.cli.app import main

if __name__ == "__main__":
    main()
