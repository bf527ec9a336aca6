"""The codes of a `.vqc` file, without decoding them."""

from __future__ import annotations

import io
import os
from typing import BinaryIO

import numpy as np

from vqc.codec.codes import Codes, codes_in
from vqc.codec.inspect.verify import read_whole
from vqc.codec.limits import codec_for_work


def npy_bytes(codes: Codes) -> bytes:
    """The array of codes as a `.npy` file."""
    held = io.BytesIO()
    np.save(held, codes.array, allow_pickle=False)
    return held.getvalue()


def read_codes(source: str | os.PathLike[str] | bytes | BinaryIO, *, limit: int | None = None) -> Codes:
    """The codes of a `.vqc` file, as `vqc.encode` gives them; `vqc.decode` restores what they stand for.

    Of an image with an alpha channel they are the codes of its colours.

    Args:
        source: path of the file, its bytes, or the file, open for reading.
        limit: largest number of pixels or of samples per channel to believe; see `vqc.decompress`.

    Raises:
        MediaError: the file cannot be read.
        ContainerError: it is no `.vqc` file, damaged, or over the limit.
        ModelNotFoundError, CheckpointError: the model is not at hand, or damaged.
    """
    container, size = read_whole(source, limit)
    return codes_in(codec_for_work(container.header, size, limit), container)
