"""Times what it is told to, with the vqc that its interpreter has; `bench_against.py` starts one for each commit.

Every line of standard input is a task: what, and its arguments, in JSON; the answer is a line [wall seconds, processor
seconds]. It uses only names that are in vqc since 2799150.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
from PIL import Image

import vqc
from vqc.codec.prior_coding import decode_with_prior, encode_with_prior

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
THREADS = 2


@cache
def photo(width: int, height: int) -> np.ndarray:
    image = Image.open(EXAMPLES / "photo.jpg").convert("RGB")
    return np.asarray(image.resize((width, height), Image.Resampling.LANCZOS))


@cache
def speech(seconds: int) -> np.ndarray:
    samples, rate = soundfile.read(EXAMPLES / "speech.flac", dtype="float32")
    return np.resize(samples, seconds * rate)


@cache
def file(medium: str, quality: int) -> bytes:
    return compress(medium, quality)()


@cache
@torch.inference_mode()
def codes(quality: int) -> np.ndarray:
    """Of the photo as one tile, uint16 [1, G, h, w]."""
    pixels = torch.from_numpy(photo(768, 512).copy()).permute(2, 0, 1)[None].float() / 255
    found: np.ndarray = vqc.load_model("photo").model.encode(pixels, quality).numpy().astype(np.uint16)
    return found


@cache
def stream(quality: int) -> bytes:
    return write(quality)()


def compress(medium: str, quality: int) -> Callable[[], bytes]:
    if medium == "photo":
        return lambda: vqc.compress(photo(768, 512), model=vqc.load_model("photo"), quality=quality)
    model = vqc.load_model("speech")
    return lambda: vqc.compress(speech(20), sample_rate=16_000, model=model, quality=quality)


def decompress(medium: str, quality: int) -> Callable[[], Any]:
    data = file(medium, quality)
    return lambda: vqc.decompress(data)


def write(quality: int) -> Callable[[], bytes]:
    prior = vqc.load_model("photo").model.prior
    return lambda: encode_with_prior(prior, codes(quality), quality)


def read(quality: int) -> Callable[[], Any]:
    prior, data, shape = vqc.load_model("photo").model.prior, stream(quality), codes(quality).shape
    return lambda: decode_with_prior(prior, data, shape, quality)


TASKS: dict[str, Callable[..., Callable[[], Any]]] = {
    "compress": compress,
    "decompress": decompress,
    "write": write,
    "read": read,
}


@cache
def prepared(what: str, *arguments: Any) -> Callable[[], Any]:
    """The work of a task, done once: what is made for it, and first uses, do not count."""
    work = TASKS[what](*arguments)
    work()
    return work


def main() -> None:
    torch.set_num_threads(THREADS)
    for line in sys.stdin:
        work = prepared(*json.loads(line))
        wall, processor = time.perf_counter(), time.process_time()
        work()
        print(json.dumps([time.perf_counter() - wall, time.process_time() - processor]), flush=True)


if __name__ == "__main__":
    main()
