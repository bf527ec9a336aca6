"""The prior of the `speech` model: a chunk in a fixed number of passes, each with both past and future to go by.

::

    envelope, 80 ms:  slices of code maps; of each every 8th frame, then those between, at 4, 2, 1
    pitch, 20 ms:     every 8th value, then those between, each from known ones on both sides and the whole envelope
    waveform, 20 ms:  slices from low to high frequencies; of each the even frames, then the odd ones
                      (all three maybe from a coarser lattice on; the codes of a frame at once, or in steps)

    context ─(+)────────(+)─ network ─► logits of some of a slice's codes at some frames
              ▲          ▲
       its codes at   those of the steps
       known frames   before, at the frame
       on both sides  itself
    context ◄─ network over 5 frames ◄─ codes of the slice

Frames half-way between known ones say as much about each other as frames in a row would (the chain rule of entropy
does not mind the order), and a chunk takes the same number of passes whatever its length. Made of exact layers
(`vqc.nn.integer`): after `fix` every machine computes the same integers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vqc.models.config import Config, limited
from vqc.models.prior import Codebooks, CodingStep, EntryPrior
from vqc.models.speech.model import PITCHES, SpeechModel
from vqc.nn.entry_groups import EntryGroups
from vqc.nn.integer import ONE, IntegerEmbedding, IntegerLinear, IntegerModule
from vqc.nn.pitch import PITCH_STATES


@dataclass(frozen=True, kw_only=True)
class SpeechPriorConfig(Config):
    """Sizes of the networks, and how the code maps of each shape are cut into slices.

    farther: how many coarser lattices of envelope, pitch and waveform come before the first one; () for none.
    steps: of each slice, in which the codes of a frame come, those of the envelope first; () for 1.
    """

    envelope_slices: tuple[tuple[int, ...], ...] = limited(((4, 4), (8, 8), (16,)), 1, 4096)
    waveform_slices: tuple[tuple[int, ...], ...] = limited(((6, 10, 16, 16), (16, 32, 48)), 1, 4096)
    width: int = limited(160, 1, 4096)  # of the context of a code frame
    fine_width: int = limited(96, 1, 4096)  # of the context of a 20 ms frame
    head_width: int = limited(128, 1, 4096)
    neighbour_width: int = limited(48, 1, 4096)
    pitch_width: int = limited(16, 1, 4096)
    dropout: float = limited(0.0, 0, 0.99)
    farther: tuple[int, ...] = limited((), 0, 16, written_when_set=True)
    steps: tuple[int, ...] = limited((), 1, 4096, written_when_set=True)


class SpeechPrior(EntryPrior):
    """Logits of the codes of a `SpeechModel`; qualities count from 1, a batch is of one quality."""

    kind = "speech"

    def __init__(self, config: SpeechPriorConfig, codec: SpeechModel) -> None:
        super().__init__(config, codec)
        if not isinstance(codec, SpeechModel):
            raise ValueError(f"it is for a model of kind speech, not {codec.kind}")
        self.config, qualities = config, codec.qualities
        self.envelope, self.waveform = nn.ModuleList(), nn.ModuleList()
        total = sum(map(len, config.envelope_slices + config.waveform_slices))
        if len(config.farther) not in (0, 3):
            raise ValueError(f"farther {config.farther} is not one number each for envelope, pitch and waveform")
        if len(config.steps) not in (0, total):
            raise ValueError(f"steps {config.steps} are not one number for each of the slices")
        of_envelope, of_pitch, of_waveform = config.farther or (0, 0, 0)
        steps = iter(config.steps or (1,) * total)
        for kept, cuts, quantizer, width, lattice in (
            (self.envelope, config.envelope_slices, codec.envelope_vq, config.width, _Lattice(8, of_envelope)),
            (self.waveform, config.waveform_slices, codec.waveform_vq, config.fine_width, _Lattice(2, of_waveform)),
        ):
            shapes, used = quantizer.groups, zip(*quantizer.active_sizes, strict=True)
            if [sum(cut) for cut in cuts] != [count for count, _, _ in shapes]:
                raise ValueError(f"slices {cuts} do not add up to the code maps {shapes}")
            first = 0
            for cut, (_, dims, size), of_shape in zip(cuts, shapes, used, strict=True):
                for count in cut:
                    groups = EntryGroups(count, dims, size, qualities=qualities, width=config.head_width, used=of_shape)
                    kept.append(_Slice(groups, first, width, lattice, next(steps), config, qualities))
                    first += count
        self.envelope_maps = sum(count for count, _, _ in codec.config.envelope_groups)
        self.waveform_maps = sum(count for count, _, _ in codec.config.waveform_groups)
        self.finer = IntegerLinear(config.width, PITCHES * config.fine_width, qualities=qualities)
        self.pitch = _Pitch(_Lattice(8, of_pitch), config, qualities)

    def coding_steps(self, codes: Tensor, quality: int, chosen: Tensor | None = None) -> Iterator[CodingStep]:
        """Every code of int64 [B, G, T] once, in the order of coding.

        When a part is asked for, `codes` must hold the codes of all parts before it; others are not looked at.

        Args:
            chosen: bool [B, T]: only these frames are wanted (all codes must be there then).
        """
        batch, maps, frames = codes.shape
        flat, device = codes.view(-1), codes.device
        first = torch.arange(batch, device=device)[:, None, None] * maps  # map of each item
        map_ = PITCHES + torch.arange(self.envelope_maps, device=device)
        index = (first + map_) * frames + torch.arange(frames, device=device)[:, None]
        context = torch.zeros(batch, frames, self.config.width, dtype=self.dtype, device=device)
        for part in _slices(self.envelope):
            yield from part.coding_steps(flat, index, context, quality, chosen)
            context = part.absorbed(flat, index, context, quality)

        # from here on in frames of 20 ms: number 4t + j is the j-th of code frame t
        time = torch.arange(frames * PITCHES, device=device)[:, None]
        fine = self.relu(self.finer(context, quality)).view(batch, len(time), -1)
        index = (first + time % PITCHES) * frames + time // PITCHES
        if chosen is not None:
            chosen = chosen.repeat_interleave(PITCHES, 1)
        yield from self.pitch.coding_steps(flat, index[..., 0], fine, quality, chosen)
        if maps == PITCHES + self.envelope_maps:
            return
        fine = self.pitch.absorbed(flat, index[..., 0], fine, quality)
        map_ = PITCHES + self.envelope_maps + time % PITCHES * self.waveform_maps
        map_ = map_ + torch.arange(self.waveform_maps, device=device)
        index = (first + map_) * frames + time // PITCHES
        for part in _slices(self.waveform):
            yield from part.coding_steps(flat, index, fine, quality, chosen)
            fine = part.absorbed(flat, index, fine, quality)

    def codebooks(self, codec: SpeechModel) -> Iterator[Codebooks]:
        """See `EntryPrior`; one for each slice."""
        for slices, cuts, quantizer in (
            (self.envelope, self.config.envelope_slices, codec.envelope_vq),
            (self.waveform, self.config.waveform_slices, codec.waveform_vq),
        ):
            parts, tables = iter(_slices(slices)), list(self._tables(codec, slices is self.waveform))
            for shape, cut in enumerate(cuts):
                for entries in torch.split(quantizer.whole_codebook(shape), cut, dim=1):
                    part = next(parts)
                    own = slice(part.first, part.first + part.groups.count)
                    yield Codebooks(part.groups, entries, [table[own] for table in tables])

    def _tables(self, codec: SpeechModel, waveform: bool) -> Iterator[Tensor]:
        """Of each quality, the static tables [maps, K] of the envelope or the waveform, that of all four frames."""
        for q in range(codec.qualities):
            table = torch.from_numpy(codec.static_frequencies(q + 1))[PITCHES:]
            envelope, coded = table[: self.envelope_maps], table[self.envelope_maps :]
            if waveform and len(coded):
                coded = coded.view(PITCHES, self.waveform_maps, -1).sum(0)
            yield coded if waveform else envelope


def _slices(modules: nn.ModuleList) -> list[_Slice]:
    return cast(list[_Slice], list(modules))


class _Absorb(IntegerModule):
    """What has become known of each frame is worked into the context of two frames to each side."""

    def __init__(self, inputs: int, width: int, qualities: int) -> None:
        super().__init__()
        self.enter = IntegerLinear(inputs, width, qualities=qualities)
        self.around = IntegerLinear(5 * width, width, qualities=qualities)
        self.leave = IntegerLinear(width, width)

    def forward(self, known: Tensor, context: Tensor, quality: int) -> Tensor:
        """Known [B, N, inputs] and context [B, N, C] to the next context."""
        x = self.relu(self.enter(known, quality) + context)
        around = F.pad(x, (0, 0, 2, 2))
        taps = torch.cat([around[:, i : i + x.shape[1]] for i in range(5)], -1)
        return self.clip(context + self.leave(self.relu(self.around(taps, quality))))


class _Lattice:
    """Frames in the order in which they become known: every `first`th, then those half-way between; or coarser before.

    Args:
        first: step of the first lattice, a power of two.
        farther: how many coarser ones come before it.
    """

    def __init__(self, first: int, farther: int) -> None:
        self.first, self.farther = first, farther
        self.steps = [1 << k for k in reversed(range(first.bit_length() + farther))]

    def passes(self, frames: int, device: torch.device) -> Iterator[tuple[int, Tensor]]:
        """Of every lattice its step, and its frames that are not in the one before."""
        yield self.steps[0], torch.arange(0, frames, self.steps[0], device=device)
        for step in self.steps[1:]:
            if step < frames:
                yield step, torch.arange(step, frames, 2 * step, device=device)


class _Neighbours(IntegerModule):
    """What codes at known frames on both sides say: those at ±1 and ±3 steps of a lattice."""

    _offsets = (-3, -1, 1, 3)

    def __init__(self, inputs: int, outputs: int, lattice: _Lattice, qualities: int) -> None:
        super().__init__()
        size, self.lattice = len(self._offsets) * (inputs + 1), lattice
        near = len(lattice.steps) - 1 - lattice.farther
        self.layers = nn.ModuleList(IntegerLinear(size, outputs, qualities=qualities) for _ in range(near))
        self.farther = nn.ModuleList(
            IntegerLinear(size, outputs, qualities=qualities, zero=True) for _ in range(lattice.farther)
        )

    def forward(self, embedded: Tensor, wanted: Tensor, step: int, quality: int) -> Tensor:
        """Of embedded [B, N, inputs], for the frames wanted [n] of a lattice but the coarsest: [B, n, outputs]."""
        frames, taps = embedded.shape[1], []
        for offset in self._offsets:
            at = wanted + offset * step
            there = ((at >= 0) & (at < frames))[None, :, None]
            values = torch.where(there, embedded[:, at.clamp(0, frames - 1)], 0)
            mark = self.to_fixed_point(there * ONE).expand(len(embedded), -1, -1)
            taps += [values, mark]
        layers = [*self.farther, *self.layers]
        result: Tensor = layers[self.lattice.steps.index(step) - 1](torch.cat(taps, -1), quality)
        return result


class _Slice(IntegerModule):
    """Some code maps of one shape: pass by pass over the frames, and step by step over the codes of each."""

    def __init__(
        self,
        groups: EntryGroups,
        first: int,
        width: int,
        lattice: _Lattice,
        steps: int,
        config: SpeechPriorConfig,
        qualities: int,
    ) -> None:
        super().__init__()
        self.groups, self.first, self.lattice = groups, first, lattice
        self.ends = [round(step * groups.count / steps) for step in range(steps + 1)]
        described, head = groups.count * groups.described_dims, config.head_width
        self.embed = IntegerLinear(described, config.neighbour_width, qualities=qualities)
        self.front = IntegerLinear(width, head, qualities=qualities)
        self.beside = _Neighbours(config.neighbour_width, head, lattice, qualities)
        if steps > 1:
            self.before = IntegerLinear(described, head, qualities=qualities, zero=True)
        self.back = IntegerLinear(head, head, qualities=qualities)
        self.absorb = _Absorb(described, width, qualities)
        self.dropout = nn.Dropout(config.dropout)

    def coding_steps(
        self, flat: Tensor, index: Tensor, context: Tensor, quality: int, chosen: Tensor | None
    ) -> Iterator[CodingStep]:
        """Of codes whose places in the flattened codes are index [B, N, maps]; see `SpeechPrior.coding_steps`."""
        front = self.front(context, quality)
        own = index[..., self.first : self.first + self.groups.count]
        for step, wanted in self.lattice.passes(index.shape[1], index.device):
            h = front[:, wanted]
            if step < self.lattice.steps[0]:
                embedded = self.relu(self.embed(self.groups.described(flat[own], quality), quality))
                h = self.clip(h + self.beside(embedded, wanted, step, quality))
            places, h = own[:, wanted].flatten(0, 1), h.flatten(0, 1)
            if chosen is not None:
                picked = chosen[:, wanted].flatten()
                places, h = places[picked], h[picked]
            for start, end in pairwise(self.ends):
                yield from self._step(flat, places, h, range(start, end), quality)

    def _step(self, flat: Tensor, places: Tensor, hidden: Tensor, groups: range, quality: int) -> Iterator[CodingStep]:
        """Some of the code maps, at frames [N] with their places [N, maps]."""
        if groups.start:
            known = self.groups.described(flat[places[:, : groups.start]], quality)
            hidden = self.clip(hidden + self.before(known, quality, inputs=slice(known.shape[-1])))
        h = self.dropout(self.relu(self.back(self.relu(hidden), quality)))
        places = places[:, groups.start : groups.stop].T
        for some, logits in self.groups.logits(h, groups, quality):
            yield CodingStep(places[some].flatten(), logits.flatten(0, 1))

    def absorbed(self, flat: Tensor, index: Tensor, context: Tensor, quality: int) -> Tensor:
        """The next context."""
        own = index[..., self.first : self.first + self.groups.count]
        result: Tensor = self.absorb(self.groups.described(flat[own], quality), context, quality)
        return result


class _Pitch(IntegerModule):
    """Pitch states: the logits of all states, and functions of the distance to the nearest known one on each side."""

    def __init__(self, lattice: _Lattice, config: SpeechPriorConfig, qualities: int) -> None:
        super().__init__()
        self.lattice = lattice
        head, distances = config.head_width, 2 * PITCH_STATES - 1
        self.embed = IntegerEmbedding(PITCH_STATES, config.pitch_width)
        self.front = IntegerLinear(config.fine_width, head, qualities=qualities)
        self.beside = _Neighbours(config.pitch_width, head, lattice, qualities)
        self.back = IntegerLinear(head, head, qualities=qualities)
        self.states = IntegerLinear(head, PITCH_STATES)
        self.absorb = _Absorb(config.pitch_width, config.fine_width, qualities)
        self.sides, self.farther_sides = nn.ModuleList(), nn.ModuleList()
        self.dropout = nn.Dropout(config.dropout)
        distance = torch.arange(distances).float() - PITCH_STATES + 1
        shapes = torch.stack([torch.exp(-((distance / w) ** 2)) for w in (0.5, 1, 2, 4, 8, 16, 32)])
        for sides in (self.sides,) * 2 + (self.farther_sides,) * (2 if lattice.farther else 0):
            side = nn.Sequential(IntegerLinear(head, len(shapes), zero=True), IntegerLinear(len(shapes), distances))
            with torch.no_grad():
                cast(IntegerLinear, side[1]).weight.copy_(shapes.T)
            sides.append(side)

    def coding_steps(
        self, flat: Tensor, index: Tensor, context: Tensor, quality: int, chosen: Tensor | None
    ) -> Iterator[CodingStep]:
        """Of states whose places in the flattened codes are index [B, N]."""
        front = self.front(context, quality)
        frames = index.shape[1]
        k = torch.arange(PITCH_STATES, device=index.device)
        for step, wanted in self.lattice.passes(frames, index.device):
            h = front[:, wanted]
            states = flat[index]
            later = step < self.lattice.steps[0]
            if later:
                h = self.clip(h + self.beside(self.embed(states), wanted, step, quality))
            h = self.dropout(self.relu(self.back(self.relu(h), quality)))
            logits = self.states(h)
            if later:
                sides = self.sides if step < self.lattice.first else self.farther_sides
                for side, offset in zip(sides, (-step, step), strict=True):
                    at = (wanted + offset).clamp(max=frames - 1)
                    known = torch.where((wanted + offset < frames), states[:, at], 0)[..., None]
                    by_distance = side(h)
                    shifted = by_distance.gather(2, PITCH_STATES - 1 - known + k)
                    logits = logits + torch.where((known > 0) & (k > 0), shifted, 0)
            picked = slice(None) if chosen is None else chosen[:, wanted].flatten()
            yield CodingStep(index[:, wanted].flatten()[picked], logits.flatten(0, 1)[picked])

    def absorbed(self, flat: Tensor, index: Tensor, context: Tensor, quality: int) -> Tensor:
        """The next context."""
        result: Tensor = self.absorb(self.embed(flat[index]), context, quality)
        return result
