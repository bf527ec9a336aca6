"""The name under which pip installs this package, written once: `vqc` on PyPI is somebody else's.

Command, import and folder are called `vqc` nevertheless. `pyproject.toml` has to spell the name out again; a test
compares the two.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

DISTRIBUTION = "vqc-codec"


def install_command(extra: str) -> str:
    """What to type in order to get an extra, for sentences about a missing package."""
    return f"pip install '{DISTRIBUTION}[{extra}]'"


@contextmanager
def needs_extra(extra: str, told: str, error: Callable[[str], Exception]) -> Iterator[None]:
    """Import packages of an extra in this context: where one is missing, the error tells so, and what to install."""
    try:
        yield
    except ImportError:
        raise error(f"{told}; run: {install_command(extra)}") from None
