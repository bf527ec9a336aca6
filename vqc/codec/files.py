"""Files to files: compress and decompress with nothing half-done left behind."""

from __future__ import annotations

import dataclasses
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vqc.atomic import atomic_file, check_target, write_atomically
from vqc.codec.audio import AudioCodec
from vqc.codec.hidden_colours import seen_pixels
from vqc.codec.image import ImageCodec
from vqc.codec.inspect.explain import Explanation, ImageBits, explanation_of
from vqc.codec.inspect.report import Report, audio_mse, image_mse
from vqc.codec.inspect.verify import read_vqc
from vqc.codec.limits import check_source, check_work
from vqc.codec.open import Model, codec_of, open_codec
from vqc.codec.progress import Progress, report_progress, within
from vqc.codec.rate import Rate
from vqc.codec.validation import check_entropy
from vqc.data.audio_files import AudioReader
from vqc.data.audio_writer import AudioWriter, audio_format, check_writable
from vqc.data.image_files import encode_image, image_format, read_image
from vqc.data.media_type import held, media_of_file
from vqc.drawing.heat_map import draw_heat_map, heat_map_path
from vqc.format.chunking import Float32Array
from vqc.format.container import AudioShape, ImageShape, read_container, read_header

_RESTORING, _EXPLAINING = 0.3, 0.2  # of the time that compressing takes with them

Source = str | os.PathLike[str] | bytes  # a path, or the bytes of a file
Input = Source | BinaryIO  # or a file that is open for reading
Target = str | os.PathLike[str]


