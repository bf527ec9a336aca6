"""The command line, as in the tests of it."""

from cli.conftest import run

__all__ = ["run"]
