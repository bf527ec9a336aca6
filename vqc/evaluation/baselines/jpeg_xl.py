"""JPEG XL by its command-line programs."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vqc.evaluation.baselines.baseline import Baseline, Setting
from vqc.evaluation.baselines.programs import run, version_line
from vqc.evaluation.items import Item
from vqc.format.shapes import Media


class JPEGXL(Baseline):
    """By Butteraugli distance, from the largest that the program takes."""

    name, label = "jxl", "JPEG XL"
    media: ClassVar[Media] = "image"
    settings: ClassVar[Sequence[Setting]] = tuple(round(25 * 0.98**step, 3) for step in range(274))  # to 0.1
    words, programs, package = "distance {}", ("cjxl", "djxl"), "libjxl-tools"

    def version(self) -> str:
        return f"{version_line('cjxl').partition('[')[0].strip()}, effort 7"

    def encode(self, item: Item, setting: Setting) -> bytes:
        with tempfile.TemporaryDirectory() as folder:
            source, target = Path(folder) / "in.ppm", Path(folder) / "out.jxl"
            Image.fromarray(item.signal).save(source)
            effort = ["-d", str(setting), "-e", "7", "--num_threads=0"]
            run(["cjxl", str(source), str(target), *effort, "--quiet"])
            return target.read_bytes()

    def decode(self, data: bytes, item: Item, setting: Setting) -> NDArray[Any]:
        with tempfile.TemporaryDirectory() as folder:
            source, target = Path(folder) / "in.jxl", Path(folder) / "out.ppm"
            source.write_bytes(data)
            run(["djxl", str(source), str(target), "--num_threads=1", "--quiet"])
            with Image.open(target) as image:
                return np.asarray(image.convert("RGB"))


class LosslessJPEGXL(JPEGXL):
    """Lossless mode of the same programs."""

    name, label = "jxl-lossless", "JPEG XL lossless"
    settings: ClassVar[Sequence[Setting]] = (0.0,)
    fixed = settings
    words = "lossless"

    def version(self) -> str:
        return f"{super().version()}, lossless"
