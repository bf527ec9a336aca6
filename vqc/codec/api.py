"""The Python interface: media to bytes, bytes to media, files to files.

    compress(image or waveform) → bytes        decompress(bytes) → Image or Audio
    compress_file(path, path) → Report         decompress_file(path, path) → Report
    verify(path or bytes) → VerifyResult

Whatever a user can do wrong raises a `vqc.errors.VQCError` with one sentence.
"""

from __future__ import annotations

from typing import Any, BinaryIO

from vqc.codec.audio_io import Recording
from vqc.codec.choice import choice_of
from vqc.codec.codec import Compressed
from vqc.codec.files import FILES, compress_file, decompress_file
from vqc.codec.framing import Framing
from vqc.codec.inspect.report import Report
from vqc.codec.inspect.verify import VerifyResult, read_vqc, verify
from vqc.codec.limits import SMALL_FILE, codec_for_work
from vqc.codec.media import Audio, Image, Media, is_audio, to_picture, to_waveform
from vqc.codec.open import Model, not_for, open_codec
from vqc.codec.plain import restore_plain
from vqc.codec.rate import Rate
from vqc.codec.validation import check_entropy
from vqc.errors import ContainerError, OptionError
from vqc.format.container import read_container
from vqc.format.metadata import NO_METADATA, Metadata
from vqc.format.shapes import Media as Medium
from vqc.format.shapes import Shape

__all__ = [
    "Audio",
    "Image",
    "Rate",
    "Report",
    "VerifyResult",
    "compress",
    "compress_file",
    "decompress",
    "decompress_file",
    "verify",
]

MAX_VALUES_IN_MEMORY = 2**30  # samples times channels of `decompress`: 4 GiB
MAX_VALUES_OF_A_SMALL_FILE = 2**27  # 0.5 GiB: a file of some bytes may claim any length


def compress(
    media: Media,
    *,
    sample_rate: int | None = None,
    model: Model = None,
    quality: float | None = None,
    entropy: str = "auto",
    rate: Rate | None = None,
    lossless: bool | None = None,
    metadata: Metadata = NO_METADATA,
    device: str = "auto",
) -> bytes:
    """The bytes of a `.vqc` file of an image or, when a sample rate is given, of a waveform.

    Args:
        media: an image: a Pillow image; a NumPy array [H, W] (grayscale), [H, W, 3] (RGB) or [H, W, 4] (with
            alpha; [H, W, 2] for grayscale with alpha), or a tensor [1..4, H, W], of uint8 or of floats in [0, 1].
            A waveform: a NumPy array [T] or [T, C] or a tensor [T] or [C, T], float in [-1, 1] or int16.
        sample_rate: samples per second of a waveform, 1,000 to 1,000,000; None for an image.
        model: name or path of a model, or what `load_model` gave; by default the one for the medium.
        quality: 1 (smallest) up to the model's `qualities` (best); by default the model's own choice. May lie between.
            Of images up to 10 where no model is named: above 8 they are AVIF inside the file.
        entropy: "auto" (the smallest of the others), "prior", "static" or "none".
        rate: effort, or a size or a score that the file is to have instead of a quality.
        lossless: keep every pixel of an image; by default where that makes the smaller file and neither model nor
            entropy mode is given.
        metadata: what the file is to say of where its content comes from; it counts in a size that is asked for.
        device: "auto" (a GPU when there is one), "cpu", "cuda" or "cuda:1"; a loaded model stays where it is.

    Raises:
        MediaError: the media has another type, shape or range, or no pixels or samples.
        OptionError: an option has a value that cannot be used, or it is unclear what the media is.
        TargetError: no file reaches the score, or is as small as the size, that is asked for.
        ModelNotFoundError, CheckpointError: the model is not there, or damaged.
        MissingPackageError: a quality above 8 needs a Pillow with AVIF, or a score a package that is not here.
    """
    rate = rate or Rate()
    choice = choice_of(lossless, model=model, quality=quality, entropy=check_entropy(entropy), rate=rate)
    medium, signal = _signal(media, sample_rate)

    def lossy() -> Compressed:
        return open_codec(medium, model, device, without=not_for(entropy)).make_file(
            signal, quality=quality, entropy=entropy, rate=rate, metadata=metadata
        )

    return FILES[medium].choose(signal, lossy, choice, metadata).data


def _signal(media: Media, sample_rate: int | None) -> tuple[Medium, Any]:
    """The medium of what was given, and what its codec takes."""
    if not is_audio(media, sample_rate):
        return "image", to_picture(media)
    assert sample_rate is not None, "is_audio has looked"
    return "audio", Recording([to_waveform(media)], sample_rate)


def decompress(
    data: bytes | BinaryIO, *, sharp: bool = False, device: str = "auto", limit: int | None = None
) -> Image | Audio:
    """Restore a `.vqc` file: an `Image` (`.array` uint8) or `Audio` (`.samples` float32 [T, C], `.sample_rate`).

    Args:
        data: the bytes of the file, or the file, open for reading.
        sharp: restore with the model's sharp decoder: more texture, less true to the original.
        device: "auto" (a GPU when there is one), "cpu", "cuda" or "cuda:1".
        limit: largest number of pixels or of samples per channel to believe; by default 2^28 pixels, or 2^30 values
            of audio, and of files under 1 MB what takes a core a minute. Longer audio is better restored with
            `decompress_file`, which holds little of it at a time.

    Raises:
        ContainerError: not a `.vqc` file, damaged, or over the limit.
        ModelNotFoundError, CheckpointError: the model it was made with is not at hand, which is named, or damaged.
        OptionError: this is not bytes, there is no such device, or the model has no sharp decoder.
        MissingPackageError: it is AVIF inside, which the Pillow here cannot read.
    """
    if not isinstance(data, bytes | bytearray | memoryview) and not hasattr(data, "read"):
        raise OptionError(f"cannot decompress a {type(data).__name__}: give bytes, or use decompress_file")
    data = read_vqc(data)
    container = read_container(data, limit=limit)
    shape = container.header.shape
    if container.header.is_plain:
        return Image.of(restore_plain(container, len(data), limit))
    codec = codec_for_work(container.header, len(data), limit, device, sharp=sharp)
    return gather(codec.framing, codec.restore(container), shape, len(data), limit)


def gather(framing: Framing[Any, Any], restored: Any, shape: Shape, size: int, limit: int | None) -> Image | Audio:
    """Hold what a codec with this framing restores of a file of `size` bytes as an `Image` or, all of it, as `Audio`.

    Raises:
        ContainerError: the audio is longer than should be held in memory, or damaged.
    """
    most = MAX_VALUES_IN_MEMORY if size >= SMALL_FILE else MAX_VALUES_OF_A_SMALL_FILE
    if limit is None and shape.media == "audio" and shape.size * shape.items > most:
        raise ContainerError(
            f"the .vqc file claims {shape.size_in_words} of {shape.items} channels, more than should be held "
            "in memory; use decompress_file, or raise the limit"
        )
    return framing.gathered(restored, shape)
