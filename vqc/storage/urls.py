"""Which names are URLs."""

from __future__ import annotations

import re

URL = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)


def is_url(text: str) -> bool:
    """Whether this names a file or folder by URL."""
    return URL.match(text) is not None
