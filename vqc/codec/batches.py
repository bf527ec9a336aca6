"""Many signals of one shape through the networks at once, so that small ones do not wait for calls.

::

    signals ─ framing.cut ─► windows ─ those alike, together ─► model.encoder_search ─► codes [B, G, ...]
            ─ write_each ─► streams ─► containers                    large signals: one by one, as `Codec` does

What is made of an item does not depend on its batch: priors and tables are integers, and the encoder computes in
float32, whose sums have been the same in batches of any size wherever we looked; those of bfloat16 are not. That a
library of floats keeps to this is no law, so a test looks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vqc.codec.batch_coding import read_each, write_each
from vqc.codec.codec import Codec
from vqc.codec.framing import BATCH_VALUES, Cut, Window, drain
from vqc.codec.progress import Meter
from vqc.codec.rate import Rate
from vqc.codec.rate_control import RateController, is_rate_choice
from vqc.codec.stream_coder import StreamCoder
from vqc.codec.validation import check_entropy, check_quality
from vqc.devices import only_float32
from vqc.errors import OptionError
from vqc.format.container import Container, Entropy, Header
from vqc.models.kinds import KINDS
from vqc.models.search import OperatingPoint


class Prepared(NamedTuple):
    """A signal of one window, cut."""

    window: Window
    batch: Tensor  # what the network is given, [1, ...]
    cut: Cut


class BatchCompressor:
    """Compresses many signals with one model, all alike.

    Args:
        quality: of the model, or between two; by default the model's own.
        entropy: "auto" is the prior where the model has one, and else the static tables.
        rate: an effort, or a λ; not a size, which is of one file.

    Raises:
        OptionError: the model does not have such a quality or mode, or a size is asked for.
    """

    def __init__(self, codec: Codec[Any, Any], *, quality: float | None, entropy: str, rate: Rate) -> None:
        if rate.is_target:
            raise OptionError("a target is of one file, and an archive has one quality; give a quality")
        self.codec, self.rate = codec, rate
        self.quality = check_quality(codec.model, quality, codec.name, rate)
        self.entropy = mode_of(codec, entropy)
        self.point: OperatingPoint = codec.model.operating_point(self.quality)
        choice = is_rate_choice(codec.model, self.quality, rate, codec.name)
        self._control = RateController(
            codec.framing,
            Meter(None, 0),
            rate_choice=choice,
            effort=rate.effort,
            entropy=self.entropy,
        )
        self._coder = StreamCoder(codec.model, self.point.quality)

    def alone(self, signal: Any) -> Container:
        """Compress a signal of any size by itself."""
        quality = None if self.rate.lmbda else self.quality
        with only_float32():
            made = self.codec.make_file(signal, quality=quality, entropy=self.entropy, rate=self.rate)
        return made.container

    def prepare(self, signal: Any) -> Prepared | None:
        """Cut a small signal, to be compressed together with others; None if it needs more than one window.

        Raises:
            MediaError: the signal cannot be compressed.
        """
        framing = self.codec.framing
        framing.check(signal)
        windows, cut = drain(framing.cut(signal), lambda window: window)
        batches = [batch for window in windows for batch in framing.batches(window)]
        return Prepared(windows[0], batches[0], cut) if len(windows) == len(batches) == len(batches[0]) == 1 else None

    @torch.inference_mode()
    def together(self, signals: Sequence[Prepared]) -> list[Container]:
        """Compress signals, each with the bytes that it has alone."""
        found = dict[int, Container]()
        alike = dict[tuple[Any, ...], list[int]]()
        for number, (window, batch, _) in enumerate(signals):
            key = *batch.shape, *((part.start, part.stop) for part in window.inner)
            alike.setdefault(key, []).append(number)
        for group in alike.values():
            size = max(1, BATCH_VALUES // signals[group[0]].batch[0].numel())
            for first in range(0, len(group), size):
                some = group[first : first + size]
                found.update(zip(some, self._coded([signals[number] for number in some]), strict=True))
        return [found[number] for number in range(len(signals))]

    def _coded(self, group: Sequence[Prepared]) -> list[Container]:
        """Compress signals whose windows are alike."""
        batch, inner = torch.cat([small.batch for small in group]), group[0].window.inner
        with only_float32():
            search = self.codec.model.encoder_search(batch, self.point.quality, inner)
            self._control.refine(search, self.point)
            codes = self._control.codes([search], self.point)  # [B, G, ...]
        streams = write_each(self._coder, codes, self.entropy)
        return [self._container(small.cut, stream) for small, stream in zip(group, streams, strict=True)]

    def _container(self, cut: Cut, stream: bytes) -> Container:
        kind = KINDS[self.codec.model.kind].wire_id
        header = Header(
            codec=kind, entropy=self.entropy, quality=self.point.quality, digest=self.codec.digest, shape=cut.shape
        )
        return Container(header=header, alpha=cut.alpha, body=cut.prefixes[0] + stream, traits=cut.traits)


def mode_of(codec: Codec[Any, Any], entropy: str) -> Entropy:
    """The one mode that all items of a model are written in; OptionError when the model does not have it."""
    mode = check_entropy(entropy)
    if mode == "auto":
        return "static" if codec.model.prior is None else "prior"
    if mode == "prior" and codec.model.prior is None:
        raise OptionError(f"entropy prior: the model {codec.name} has no learned prior; use auto, static or none")
    return mode


def codes_of_each(codec: Codec[Any, Any], containers: Sequence[Container]) -> list[NDArray[np.int64]]:
    """The codes of containers that name this model, int64 [G, h, w] or [G, T], or [C, G, T] of several channels.

    Where a channel is silent and has no codes they are -1. Items of one shape are read together.

    Raises:
        ContainerError: one is damaged; none is read then.
    """
    found: list[NDArray[np.int64]] = [np.zeros(0, np.int64)] * len(containers)
    alike = dict[tuple[Any, ...], list[tuple[int, bytes]]]()
    for number, container in enumerate(containers):
        reader, header = codec.reader(container), container.header
        _, items, stream = reader.parts(0)
        if len(reader) == header.shape.items == len(items) == 1:
            alike.setdefault((header.quality, header.entropy, reader.segments.grid), []).append((number, stream))
        else:
            whole = reader.read_all()  # [C, G, ...]
            found[number] = whole[0] if len(whole) == 1 else whole
    for (quality, entropy, grid), group in alike.items():
        codes = read_each(StreamCoder(codec.model, quality), [stream for _, stream in group], entropy, grid)
        for (number, _), item in zip(group, codes, strict=True):
            found[number] = item.astype(np.int64)
    return found


def restore_each(codec: Codec[Any, Any], containers: Sequence[Container]) -> list[Any]:
    """Restore containers that name this model, each as `Codec.restore` does; small pictures of one shape together.

    Raises:
        ContainerError: one is damaged; none is restored then.
    """
    found: list[Any] = [None] * len(containers)
    framing, alike = codec.framing, dict[tuple[int, ...], list[int]]()
    for number, container in enumerate(containers):
        shape = container.header.shape
        if framing.most_together(shape) > 1:
            alike.setdefault((container.header.quality, *framing.segments(shape).grid), []).append(number)
        else:
            found[number] = codec.restore(container)
    for group in alike.values():
        size = framing.most_together(containers[group[0]].header.shape)
        for first in range(0, len(group), size):
            some = group[first : first + size]
            codes = np.stack(codes_of_each(codec, [containers[number] for number in some]))  # [B, G, ...]
            pictures = framing.render_each(codes, [codec.reader(containers[number]) for number in some])
            for number, picture in zip(some, pictures, strict=True):
                found[number] = picture
    return found
