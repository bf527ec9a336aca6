"""The prior of the `speech` model: a chunk in a fixed number of passes, each with both past and future to go by.

::

    envelope, 80 ms:  slices of code maps; of each every 8th frame, then those between, at 4, 2, 1
    pitch, 20 ms:     every 8th value, then those between, each from known ones on both sides and the whole envelope
    waveform, 20 ms:  slices from low to high frequencies; of each the even frames, then the odd ones
                      (all three maybe from a coarser lattice on; the codes of a frame at once, or in steps)

Slices are those of `vqc.nn.sliced`, the pitch is a map of `vqc.nn.scalar_map`. Frames half-way between known ones say
as much about each other as frames in a row would, and a chunk takes the same number of passes whatever its length.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import repeat

import torch
from torch import Tensor

from vqc.models.config import Config, limited
from vqc.models.prior import Codebooks, EntryPrior, codebooks_of
from vqc.models.speech.model import PITCHES, SpeechModel
from vqc.nn.integer import CodingStep, IntegerLinear
from vqc.nn.pitch import PITCH_STATES
from vqc.nn.scalar_map import StateMap
from vqc.nn.sliced import HeadSizes, LineLattice, make_slices, slices_in


@dataclass(frozen=True, kw_only=True)
class SpeechPriorConfig(Config):
    """Sizes of the networks, and how the code maps of each shape are cut into slices.

    extra_coarse_levels: how many coarser lattices of envelope, pitch and waveform come before the first one; () for
        none.
    channel_steps: of each slice, in which the codes of a frame come, those of the envelope first; () for 1.
    """

    envelope_slices: tuple[tuple[int, ...], ...] = limited(((4, 4), (8, 8), (16,)), 1, 4096)
    waveform_slices: tuple[tuple[int, ...], ...] = limited(((6, 10, 16, 16), (16, 32, 48)), 1, 4096)
    width: int = limited(160, 1, 4096)  # of the context of a code frame
    fine_width: int = limited(96, 1, 4096)  # of the context of a 20 ms frame
    head_width: int = limited(128, 1, 4096)
    neighbour_width: int = limited(48, 1, 4096)
    pitch_width: int = limited(16, 1, 4096)
    dropout: float = limited(0.0, 0, 0.99)
    extra_coarse_levels: tuple[int, ...] = limited((), 0, 16, written_when_set=True)
    channel_steps: tuple[int, ...] = limited((), 1, 4096, written_when_set=True)


class SpeechPrior(EntryPrior):
    """Logits of the codes of a `SpeechModel`; qualities count from 1, a batch is of one quality."""

    kind = "speech"

    def __init__(self, config: SpeechPriorConfig, codec: SpeechModel) -> None:
        super().__init__(config, codec)
        extra, steps = config.extra_coarse_levels, config.channel_steps
        total = sum(map(len, config.envelope_slices + config.waveform_slices))
        if len(extra) not in (0, 3):
            raise ValueError(f"extra_coarse_levels {extra} is not one number each for envelope, pitch and waveform")
        if len(steps) not in (0, total):
            raise ValueError(f"channel_steps {steps} are not one number for each of the slices")
        envelope_extra, pitch_extra, waveform_extra = extra or (0, 0, 0)
        remaining = iter(steps or (1,) * total)
        envelope_orders = zip(repeat(LineLattice(8, envelope_extra)), remaining, strict=False)
        waveform_orders = zip(repeat(LineLattice(2, waveform_extra)), remaining, strict=False)
        coarse = HeadSizes(config.width, config.head_width, config.neighbour_width, codec.qualities, config.dropout)
        fine = replace(coarse, width=config.fine_width)
        of_pitch = replace(fine, neighbour_width=config.pitch_width)
        self.envelope = make_slices(codec.envelope_vq, config.envelope_slices, envelope_orders, 0, coarse)
        self.waveform = make_slices(codec.waveform_vq, config.waveform_slices, waveform_orders, 0, fine)
        self.envelope_maps, self.waveform_maps = codec.envelope_vq.count, codec.waveform_vq.count
        self.upsample = IntegerLinear(config.width, PITCHES * config.fine_width, qualities=codec.qualities)
        self.pitch = StateMap(PITCH_STATES, LineLattice(8, pitch_extra), of_pitch)

    def coding_steps(self, codes: Tensor, quality: int, mask: Tensor | None = None) -> Iterator[CodingStep]:
        """See `CodePrior.coding_steps`; codes are int64 [B, G, T]."""
        batch, maps, frames = codes.shape
        flat = codes.view(-1)
        index = torch.arange(codes.numel(), device=codes.device).view(batch, maps, frames)
        sizes = [PITCHES, self.envelope_maps, maps - PITCHES - self.envelope_maps]
        pitch, envelope, waveform = torch.split(index, sizes, 1)  # [B, maps, T] each

        envelope = envelope.transpose(1, 2)  # [B, T, E]
        context = torch.zeros(batch, frames, self.config.width, device=codes.device)
        for part in slices_in(self.envelope):
            yield from part.coding_steps(flat, envelope, context, quality, mask)
            context = part.update(flat, envelope, context, quality)  # [B, T, width]

        # from here on in frames of 20 ms: number 4t + j is the j-th of code frame t
        fine = self.relu(self.upsample(context, quality)).view(batch, PITCHES * frames, -1)  # [B, 4T, fine_width]
        mask = None if mask is None else mask.repeat_interleave(PITCHES, 1)  # [B, 4T]
        pitch = pitch.transpose(1, 2).reshape(batch, -1, 1)  # [B, 4T, 1]
        yield from self.pitch.coding_steps(flat, pitch, fine, quality, mask)
        if not waveform.shape[1]:  # a low quality codes none
            return
        update, last = self.pitch.update, pitch
        waveform = waveform.view(batch, PITCHES, self.waveform_maps, frames)  # maps j · W + w of a code frame
        waveform = waveform.permute(0, 3, 1, 2).reshape(batch, -1, self.waveform_maps)  # [B, 4T, W]
        for part in slices_in(self.waveform):
            fine = update(flat, last, fine, quality)  # [B, 4T, fine_width]
            yield from part.coding_steps(flat, waveform, fine, quality, mask)
            update, last = part.update, waveform

    def codebooks(self, codec: SpeechModel) -> Iterator[Codebooks]:
        """See `EntryPrior`; one for each slice."""
        envelope, waveform = [], []  # static tables of each quality: [E, K], and [W, K] of all four frames together
        for q in range(codec.qualities):
            table = torch.from_numpy(codec.static_frequencies(q + 1))[PITCHES:]
            envelope.append(table[: self.envelope_maps])
            coded = table[self.envelope_maps :]  # [4 · W, K], or none
            waveform.append(coded.view(PITCHES, self.waveform_maps, -1).sum(0) if len(coded) else coded)
        yield from codebooks_of(self.envelope, self.config.envelope_slices, codec.envelope_vq, envelope)
        yield from codebooks_of(self.waveform, self.config.waveform_slices, codec.waveform_vq, waveform)
