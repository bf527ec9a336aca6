"""The share of the work that is told: it grows, it leaves room for the prior, and it ends at 1."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tiny_priors import draw_model, draw_prior

from vqc.codec import stream_coder
from vqc.codec.audio_io import Recording
from vqc.codec.open import codec_with
from vqc.codec.progress import Meter, within
from vqc.codec.rate import Rate
from vqc.data.image_files import Picture

Compress = Callable[..., bytes]


def codec_of(kind: str) -> Any:
    """A codec whose model has a prior."""
    model = draw_model(kind)
    model.attach_prior(draw_prior(model))
    return codec_with(model, bytes(32))


def compress(kind: str, codec: Any, **options: Any) -> bytes:
    """A picture of two tiles, or ten seconds in mono."""
    rng = np.random.default_rng(0)
    if kind == "photo":
        return codec.compress(Picture(rng.integers(0, 256, (64, 1200, 3), np.uint8)), **options)
    samples = rng.normal(0, 0.1, (160_000, 1)).astype(np.float32)
    return codec.compress(Recording([samples], 16_000, samples=len(samples)), **options)


@pytest.mark.parametrize("kind", ["photo", "speech"])
@pytest.mark.parametrize("options", [{}, {"rate": Rate(effort=0)}, {"rate": Rate(target_bytes=100_000)}])
def test_the_prior_has_its_part_of_the_bar(kind: str, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    told, begun, ended = list[float](), list[float](), list[float]()  # tiles may be coded at once
    write = stream_coder.encode_with_prior

    def watched(*arguments: Any, **named: Any) -> bytes:
        begun.append(max(told, default=0.0))
        stream = write(*arguments, **named)
        ended.append(max(told, default=0.0))
        return stream

    monkeypatch.setattr(stream_coder, "encode_with_prior", watched)
    compress(kind, codec_of(kind), entropy="prior", progress=told.append, **options)
    assert told == sorted(told)
    assert told[-1] == 1
    assert max(told[:-1]) < 1
    assert begun[0] < 0.85
    assert ended[-1] - begun[0] > 0.02


def test_restoring_tells_of_its_parts() -> None:
    codec, told = codec_of("photo"), list[float]()
    codec.decompress(compress("photo", codec), progress=told.append)
    assert told == sorted(told)
    assert told[-1] == 1
    assert any(0.1 < share < 0.6 for share in told)  # while codes are read


def test_tiles_that_are_restored_at_once_tell_one_after_the_other() -> None:
    codec, told, listening = codec_of("photo"), list[float](), threading.Lock()
    data = codec.compress(Picture(np.random.default_rng(0).integers(0, 256, (64, 4200, 3), np.uint8)))

    def slow(share: float) -> None:
        assert listening.acquire(blocking=False), "two tell at once"
        time.sleep(0.003)
        told.append(share)
        listening.release()

    codec.decompress(data, progress=slow)
    assert told == sorted(told)
    assert told[-1] == 1


def test_a_meter_waits_for_more_work_than_was_expected() -> None:
    told = list[float]()
    meter = Meter(told.append, 4)
    for _ in range(6):
        meter.add(1)
    assert told == [0.25, 0.5, 0.75, 0.99]
    Meter(told.append, 0).add(1)
    assert len(told) == 4


def test_a_part_tells_the_whole() -> None:
    told = list[float]()
    part = within(told.append, 0.5, 0.75)
    assert part is not None
    part(0.5)
    part(1.0)
    assert told == [0.625, 0.75]
    assert within(None, 0, 1) is None
