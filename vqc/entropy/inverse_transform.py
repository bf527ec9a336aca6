"""Inverse transform sampling in integers: the same codes for the same seed on every machine.

    seed, item ─ Philox4x64-10 ─► 64 random bits for each place of the item ─┐
    frequencies [N, K] ─ running sums ─────────────────────────────────────── the first above ─► codes [N]

The generator is counter-based (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"): its key is the seed
and the number of the item, its counter the place of a code in the item. So a draw depends neither on the items that
are drawn beside it nor on the order in which codes are asked for. NumPy guarantees that `Philox` gives the same
integers in all versions; how it makes floats of them is not used. From the seed to the codes there is no float but
whole numbers that float64 holds exactly.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from vqc.entropy.range_coder import Frequencies

SEEDS = range(1 << 64)

_HALF = 24  # bits: of a random number two such halves are used, so that products stay below 2^63
_LARGEST_SUM = 1 << 38  # of a table: 2^14 codes of 2^24

RandomBits = NDArray[np.uint64]


def random_bits(seed: int, item: int, places: int) -> RandomBits:
    """Return 64 random bits for each of the places 0 … places − 1 of an item, uint64 [places].

    Args:
        seed: of `SEEDS`.
        item: number of the item, likewise.
    """
    bits: RandomBits = np.random.Philox(key=np.array([seed, item], np.uint64)).random_raw(places)
    return bits


def draw(frequencies: Frequencies, bits: RandomBits) -> NDArray[np.int64]:
    """Draw a code for each table [N, K] of whole numbers, with chances in proportion to them, from bits [N].

    A code is drawn when the random number, as a share of the table's sum, falls in its part of the running sums. The
    chance of a code is off by at most 2^-48; one of frequency 0 is never drawn.
    """
    ends = frequencies.astype(np.int64).cumsum(1)  # [N, K]
    total = ends[:, -1]  # [N]
    assert ends.size == 0 or (total.min() > 0 and total.max() <= _LARGEST_SUM), "a table of whole numbers up to 2^24"
    high = (bits >> np.uint64(64 - _HALF)).astype(np.int64)
    low = (bits >> np.uint64(64 - 2 * _HALF)).astype(np.int64) & ((1 << _HALF) - 1)
    threshold = (high * total + (low * total >> _HALF)) >> _HALF  # ⌊total · 48 bits / 2^48⌋, below the total
    codes: NDArray[np.int64] = (ends <= threshold[:, None]).sum(1)
    return codes


def keep_likeliest(frequencies: Frequencies, share: Fraction) -> Frequencies:
    """Set to 0 what is beyond the fewest codes of each table [N, K] that have this share of its sum, above 0 up to 1.

    Also called nucleus or top-p sampling (Holtzman et al. 2020, arXiv 1904.09751). Of equal codes the first are kept.
    """
    if share >= 1:
        return frequencies
    order = np.argsort(-frequencies, axis=1, kind="stable")  # [N, K]: the likeliest first
    ranked = np.take_along_axis(frequencies, order, 1).astype(np.int64)
    before = ranked.cumsum(1) - ranked  # what those before it have
    beyond = before * share.denominator >= ranked.sum(1, keepdims=True) * share.numerator
    kept = np.zeros_like(frequencies)
    np.put_along_axis(kept, order, np.where(beyond, 0, ranked).astype(kept.dtype), 1)
    return kept
