"""Files to files: compress and decompress with nothing half-done left behind."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from vqc.atomic import Target, atomic_file, check_target, path_of, write_atomically
from vqc.codec.audio_io import AudioFiles, recordings_of
from vqc.codec.choice import Choice, choice_of
from vqc.codec.codec import Codec, Compressed
from vqc.codec.image_io import ImageFiles
from vqc.codec.inspect.explain import draw_explanation, explanation_of
from vqc.codec.inspect.report import Report
from vqc.codec.inspect.verify import read_vqc
from vqc.codec.limits import check_source, codec_for_work
from vqc.codec.live.restore import cut_stream, restore_to_file
from vqc.codec.media_files import MediaFiles, Source, Writing, source_name, source_size
from vqc.codec.open import Model, not_for, open_codec
from vqc.codec.plain import restore_plain
from vqc.codec.progress import Progress, report_progress, within
from vqc.codec.rate import Rate
from vqc.codec.salvage import damage_in, not_all_lost
from vqc.codec.segments import SegmentReader
from vqc.codec.stored_file import StoredFile, part_of_file, rest_of_file, whole_file
from vqc.codec.time_range import TimeRange, take
from vqc.codec.validation import check_entropy
from vqc.data.formats import check_quality
from vqc.data.image_files import Picture
from vqc.data.media_type import media_of_file, path_or_bytes
from vqc.data.metadata import Policy, check_policy
from vqc.drawing.heat_map import heat_map_path
from vqc.errors import ContainerError, OptionError
from vqc.format.metadata import Metadata
from vqc.format.shapes import MAX_PIXELS, Media, Shape

if TYPE_CHECKING:
    from vqc.codec.voices import Voice
    from vqc.models.voice.traits import PitchPolicy

FILES: Mapping[Media, MediaFiles[Any, Any]] = MappingProxyType({"image": ImageFiles(), "audio": AudioFiles()})

_RESTORING, _EXPLAINING = 0.3, 0.2  # of the time that compressing takes with them

Input = Source | BinaryIO  # or a file that is open for reading
Output = Target | BinaryIO  # or a file that is open for writing


def compress_file(
    source: Input,
    target: Output,
    *,
    model: Model = None,
    quality: float | None = None,
    entropy: str = "auto",
    rate: Rate | None = None,
    lossless: bool | None = None,
    device: str = "auto",
    stats: bool = False,
    explain: bool = False,
    metadata: str = "keep",
    chunk: float | None = None,
    limit: int | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Report:
    """Compress an image or audio file to a `.vqc` file.

    Args:
        source: path, the bytes of the file, or the file, open for reading.
        target: path of the `.vqc` file, which appears whole or not at all; or a file, open for writing.
        model: name or path of a model, or a loaded one; by default the one for the medium.
        quality: 1 (smallest) up to the model's `qualities` (best), of images without a model's name up to 10: see
            `vqc.compress`. By default the model's own choice. May lie between.
        entropy: "auto" (the smallest of the others), "prior", "static" or "none".
        rate: effort, or a size or a score that the file is to have instead of a quality.
        lossless: keep every pixel of an image; by default where that makes the smaller file and neither model nor
            entropy mode is given.
        device: "auto" (a GPU when there is one), "cpu", "cuda" or "cuda:1".
        stats: also restore the file, for `Report.mse` and `Report.psnr`.
        explain: also find where the bits go, for `Report.explanation`, and draw that of an image beside its path.
        metadata: "keep" (dates, camera, exposure, author and rights; title, artist and album), "all" or "strip".
        chunk: seconds of a chunk of a recording: of shorter ones parts are restored sooner, and the bits are more.
        limit: largest number of pixels or of samples per channel to compress; by default what a file may hold, and of
            sources under 1 MB what takes a core a minute.
        overwrite: whether an existing target may be replaced.
        progress: called now and then with the share of the work that is done, 0..1.

    Raises:
        MediaError: the source cannot be read, is not supported or over the limit.
        OptionError: an option has a value that cannot be used.
        TargetError: no file reaches the score, or is as small as the size, that is asked for.
        OutputError: the target cannot be written, or exists.
        ModelNotFoundError, CheckpointError: the model is not there, or damaged.
        MissingPackageError: a quality above 8 needs a Pillow with AVIF, or a score a package that is not here.
    """
    check_entropy(entropy)
    kept, rate = check_policy(metadata), rate or Rate()
    choice = choice_of(lossless, model=model, quality=quality, entropy=entropy, rate=rate)
    wanted = _Wanted(model, quality, entropy, rate, choice, device, stats, explain, kept, limit, chunk)
    with path_of(target) as path:
        return _compress(source, path, wanted, overwrite, progress, may_draw=path is target)


def decompress_file(
    source: Input,
    target: Output,
    *,
    format: str | None = None,
    output_quality: int | None = None,
    start: float | None = None,
    duration: float | None = None,
    salvage: bool = False,
    sharp: bool = False,
    to: Voice | None = None,
    pitch: PitchPolicy = "target",
    device: str = "auto",
    limit: int | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Report:
    """Restore the image or audio of a `.vqc` file.

    Args:
        source: path, the bytes of the `.vqc` file, or the file, open for reading.
        target: path of the image or audio file, which appears whole or not at all; or a file, open for writing.
        format: png, jpeg, webp, tiff, bmp or avif; wav, flac, ogg, opus or mp3; by default that of the target's suffix.
        output_quality: of JPEG, WebP (lossless otherwise), AVIF, Ogg, Opus and MP3: 1 to 100.
        start: second at which to begin a recording, for `duration` seconds; of long files only that is read.
        salvage: restore what is whole of a damaged file, silence or grey where it is not; `Report.damage` names that.
        sharp: restore with the model's sharp decoder: more texture, less true to the original.
        to: of a file of the kind `voice`, another voice, at this `pitch`: see `vqc.convert`; the comment will say so.
        device: "auto" (a GPU when there is one), "cpu", "cuda" or "cuda:1".
        limit: largest number of pixels or samples per channel to believe; see `vqc.decompress`.
        overwrite: whether an existing target may be replaced.
        progress: called now and then with the share of the work that is done, 0..1.

    Raises:
        ContainerError: the source is no `.vqc` file, damaged, or over the limit. MediaError: it cannot be read.
        ModelNotFoundError, CheckpointError: its model is not at hand, or damaged. OutputError: the target exists.
        OptionError: the format, suffix or device cannot be used. MissingPackageError: it is AVIF, which Pillow lacks.
    """
    begin, part = time.perf_counter(), None if start is duration is None else TimeRange(start or 0.0, duration)
    source = source if isinstance(source, str | os.PathLike) else read_vqc(source)
    with _path_of_media(target, format) as path:
        check_target(path, overwrite=overwrite)
        if part is to is None and (cut := cut_stream(source, limit)) is not None:
            wanted: dict[str, Any] = {"format": format, "quality": output_quality, "overwrite": overwrite}
            return restore_to_file(cut, path, sharp=sharp, device=device, limit=limit, **wanted)
        with _stored(source, limit, part=part is not None, salvage=salvage) as file:
            header, files = file.header, FILES[file.header.media]
            first, shape = (None, header.shape) if part is None else part.samples_of(header.shape)
            check_quality(format := files.format_for(path, format, shape), output_quality)
            reader, name = None, ""
            if header.is_plain and to is None:
                restored = _plain(file, limit)
            else:
                codec = codec_for_work(replace(header, shape=shape), file.size, limit, device, sharp=sharp)
                file, name = _in_voice(codec, file, to, pitch), codec.name
                restored = _restored(codec, reader := codec.reader(file, salvage=salvage), first, shape, progress)
            bytes_out = files.write(restored, shape, path, Writing(format, file.metadata, overwrite, output_quality))
    size = round(file.size * shape.extent / header.shape.extent)  # of the part
    told = {"bytes_in": size, "bytes_out": bytes_out, "vqc_bytes": size, "seconds": time.perf_counter() - begin}
    return Report.of(replace(header, shape=shape), name, damage=damage_in(reader, file, restored), **told)


@contextmanager
def _path_of_media(target: Output, format: str | None) -> Iterator[Target]:
    """See `path_of`; OptionError where neither a name nor `format` says what is to be written."""
    with path_of(target) as path:
        if not (format or path is target or Path(path).suffix):
            raise OptionError("an open file without a name needs a format, such as format='png' or 'wav'")
        yield path


def _stored(source: Input, limit: int | None, *, part: bool, salvage: bool) -> AbstractContextManager[StoredFile]:
    """The file to restore from."""
    if salvage:
        return nullcontext(rest_of_file(source, limit))
    return part_of_file(source, limit) if part else nullcontext(whole_file(source, limit))


def _in_voice(codec: Codec[Any, Any], file: StoredFile, to: Voice | None, pitch: PitchPolicy) -> StoredFile:
    """The file in another voice, if one is asked for."""
    if to is None:
        return file
    from vqc.codec.voices import find_voice, in_voice

    changed: StoredFile = in_voice(file, find_voice(codec, to), pitch)
    return changed


def _plain(file: StoredFile, limit: int | None) -> Picture:
    """The picture of a file without a model."""
    if not file.is_whole:
        raise ContainerError(
            "the .vqc file is damaged, and of a picture without codes nothing is left then; get it again"
        )
    return restore_plain(file, file.size, limit)


def _restored(
    codec: Codec[Any, Any], reader: SegmentReader, first: int | None, shape: Shape, progress: Progress | None
) -> Any:
    """All of a file, or for a first sample the part of this shape that begins there; ContainerError if all is lost."""
    if first is None:
        restored = codec.framing.join(reader, progress)
    else:
        restored = take(recordings_of(codec.framing).join_from(reader, first), shape.size, progress)
    return not_all_lost(restored, reader) if reader.salvage else restored


class _Wanted(NamedTuple):
    """The options of `compress_file` that say what is in the file."""

    model: Model
    quality: float | None
    entropy: str
    rate: Rate
    choice: Choice
    device: str
    stats: bool
    explain: bool
    metadata: Policy
    limit: int | None
    chunk: float | None


def _compress(
    source: Input, target: Target, wanted: _Wanted, overwrite: bool, progress: Progress | None, *, may_draw: bool
) -> Report:
    """Compress as `compress_file` does; a map of the bits is drawn where something can lie beside the target."""
    begin = time.perf_counter()
    check_target(target, overwrite=overwrite)
    source, explain = path_or_bytes(source), wanted.explain
    media = media_of_file(source)
    heat_map = _free_heat_map(target, overwrite) if explain and may_draw and media == "image" else None
    files, length = FILES[media], source_size(source)
    plain = wanted.choice.lossless or (media == "image" and wanted.choice.is_avif)
    without = not_for("auto" if explain else wanted.entropy)  # which explains what the others would take
    codec = None if plain else open_codec(media, wanted.model, wanted.device, without=without)
    compressed = 1 - _RESTORING * wanted.stats - _EXPLAINING * explain  # shares of the time
    with files.open(source, wanted.limit) as (signal, shape):
        if codec is not None:
            check_source(codec.framing, shape, length, wanted.limit, source_name(source))
        metadata = files.metadata(source, signal, wanted.metadata)
        signal = signal if wanted.chunk is None else files.in_chunks(signal, wanted.chunk)
        lossy = partial(_lossy, codec, signal, wanted, metadata, within(progress, 0, compressed))
        made = files.choose(signal, lossy, wanted.choice, metadata)
    seconds, mse = time.perf_counter() - begin, None
    has_codes = not made.container.header.is_plain
    if wanted.stats:
        told = within(progress, compressed, compressed + _RESTORING)
        mse = files.mse(source, signal, _restored_again(codec, made, told))
    explanation = explanation_of(codec, made.container, len(made)) if codec and explain and has_codes else None
    heat_map = None if explanation is None else heat_map
    drawn = None if heat_map is None or explanation is None else draw_explanation(explanation, signal.pixels)
    _write(target, made.data, heat_map, drawn, overwrite)
    report_progress(progress, 1.0)
    return Report.of(
        made.container.header,
        codec.name if codec is not None else "",
        bytes_in=length,
        bytes_out=len(made),
        vqc_bytes=len(made),
        seconds=seconds,
        mse=mse,
        score=made.score,
        explanation=explanation,
        heat_map=heat_map,
        lossless_bytes=made.lossless_bytes,
        chosen_lossless=made.container.header.is_lossless and wanted.choice.lossless is None,
    )


def _lossy(
    codec: Codec[Any, Any] | None, signal: Any, wanted: _Wanted, metadata: Metadata, progress: Progress | None
) -> Compressed:
    """The file with codes."""
    assert codec is not None, "only what has no codes needs no model"
    return codec.make_file(
        signal,
        quality=wanted.quality,
        entropy=wanted.entropy,
        rate=wanted.rate,
        metadata=metadata,
        progress=progress,
    )


def _restored_again(codec: Codec[Any, Any] | None, made: Compressed, progress: Progress | None) -> Any:
    """What a file that was just made restores."""
    if codec is None or made.container.header.is_plain:
        return restore_plain(made.container, len(made), limit=MAX_PIXELS)
    return codec.restore(made.container, progress=progress)


def _free_heat_map(target: Target, overwrite: bool) -> Path | None:
    """Return the path of the heat map that belongs to a target; OutputError when it may not be written."""
    path = heat_map_path(target)
    if path is not None:
        check_target(path, overwrite=overwrite)
    return path


def _write(target: Target, data: bytes, heat_map: Path | None, drawn: bytes | None, overwrite: bool) -> None:
    """The `.vqc` file, and beside it what explains it: both or none, but for what fails in the last moment."""
    if heat_map is None or drawn is None:
        write_atomically(target, data, overwrite=overwrite)
        return
    with atomic_file(target, overwrite=overwrite) as file:
        file.write(data)
        file.flush()  # a full disk shows now
        write_atomically(heat_map, drawn, overwrite=overwrite)
