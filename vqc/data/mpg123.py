"""libmpg123, with which libsndfile reads MP3, writes on stderr what it thinks of a file; here that is kept away."""

from __future__ import annotations

import os
import re
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_STDERR = 2  # the descriptor: a library in C knows nothing of sys.stderr
_ITS_LINES = re.compile(rb"\[\S*\.c:|(Note|Warning|Error): |\s*$")
_one_at_a_time = threading.Lock()


@contextmanager
def quiet() -> Iterator[None]:
    """A block without the lines of libmpg123. What others write meanwhile comes when it ends."""
    with _one_at_a_time, tempfile.TemporaryFile() as written:
        try:
            stderr = os.dup(_STDERR)
        except OSError:  # it is closed, so nobody sees anything
            yield
            return
        os.dup2(written.fileno(), _STDERR)
        try:
            yield
        finally:
            os.dup2(stderr, _STDERR)
            os.close(stderr)
            written.seek(0)
            if others := b"".join(line for line in written if not _ITS_LINES.match(line)):
                os.write(_STDERR, others)