def compress_file(
    source: Input,
    target: Target,
    *,
    model: Model = None,
    quality: float | None = None,
    entropy: str = "auto",
    rate: Rate | None = None,
    device: str = "auto",
    stats: bool = False,
    explain: bool = False,
    limit: int | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Report:
    """Compress an image or audio file to a `.vqc` file.

    Args:
        source: path, the bytes of the file, or the file, open for reading.
        target: path of the `.vqc` file; it appears whole or not at all.
        model: name or path of a model, or a loaded one; by default the one for the medium.
        quality: 1 (smallest) up to the model's `qualities` (best); by default the model's own choice. May lie between.
        entropy: "auto" (the smallest of the others), "prior", "static" or "none".
        rate: effort, or a size that the file is to have instead of a quality.
        device: "auto" (a GPU when there is one), "cpu", "cuda" or "cuda:1".
        stats: also restore the file, for `Report.mse` and `Report.psnr`.
        explain: also find where the bits go, for `Report.explanation`, and draw that of an image beside the target.
        limit: largest number of pixels or of samples per channel to compress; by default what a file may hold, and of
            sources under 1 MB what takes a core a minute.
        overwrite: whether an existing target may be replaced.
        progress: called now and then with the share of the work that is done, 0..1.

    Raises:
        MediaError: the source cannot be read, is not supported or over the limit.
        OptionError: an option has a value that cannot be used.
        OutputError: the target cannot be written, or exists.
        ModelNotFoundError, CheckpointError: the model is not there, or damaged.
    """
    begin = time.perf_counter()
    check_target(target, overwrite=overwrite)
    check_entropy(entropy)
    source = held(source)
    media = media_of_file(source)
    heat_map = _free_heat_map(target, overwrite) if explain and media == "image" else None
    compress = _compress_image if media == "image" else _compress_audio
    compressed = 1 - _RESTORING * stats - _EXPLAINING * explain  # shares of the time
    wish = _Wish(quality, entropy, rate or Rate())
    done = compress(source, model, device, wish, limit, within(progress, 0, compressed))
    seconds = time.perf_counter() - begin
    mse = done.measure(within(progress, compressed, compressed + _RESTORING)) if stats else None
    explanation = explanation_of(done.codec, done.data) if explain else None
    _write(target, done, heat_map, explanation, overwrite)
    report_progress(progress, 1.0)
    made = _report(done, _size(source), seconds)
    return dataclasses.replace(made, mse=mse, explanation=explanation, heat_map=heat_map)


def decompress_file(
    source: Input,
    target: Target,
    *,
    format: str | None = None,  # noqa: A002, the word of data.images and data.audio
    sharp: bool = False,
    device: str = "auto",
    limit: int | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Report:
    """Restore the image or audio of a `.vqc` file.

    Args:
        source: path, the bytes of the `.vqc` file, or the file, open for reading.
        target: path of the image or audio file; it appears whole or not at all.
        format: png, jpeg, webp, tiff or bmp; wav, flac, ogg, opus or mp3; by default that of the target's suffix.
        sharp: restore with the model's sharp decoder: more texture, less true to the original.
        device: "auto" (a GPU when there is one), "cpu", "cuda" or "cuda:1".
        limit: largest number of pixels or samples per channel to believe; by default 2^28 pixels or 2^36 samples, and
            of files under 1 MB what takes a core a minute.
        overwrite: whether an existing target may be replaced.
        progress: called now and then with the share of the work that is done, 0..1.

    Raises:
        ContainerError: the source is no `.vqc` file, damaged, or over the limit.
        ModelNotFoundError: the model it was made with is not at hand; the message names it.
        MediaError: the source cannot be read.
        OptionError: the format, suffix or device cannot be used, or the model has no sharp decoder.
        OutputError: the target cannot be written, or exists.
    """
    begin = time.perf_counter()
    check_target(target, overwrite=overwrite)
    data = read_vqc(source)
    container = read_container(data, limit=limit)
    shape = container.header.shape
    if isinstance(shape, AudioShape):
        format = format or audio_format(target)  # noqa: A001
        check_writable(format, shape.sample_rate, shape.channels, name=os.fspath(target))
    else:
        format = format or image_format(target)  # noqa: A001
    codec = codec_of(container.header, device, sharp=sharp)
    check_work(codec.model, container.header, len(data), limit)
    if isinstance(codec, ImageCodec):
        image = encode_image(codec.restore(container, progress=progress), format)
        write_atomically(target, image, overwrite=overwrite)
        bytes_out = len(image)
    else:
        assert isinstance(shape, AudioShape), "codec_of has compared the medium"
        bytes_out = _write_audio(codec.restore(container, progress=progress), shape, target, format, overwrite)
    return Report(
        model=codec.name,
        quality=container.header.quality,
        entropy=container.header.entropy,
        shape=shape,
        bytes_in=len(data),
        bytes_out=bytes_out,
        vqc_bytes=len(data),
        seconds=time.perf_counter() - begin,
    )


class _Compressed(NamedTuple):
    data: bytes
    codec: ImageCodec | AudioCodec
    measure: Callable[[Progress | None], float]  # restores the file and returns the mean squared error
    pixels: NDArray[np.uint8] | None = None  # of an image


def _report(done: _Compressed, bytes_in: int, seconds: float) -> Report:
    """What is known of every file that was compressed."""
    header, length = read_header(done.data), len(done.data)
    return Report(
        model=done.codec.name,
        quality=header.quality,
        entropy=header.entropy,
        shape=header.shape,
        bytes_in=bytes_in,
        bytes_out=length,
        vqc_bytes=length,
        seconds=seconds,
    )


class _Wish(NamedTuple):
    """How to compress."""

    quality: float | None
    entropy: str
    rate: Rate


def _compress_image(
    source: Source, model: Model, device: str, wish: _Wish, limit: int | None, progress: Progress | None
) -> _Compressed:
    codec, picture = open_codec("image", model, device), read_image(source, limit=limit)
    shape = ImageShape(width=picture.width, height=picture.height)
    check_source(codec.model, shape, _size(source), limit, _name(source))
    data = codec.compress(picture, **wish._asdict(), progress=progress)

    def measure(told: Progress | None) -> float:
        return image_mse(picture.pixels, codec.decompress(data, progress=told).pixels, seen_pixels(picture))

    return _Compressed(data, codec, measure, picture.pixels)


def _compress_audio(
    source: Source, model: Model, device: str, wish: _Wish, limit: int | None, progress: Progress | None
) -> _Compressed:
    codec = open_codec("audio", model, device)
    with AudioReader(source) as reader:
        shape = AudioShape(samples=reader.frames, sample_rate=reader.sample_rate, channels=reader.channels)
        check_source(codec.model, shape, _size(source), limit, _name(source))
        data = codec.compress(
            reader.blocks(),
            reader.sample_rate,
            **wish._asdict(),
            samples=reader.frames,
            channel_mask=reader.channel_mask,
            progress=progress,
        )

    def measure(told: Progress | None) -> float:
        with AudioReader(source) as reader:
            return audio_mse(reader.blocks(), codec.decompress(data, progress=told))

    return _Compressed(data, codec, measure)


def _free_heat_map(target: Target, overwrite: bool) -> Path | None:
    """Where to draw the map that belongs to a target; OutputError when it may not be written."""
    path = heat_map_path(target)
    if path is not None:
        check_target(path, overwrite=overwrite)
    return path


def _write(
    target: Target, done: _Compressed, heat_map: Path | None, explanation: Explanation | None, overwrite: bool
) -> None:
    """The `.vqc` file, and beside it what explains it: both or none, but for what fails in the last moment."""
    if heat_map is None or explanation is None:
        write_atomically(target, done.data, overwrite=overwrite)
        return
    bits = explanation.where
    assert isinstance(bits, ImageBits), "only images have a map"
    title = f"Where the {len(done.data):,} bytes go"
    drawn = draw_heat_map(bits.per_pixel, bits.block, bits.height, bits.width, title=title, pixels=done.pixels)
    with atomic_file(target, overwrite=overwrite) as file:
        file.write(done.data)
        file.flush()  # a full disk shows now
        write_atomically(heat_map, drawn, overwrite=overwrite)


def _write_audio(
    blocks: Iterator[Float32Array],
    shape: AudioShape,
    target: Target,
    format: str,  # noqa: A002
    overwrite: bool,
) -> int:
    """Writes the file as its samples come; returns its length in bytes."""
    with atomic_file(target, overwrite=overwrite) as file, _seekable(file) as held:
        with AudioWriter(
            held,
            shape.sample_rate,
            shape.channels,
            format=format,
            channel_mask=shape.channel_mask,
            samples=shape.samples,
            name=os.fspath(target),
        ) as writer:
            for block in blocks:
                writer.write(block)
        return held.seek(0, os.SEEK_END)


@contextmanager
def _seekable(file: BinaryIO) -> Iterator[BinaryIO]:
    """The file itself, or for one that cannot seek (a pipe) another one, whose content it gets in the end."""
    if file.seekable():
        yield file
        return
    with tempfile.TemporaryFile() as held:
        yield held
        held.seek(0)
        shutil.copyfileobj(held, file)


def _name(source: Source) -> str:
    """What errors call a source."""
    return "the file" if isinstance(source, bytes) else os.fspath(source)


def _size(source: Source) -> int:
    return len(source) if isinstance(source, bytes) else Path(source).stat().st_size
