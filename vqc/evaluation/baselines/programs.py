"""Running the command-line programs of other codecs."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from functools import cache

from vqc.errors import MediaError

_PATIENCE_SECONDS = 600  # then a program is taken to hang


def absent(programs: Sequence[str], package: str) -> str | None:
    """None when all are on the path, or a sentence's end about the first that is not."""
    for program in programs:
        if shutil.which(program) is None:
            return f"the program {program} is not installed (package {package})"
    return None


def run(command: Sequence[str], data: bytes = b"") -> bytes:
    """Run a program with `data` on stdin, and return what it writes to stdout.

    Raises:
        MediaError: it cannot be started, fails, or does not end.
    """
    try:
        done = subprocess.run(command, input=data, capture_output=True, check=True, timeout=_PATIENCE_SECONDS)
    except subprocess.CalledProcessError as error:
        lines = error.stderr.decode(errors="replace").strip().splitlines()
        raise MediaError(f"{command[0]} failed: {lines[-1] if lines else f'exit status {error.returncode}'}") from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise MediaError(f"{command[0]} failed: {error}") from None
    return done.stdout


@cache
def version_line(program: str, option: str = "--version") -> str:
    """The first line that a program says of itself."""
    lines = (run([program, option]).decode(errors="replace").strip() or program).splitlines()
    return lines[0]
