"""Image codecs in Pillow."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import PIL
from numpy.typing import NDArray
from PIL import Image, features

from vqc.errors import MediaError
from vqc.evaluation.baselines.baseline import Baseline, Setting
from vqc.evaluation.items import Item
from vqc.format.shapes import Media


class _InPillow(Baseline):
    media: ClassVar[Media] = "image"
    form: ClassVar[str]  # as Pillow calls it
    feature: ClassVar[str]  # as Pillow calls the library of it
    library: ClassVar[str]
    how: ClassVar[str]

    def version(self) -> str:
        return f"{self.library} {features.version(self.feature)} in Pillow {PIL.__version__}, {self.how}"

    def available(self) -> str | None:
        return None if features.check(self.feature) else "Pillow has been built without it"

    def options(self, setting: Setting) -> dict[str, Any]:
        """Return the options of `Image.save`."""
        return {"quality": setting}

    def encode(self, item: Item, setting: Setting) -> bytes:
        return self._save(item, self.options(setting))

    def _save(self, item: Item, options: dict[str, Any]) -> bytes:
        out = io.BytesIO()
        try:
            Image.fromarray(item.signal).save(out, self.form, **options)
        except (OSError, ValueError) as error:
            raise MediaError(f"{item.name}: Pillow cannot write it as {self.label}: {error}") from None
        return out.getvalue()

    def decode(self, data: bytes, item: Item, setting: Setting) -> NDArray[Any]:
        try:
            with Image.open(io.BytesIO(data), formats=(self.form,)) as image:
                return np.asarray(image.convert("RGB"))
        except (OSError, ValueError) as error:
            raise MediaError(f"{item.name}: Pillow cannot read its own {self.label}: {error}") from None


class JPEG(_InPillow):
    """Baseline of all comparisons."""

    name, label, form = "jpeg", "JPEG", "JPEG"
    feature, library, how = "libjpeg_turbo", "libjpeg-turbo", "4:2:0, progressive, optimized"
    settings: ClassVar[Sequence[Setting]] = range(1, 96)

    def version(self) -> str:
        turbo = features.version_feature(self.feature)
        return f"{f'{self.library} {turbo}' if turbo else 'libjpeg'} in Pillow {PIL.__version__}, {self.how}"

    def available(self) -> str | None:
        return None if features.check("jpg") else "Pillow has been built without it"

    def options(self, setting: Setting) -> dict[str, Any]:
        return {"quality": setting, "subsampling": "4:2:0", "progressive": True, "optimize": True}


class WebP(_InPillow):
    """VP8 key frames."""

    name, label, form = "webp", "WebP", "WEBP"
    feature, library, how = "webp", "libwebp", "method 6"
    # Quality is a fraction to libwebp, and its sizes are far apart at the lower end.
    settings: ClassVar[Sequence[Setting]] = (*(step / 8 for step in range(8)), *(step / 2 for step in range(2, 192)))

    def options(self, setting: Setting) -> dict[str, Any]:
        return {"quality": setting, "method": 6}


class AVIF(_InPillow):
    """AV1 key frames.

    libavif 1.3 and later tune for a quality of their own (`iq`), at some cost in PSNR; before it was SSIM, which lies
    between that and `psnr`.
    """

    name, label, form = "avif", "AVIF", "AVIF"
    feature, library, how = "avif", "libavif", "speed 4, 4:4:4, tuned for SSIM"
    settings: ClassVar[Sequence[Setting]] = range(91)
    has_drafts = True
    tune, subsampling = "ssim", "4:4:4"
    _SPEED, _DRAFT_SPEED = 4, 9

    def options(self, setting: Setting, speed: int = _SPEED) -> dict[str, Any]:
        how = {"subsampling": self.subsampling, "advanced": {"tune": self.tune}}
        return {"quality": setting, "speed": speed, "max_threads": 1, **how}

    def draft_size(self, item: Item, setting: Setting) -> int:
        return len(self._save(item, self.options(setting, self._DRAFT_SPEED)))


class AVIFVariant(AVIF):
    """AVIF asked for in another way; not among `all`, since each takes a second a picture and size."""

    is_variant = True

    def __init__(self, tune: str, subsampling: str) -> None:
        short = subsampling.replace(":", "")
        self.name, self.label = f"avif-{tune}-{short}", f"AVIF, {tune}, {subsampling}"  # type: ignore[misc]
        self.tune, self.subsampling = tune, subsampling
        self.how = f"speed 4, {subsampling}, tune={tune}"  # type: ignore[misc]


class PNG(_InPillow):
    """Lossless."""

    name, label, form = "png", "PNG", "PNG"
    feature, library, how = "zlib", "zlib", "lossless, optimized"
    settings: ClassVar[Sequence[Setting]] = ("lossless",)
    fixed = settings
    words = "{}"

    def options(self, setting: Setting) -> dict[str, Any]:
        return {"optimize": True}
