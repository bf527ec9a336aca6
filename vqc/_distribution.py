"""The name under which pip installs this package, written once: `vqc` on PyPI is somebody else's.

Command, import and folder are called `vqc` nevertheless. `pyproject.toml` has to spell the name out again; a test
compares the two.
"""

from __future__ import annotations

DISTRIBUTION = "vqc-codec"


def install_command(extra: str) -> str:
    """What to type in order to get an extra, for sentences about a missing package."""
    return f"pip install '{DISTRIBUTION}[{extra}]'"
