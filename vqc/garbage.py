"""When the command collects garbage: not while it loads torch, and not at its end.

torch is a million objects that stay. To look for garbage among them again and again takes a third of the time of
loading it, and to take them apart when the process ends, whose memory goes back anyway, as long again.
"""

from __future__ import annotations

import atexit
import gc

_postponed = False


def postpone() -> None:
    """Collect no garbage until `resume` is called, and none at the end of this process."""
    global _postponed
    _postponed = True
    gc.disable()
    atexit.register(gc.freeze)


def resume() -> None:
    """Collect garbage again, if it was postponed; what has been loaded by now is not looked at."""
    global _postponed
    if _postponed:
        _postponed = False
        gc.freeze()
        gc.enable()
