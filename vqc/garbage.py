"""When the command collects garbage: not while it loads torch, and not at its end.

torch is a million objects that stay. To look for garbage among them again and again takes a third of the time of
loading it, and to take them apart when the process ends, whose memory goes back anyway, as long again.
"""

from __future__ import annotations

import atexit
import gc

_RARELY = 1 << 20  # objects: four times as many as torch makes when it is loaded

_before: tuple[int, int, int] | None = None  # thresholds, while postponed


def postpone() -> None:
    """Hardly ever collect garbage until `resume` is called, and none at the end of this process."""
    global _before
    _before = gc.get_threshold()
    gc.set_threshold(_RARELY)
    atexit.register(gc.freeze)


def resume() -> None:
    """Collect garbage as before, if it was postponed; what has been loaded by now is not looked at."""
    global _before
    if _before is not None:
        gc.freeze()
        gc.set_threshold(*_before)
        _before = None
