"""Pitch is coded as its change: one table serves all four values of a frame of the `speech` codec."""

from __future__ import annotations

import numpy as np

from vqc.models.base import Int64Array
from vqc.nn.pitch import PITCH_STATES

_CHANGES = PITCH_STATES - 1  # voiced states; their differences are taken modulo this
_SWITCH = _CHANGES  # the symbol for voiced ↔ unvoiced at the last voiced pitch


def to_changes(states: Int64Array) -> Int64Array:
    """States in order of time to symbols: 0 as before, 127 voice on or off, else the change from the last voiced state.

    A change implies voice, so that unvoiced → voiced at another pitch is one symbol.
    """
    symbols = np.zeros_like(states)
    voiced, last = False, 1 + _CHANGES // 2
    for t, state in enumerate(states.tolist()):
        if state == 0:
            symbols[t] = _SWITCH if voiced else 0
            voiced = False
            continue
        change = (state - last) % _CHANGES
        symbols[t] = _SWITCH if change == 0 and not voiced else change
        voiced, last = True, state
    return symbols


def from_changes(symbols: Int64Array) -> Int64Array:
    """The inverse of `to_changes`."""
    states = np.zeros_like(symbols)
    voiced, last = False, 1 + _CHANGES // 2
    for t, symbol in enumerate(symbols.tolist()):
        if symbol == _SWITCH:
            voiced = not voiced
        elif symbol > 0:
            voiced, last = True, (last - 1 + symbol) % _CHANGES + 1
        states[t] = last if voiced else 0
    return states
