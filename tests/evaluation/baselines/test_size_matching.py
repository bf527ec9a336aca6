"""The setting for a size is found, and found with few encodes."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from vqc.evaluation.baselines.baseline import Baseline, Setting
from vqc.evaluation.baselines.size_matching import TOLERANCE, Encodings, difference
from vqc.evaluation.items import Item

ITEM = Item("nothing", np.zeros((4, 4, 3), np.uint8), None, 100)
SIZES = {
    "geometric": lambda setting: round(100 * 1.05**setting),
    "steep at the ends": lambda setting: round(500 * math.exp(0.00001 * (setting - 50) ** 3)),
    "in steps": lambda setting: 300 + 200 * (setting // 9),
    "flat, then steep": lambda setting: round(1_000 + setting**3 / 50),
}


class Fake(Baseline):
    name, label, media = "fake", "Fake", "image"
    settings = range(100)

    def __init__(self, size: Callable[[int], int], *, draft: float | None = None) -> None:
        self.size, self.draft, self.encodes = size, draft, 0
        self.has_drafts = draft is not None  # type: ignore[misc]

    def version(self) -> str:
        return "1"

    def available(self) -> str | None:
        return None

    def describe(self, setting: Setting) -> str:
        return f"number {setting}"

    def draft_size(self, item: Item, setting: Setting) -> int:
        assert self.draft is not None
        return round(self.size(int(setting)) * self.draft * (1 + 0.001 * int(setting)))

    def encode(self, item: Item, setting: Setting) -> bytes:
        self.encodes += 1
        return bytes(self.size(int(setting)))

    def decode(self, data: bytes, item: Item, setting: Setting) -> Any:
        return item.signal


@pytest.mark.parametrize("draft", [None, 0.5, 1.3])
@pytest.mark.parametrize("shape", SIZES)
def test_the_nearest_setting_is_found(shape: str, draft: float | None) -> None:
    size = SIZES[shape]
    baseline = Fake(size, draft=draft)
    encodings = Encodings(baseline, ITEM)
    rng = np.random.default_rng(0)
    targets = np.sort(rng.uniform(size(0) * 0.5, size(99) * 1.5, 30)).astype(int)
    for target in targets.tolist():
        best = min(difference(size(place), target) for place in range(100))
        setting = encodings.matching(target)
        if best > math.log1p(TOLERANCE):
            assert setting is None
        else:
            assert setting is not None
            assert difference(size(int(setting)), target) <= best + 0.02


def test_eight_targets_take_few_encodes() -> None:
    targets = [150, 220, 330, 500, 800, 1_300, 2_500, 5_000]
    plain, drafted = Fake(SIZES["geometric"]), Fake(SIZES["geometric"], draft=0.9)
    for baseline, most in ((plain, 24), (drafted, 14)):
        encodings = Encodings(baseline, ITEM)
        assert all(encodings.matching(target) is not None for target in targets)
        assert baseline.encodes <= most


def test_sizes_out_of_reach_have_no_match() -> None:
    encodings = Encodings(Fake(SIZES["geometric"]), ITEM)
    assert encodings.matching(80) is None
    assert encodings.matching(95) == 0
    assert encodings.matching(10**6) is None


def test_nothing_is_encoded_twice() -> None:
    baseline = Fake(SIZES["geometric"])
    encodings = Encodings(baseline, ITEM)
    first = encodings.matching(700)
    count = baseline.encodes
    assert encodings.matching(700) == first
    encodings.at(first)  # type: ignore[arg-type]
    assert baseline.encodes == count
