"""One codec for every medium: a signal is cut, its codes are searched, coded and put into a container; and back.

    signal ─ framing.cut ─► windows ─ model.encoder_search ─► codes ─ entropy coder ─► streams ─► container
    signal ◄─ framing.join ◄─ codes of a segment and its context ◄─ entropy decoder ◄─ streams ◄─ container

Only one window at a time is held, unless a size is asked for; of a whole file only the codes are, in 16 bits each.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Generic

import torch

from vqc.codec.framing import Cut, Framing, Restored, Signal, Window, drain
from vqc.codec.progress import Meter, Progress, compressing, report_progress
from vqc.codec.rate import Rate, Score
from vqc.codec.rate_control import RateController, effort_of, hit_size, is_rate_choice
from vqc.codec.score_search import reach_score
from vqc.codec.segments import SegmentReader, StreamSource
from vqc.codec.stream_coder import Codes, StreamCoder, write_streams
from vqc.codec.validation import check_header, check_mode, check_quality
from vqc.format.container import (
    DIGEST_BYTES,
    Container,
    EntropyOption,
    Header,
    join_streams,
    read_container,
    write_container,
)
from vqc.format.index import MOST_WITHOUT
from vqc.format.metadata import NO_METADATA, Metadata
from vqc.metrics.catalogue import check_available
from vqc.models.base import CodecModel
from vqc.models.kinds import KINDS
from vqc.models.search import OperatingPoint


@dataclass(frozen=True)
class Compressed:
    """A file that was made; its length is that in bytes."""

    container: Container
    data: bytes
    score: Score | None = None  # that it reaches, where one is asked for
    lossless_bytes: int | None = None  # of the picture without loss, where that was looked at and is not much larger
    restore: Callable[[], Any] | None = None  # gives what a model's file restores

    def __len__(self) -> int:
        return len(self.data)


class Codec(Generic[Signal, Restored]):
    """Compresses with, and decompresses for, one model.

    Args:
        framing: of a model on the device to work on, which is put into evaluation mode.
        digest: SHA-256 of the model, as bytes; only the first six go into a file.
        name: how errors call the model.
    """

    def __init__(self, framing: Framing[Signal, Restored], digest: bytes, *, name: str = "given") -> None:
        self.framing, self.digest, self.name = framing, digest[:DIGEST_BYTES], name
        self.model: CodecModel = framing.model.eval()

    def compress(
        self,
        signal: Signal,
        *,
        quality: float | None = None,
        entropy: str = "auto",
        rate: Rate = Rate(),  # noqa: B008, it is frozen
        progress: Progress | None = None,
    ) -> bytes:
        """The bytes of a complete file.

        Args:
            quality: of the model, or between two of its qualities.
            rate: what else is asked for; a size stands in place of a quality.

        Raises:
            OptionError: the model does not have this quality or entropy mode, or cannot meet the rate.
            TargetError: no file reaches the score, or is as small as the size, that is asked for.
            MissingPackageError: the score cannot be computed here.
            MediaError: the signal is empty, larger than a file may hold, or holds values that are not numbers.
        """
        return self.make_file(signal, quality=quality, entropy=entropy, rate=rate, progress=progress).data

    @torch.inference_mode()
    def make_file(
        self,
        signal: Signal,
        *,
        quality: float | None,
        entropy: str,
        rate: Rate,
        metadata: Metadata = NO_METADATA,
        codes_alone: bool = False,
        progress: Progress | None = None,
    ) -> Compressed:
        """Compress as `compress` does, with metadata beside the codes; return the container beside the bytes.

        Args:
            codes_alone: write the codes that `entropy` would have in the mode that takes no time, if no size tells.
        """
        mode = check_mode(self.model, entropy, self.name)
        written: EntropyOption = "none" if codes_alone and not rate.is_size else mode
        wanted = check_quality(self.model, quality, self.name, rate)
        rate.check_media(self.model.media)
        if rate.target_score is not None:
            check_available(rate.target_score.metric)
        rate_choice, effort = is_rate_choice(self.model, wanted, rate, self.name), effort_of(self.model, rate)
        self.framing.check(signal)
        signal = signal if rate.target_score is None else self.framing.held(signal)
        work = compressing(self.framing.positions(signal), effort, self.model, written, search=rate.is_target)
        meter = Meter(progress, work)
        # λ is weighed only where a choice is asked for: else codes are those of `encode`
        control = RateController(self.framing, meter, rate_choice=rate_choice, effort=rate.effort, entropy=mode)
        cutting = self.framing.cut(signal)  # nothing is read before it is drained
        if rate.is_target:
            windows, cut = drain(cutting, lambda window: window)  # each is looked at again and again
            write = partial(self._file, cut, metadata, meter)
            made = self._meet(signal, rate, cut.shape.extent, written, partial(control.trial, windows), write)
        else:
            point = self.model.operating_point(wanted)

            def choose(window: Window) -> Codes:  # only codes [A, G, ...] are left of a window
                return control.codes(control.searches(window, point), point)

            codes, cut = drain(cutting, choose, self.framing.each)
            made = self._file(cut, metadata, meter, codes, point, written)
        report_progress(progress, 1.0)
        return replace(made, restore=partial(self.restore, made.container))

    def _meet(
        self,
        signal: Signal,
        rate: Rate,
        extent: float,
        mode: EntropyOption,
        choose: Callable[[OperatingPoint, bool], list[Codes]],
        write: Callable[[list[Codes], OperatingPoint, EntropyOption], Compressed],
    ) -> Compressed:
        """The file that meets the size, or reaches the score, that is asked for; `choose` gives codes for `write`."""
        model, wanted = self.model, rate.target_score
        if wanted is None:
            size = rate.target_size(extent)  # in bytes
            return hit_size(
                size, model.qualities, model.default_quality, lambda point: write(choose(point, False), point, mode)
            )

        def score_at(point: OperatingPoint, anew: bool) -> tuple[list[Codes], float]:
            codes = choose(point, anew)
            restored = self.restore(write(codes, point, "none").container)  # the mode that takes no time
            return codes, self.framing.score(signal, restored, wanted.metric)

        refines = effort_of(model, rate) > 0
        best = reach_score(wanted.metric, wanted.value, model, self.name, score_at, refines=refines)
        made = write(best.made, best.encoding.at(best.place), mode)
        return replace(made, score=Score(wanted.metric, best.score))

    def _file(
        self,
        cut: Cut,
        metadata: Metadata,
        meter: Meter,
        codes: list[Codes],
        point: OperatingPoint,
        mode: EntropyOption,
    ) -> Compressed:
        """The file of the codes [A, G, ...] of each segment."""
        entropy, streams = write_streams(StreamCoder(self.model, point.quality), codes, mode, meter)
        kind, quality = KINDS[self.model.kind].wire_id, point.quality
        header = Header(codec=kind, entropy=entropy, quality=quality, digest=self.digest, shape=cut.shape)
        # a prefix tells which channels of a chunk have codes at all
        body = join_streams([prefix + stream for prefix, stream in zip(cut.prefixes, streams, strict=True)])
        indexed = len(streams) > MOST_WITHOUT
        container = Container(
            header=header, alpha=cut.alpha, body=body, metadata=metadata, indexed=indexed, traits=cut.traits
        )
        return Compressed(container, write_container(container))

    def decompress(self, data: bytes, *, limit: int | None = None, progress: Progress | None = None) -> Restored:
        """The signal of a file that was made with the same model.

        Args:
            limit: largest number of pixels or samples per channel to accept; 2^28 or 2^36 when left out.

        Raises (at once, or when the damaged part is reached):
            ContainerError: the file is damaged or over the limit.
            ModelNotFoundError: it was made with another model.
        """
        container = read_container(data, limit=limit)
        # of another model's file the codes would be noise
        check_header(container.header, self.model.kind, self.model.qualities, self.digest, self.name)
        return self.restore(container, progress=progress)

    def restore(self, source: StreamSource, *, progress: Progress | None = None) -> Restored:
        """Restore the signal of a container already read, whose header is known to name this model."""
        return self.framing.join(self.reader(source), progress)

    def reader(self, source: StreamSource, *, keep: bool = False, salvage: bool = False) -> SegmentReader:
        """The streams of such a container, not read yet; see `SegmentReader` for `keep` and `salvage`.

        Raises:
            ContainerError: the container does not hold as many streams as its shape says.
        """
        header = source.header
        segments = self.framing.segments(header.shape)  # the same cut as when it was compressed
        coder = StreamCoder(self.model, header.quality)
        return SegmentReader(source, coder, segments, keep=keep, salvage=salvage)
