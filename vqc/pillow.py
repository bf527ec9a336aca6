"""Pillow reads and writes `.vqc` images, once this module is imported.

    import vqc.pillow
    from PIL import Image

    image = Image.open("photo.vqc")          # size and mode are known at once, pixels are restored when they are used
    image.thumbnail((200, 200))
    image.save("small.vqc", quality=3)       # or target_size=20_000 (bytes), effort=5, model="photo", lossless=True

`Image.info` has `model`, `quality` (1 smallest, 8 best), `entropy` and `lossless` of the file, and its EXIF and XMP, so
that `image.getexif()` works; `save` keeps `exif=` and `xmp=` that are given, as for JPEG. Colours of an ICC profile,
the image's own or `icc_profile=` in its place, are converted to sRGB; `Image.info["profile"]` has its name. What is
wrong with a file is an `OSError`, as of other formats; what is wrong with an option is a `vqc.OptionError`.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from contextlib import suppress
from typing import IO, Any

from PIL import Image, ImageCms, ImageFile

from vqc.codec.inspect.info import FileInfo, info
from vqc.data.metadata import profile_name
from vqc.errors import VQCError
from vqc.format.container import MAGIC
from vqc.format.metadata import Metadata
from vqc.format.shapes import ImageShape

FORMAT, SUFFIX, MIME = "VQC", ".vqc", "image/x-vqc"
_CODEC = 4  # place of the byte that tells images (odd) from audio
_OPTIONS = ("quality", "model", "entropy", "lossless", "device")


class VQCImageFile(ImageFile.ImageFile):
    """A `.vqc` file that is open, restored when its pixels are first needed."""

    format = FORMAT
    format_description = "vqc neural codec"

    def _open(self) -> None:
        assert self.fp is not None, "Pillow has opened the file"
        self._data: bytes | None = self.fp.read()
        try:
            found = info(self._data)
        except VQCError as error:
            raise OSError(str(error)) from error  # the magic is right: no other format can be meant
        shape = found.shape.as_image  # audio is not accepted
        self._size = shape.width, shape.height
        self._mode = _mode(shape)
        self.info.update(_described(found))
        self.tile = []

    def load(self) -> Any:
        """Restore the pixels, if that has not been done."""
        if self._data is not None:
            from vqc.codec.api import decompress

            try:
                restored = decompress(self._data)
            except VQCError as error:
                raise OSError(str(error)) from error
            self._data = None
            if self.fp is not None and self._exclusive_fp:
                self.fp.close()
            self.fp = io.BytesIO(restored.to_pil().tobytes())  # type: ignore[union-attr]
            self.tile = [ImageFile._Tile("raw", (0, 0, *self.size), 0, self.mode)]
        return super().load()


def accepts(prefix: bytes) -> bool:
    """Return whether a file that begins so is a `.vqc` file of an image."""
    return prefix.startswith(MAGIC) and len(prefix) > _CODEC and prefix[_CODEC] % 2 == 1


def save(image: Image.Image, file: IO[bytes], _name: str | bytes) -> None:
    """Write an image with the options of `Image.save`: see above.

    Raises:
        MediaError: it has more than 8 bits per channel, or colours that have no sRGB.
        OptionError: an option has a value that cannot be used.
    """
    from vqc.codec.api import compress
    from vqc.codec.rate import Rate

    given: dict[str, Any] = getattr(image, "encoderinfo", {})
    rate = Rate(effort=given.get("effort"), target_bytes=given.get("target_size"))
    options = {name: given[name] for name in _OPTIONS if given.get(name) is not None}
    image = _with_profile(image, given)
    file.write(compress(image, rate=rate, metadata=_metadata(given, image), **options))


def _with_profile(image: Image.Image, given: Mapping[str, Any]) -> Image.Image:
    """The image, with the colour profile that is given for it."""
    if "icc_profile" not in given:
        return image
    image = image.copy()
    image.info["icc_profile"] = given["icc_profile"]
    return image


def _metadata(given: Mapping[str, Any], image: Image.Image) -> Metadata:
    """What Pillow is asked to write beside the pixels."""
    exif, xmp = given.get("exif") or b"", given.get("xmp") or b""
    exif = exif.tobytes() if hasattr(exif, "tobytes") else bytes(exif)
    profile = ""
    with suppress(ImageCms.PyCMSError):  # a damaged one: reading the colours tells of it
        profile = profile_name(image)
    xmp = xmp.encode() if hasattr(xmp, "encode") else bytes(xmp)
    return Metadata(exif=exif.removeprefix(b"Exif\0\0"), xmp=xmp, profile=profile)


def _mode(shape: ImageShape) -> str:
    """Pillow's mode of the restored image."""
    return ("L" if shape.grayscale else "RGB") + "A" * shape.alpha


def _described(found: FileInfo) -> dict[str, Any]:
    words = {"model": found.model, "quality": found.quality, "entropy": found.entropy, "lossless": found.lossless}
    kept = found.metadata
    words |= {"profile": kept.profile} if kept.profile else {}
    return words | ({"exif": b"Exif\0\0" + kept.exif} if kept.exif else {}) | ({"xmp": kept.xmp} if kept.xmp else {})


Image.register_open(FORMAT, VQCImageFile, accepts)
Image.register_save(FORMAT, save)
Image.register_extension(FORMAT, SUFFIX)
Image.register_mime(FORMAT, MIME)
