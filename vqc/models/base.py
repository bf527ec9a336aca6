"""Base of all codec models: signal ↔ codes at several qualities, and the integer tables of the codes.

::

    image or waveform ── encode ──► codes [B, G, ...] ── to_symbols ──► integers for the entropy coder
    image or waveform ◄── decode ── codes [B, G, ...] ◄─ from_symbols ─ (exact, reversible)

A group is one code map; all groups of a quality lie on the same grid, group g uses ``codebook_sizes(quality)[g]``
entries. Quality runs from 1 (smallest files) to ``qualities`` (best).
"""

from __future__ import annotations

import copy
import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, Self, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from vqc.models.search import EncoderSearch, OperatingPoint, WindowSearch

if TYPE_CHECKING:
    from vqc.models.likelihood import Likelihood
    from vqc.models.prior import CodePrior

Int64Array = npt.NDArray[np.int64]

TABLE_PRECISION = 16  # bits: each row of a static table sums to 2**16
TRAINING_STATE_PREFIX = "ema_"  # buffers with such a last name serve training alone and are not exported


class CodecModel(nn.Module, ABC):
    """A network between a signal and codes. Subclasses call `register_static_table` at the end of their constructor."""

    kind: ClassVar[str]
    media: ClassVar[Literal["image", "audio"]]
    weighs_bits: ClassVar[bool] = False  # whether its `encoder_search` weighs errors of codes against their bits
    lambda_step: ClassVar[float] = 1.6  # λ of a quality by this to ±1/2 stands for halves between two
    default_effort: ClassVar[int] = 0  # of an encoder that is not told, usually: see `EncoderSearch.default_effort`
    float32_tensors: ClassVar[tuple[str, ...]] = ()  # name prefixes that a float16 checkpoint leaves alone
    int8_tensors: ClassVar[tuple[str, ...]] = ()  # name prefixes of weights that an int8 one holds in eight bits
    perceptual_child: ClassVar[str] = ""  # the child that a perceptual decoder stands in for; "": it can have none

    config: Any
    static_table: Tensor  # int32 [Q, G, K]
    prior: CodePrior | None  # fixed to integers: entropy coding may use it
    likelihood: Likelihood | None  # p(x | codes), for evaluation alone
    perceptual: nn.Module | None  # perceptual decoder: more texture from the same codes, and less of the original
    is_perceptual: bool = False  # whether that stands in for the model's own decoder

    def __init__(self) -> None:
        super().__init__()
        self.register_module("prior", None)
        self.register_module("likelihood", None)
        self.register_module("perceptual", None)

    def attach_prior(self, prior: CodePrior) -> None:
        """Give the model a prior of its codes, which is fixed to integers if it is not; OverflowError if that fails."""
        if not prior.is_integer:
            prior.quantize_()
        self.prior = prior.eval().requires_grad_(False)

    def attach_perceptual(self, decoder: nn.Module) -> None:
        """Give the model a perceptual decoder: a module like the one that `make_perceptual` returns."""
        self.perceptual = decoder.eval().requires_grad_(False)

    def make_perceptual(self) -> nn.Module:
        """A perceptual decoder where its training begins: a copy of the child that it stands in for.

        ValueError: models of this kind have no such child.
        """
        if not self.perceptual_child:
            raise ValueError(f"a model of kind {self.kind} can have no sharp decoder")
        return copy.deepcopy(self.get_submodule(self.perceptual_child))

    def with_perceptual_decoder(self) -> Self:
        """This model with its perceptual decoder in place: `decode` gives the other restoration of the same codes.

        Everything else is shared, but for the likelihood, which is that of the model's own restoration.
        """
        assert self.perceptual is not None, "whoever asks has looked"
        twin = copy.copy(self)
        twin.is_perceptual = True
        other = {self.perceptual_child: self.perceptual, "perceptual": None, "likelihood": None}
        twin._modules = {**self._modules, **other}
        return twin

    @property
    def qualities(self) -> int:
        """Number of qualities Q."""
        return 1

    @property
    def default_quality(self) -> int:
        """The quality used when none is asked for, from 1; kinds of several qualities have it in their config."""
        quality: int = getattr(self.config, "default_quality", 1)
        return quality

    def for_export(self) -> Self:
        """The model as files hold it: itself, or with what only training can use brought to its last state.

        What is returned may share weights with this model; its static tables may have to be filled anew.
        """
        return self

    @abstractmethod
    def codebook_sizes(self, quality: int) -> tuple[int, ...]:
        """Number of entries of each group's codebook at a quality; its length is the number of groups G."""

    @property
    def trait_bytes(self) -> int:
        """Bytes that a file says once of all of a recording, beside the codes; most models need none."""
        return 0

    def describe_groups(self, quality: int) -> tuple[tuple[str, int], ...]:
        """Describe the groups of a quality in their order: (a name for people, how many groups have it)."""
        groups = len(self.codebook_sizes(quality))
        return (("codes", 1),) if groups == 1 else tuple((f"codes {g + 1}", 1) for g in range(groups))

    def codebooks(self, quality: int) -> list[Tensor]:
        """The entries [K, D] of each group's codebook, where a model is made of such; else none."""
        return []

    @abstractmethod
    def encode(self, signal: Tensor, quality: int, /) -> Tensor:
        """Codes int64 [B, G, ...] of signals, as the two media say."""

    def encoder_search(self, signal: Tensor, quality: int, inner: tuple[slice, ...] = ()) -> EncoderSearch:
        """The choice of codes for signals as `encode` takes them; of most models there is none.

        Args:
            inner: the part of each axis of a code map in which codes are to be chosen; () for all.
        """
        return WindowSearch(self.encode(signal, quality), inner)

    def encode_as_files_do(self, signal: Tensor, quality: int) -> Tensor:
        """The codes int64 [B, G, ...] that a file of a signal holds when no effort is asked for."""
        search, bits = self.encoder_search(signal, quality), self.static_bits(quality)
        if not self.default_effort:
            return search.codes
        for _ in range(search.default_effort):
            search.refine(search.search(bits))
        return search.search(bits)

    @property
    def lambdas(self) -> tuple[float, ...]:
        """λ of each quality, falling: the squared error of 8-bit values that a bit is worth; () where none is."""
        return ()

    def operating_point(self, quality: float) -> OperatingPoint:
        """The nearest quality, and λ relative to its own, that stand for a quality between two."""
        nearest = round(quality)
        return OperatingPoint(nearest, self.lambda_step ** (nearest - quality))

    def quality_at(self, lmbda: float) -> float:
        """The quality, fractional, of a λ between those of the first and the last."""
        away = [math.log(own / lmbda, self.lambda_step) for own in self.lambdas]
        nearest = min(range(self.qualities), key=lambda index: abs(away[index]))
        return 1 + nearest + min(max(away[nearest], -0.49), 0.49)

    def static_frequencies(self, quality: int) -> Int64Array:
        """Order-0 tables of the symbols, int64 [G, K]: each row sums to 2**16, 0 beyond the group's size, else >= 1."""
        sizes = self.codebook_sizes(quality)
        table = self.static_table[quality - 1, : len(sizes), : max(sizes)]
        return cast(Int64Array, table.cpu().numpy().astype(np.int64))

    def static_bits(self, quality: int) -> Tensor:
        """Cost of each entry under the order-0 tables in bits, [G, K], on the model's device."""
        frequencies = torch.from_numpy(self.static_frequencies(quality)).to(self.static_table.device)
        return TABLE_PRECISION - torch.log2(frequencies.clamp_min(1).float())

    def to_symbols(self, codes: Int64Array) -> Int64Array:
        """Codes [G, ...] of one stream to the integers the entropy coder sees, from the same alphabets; reversible."""
        return codes

    def from_symbols(self, symbols: Int64Array) -> Int64Array:
        """The inverse of `to_symbols`."""
        return symbols

    def register_static_table(self) -> None:
        """Add the buffer of the tables, uniform until `set_static_table` has been called."""
        sizes = self._table_sizes()
        table = torch.zeros(*sizes.shape, int(sizes.max()), dtype=torch.int32)
        for of_quality, rows in zip(sizes, table, strict=True):
            rows.copy_(uniform_frequencies(of_quality, table.shape[-1]))
        self.register_buffer("static_table", table)

    def check_static_tables(self) -> None:
        """ValueError names the first table that is none: see `static_frequencies` for what each must satisfy."""
        self._check_tables(self.static_table.to(torch.int64))

    def _check_tables(self, table: Tensor) -> None:
        sizes, active = self._table_sizes(), self.active_entries().to(table.device)
        right = (((table > 0) == active) & (table >= 0)).all(-1) & (table.sum(-1) == 1 << TABLE_PRECISION)
        for q, g in (~right & (sizes > 0).to(right.device)).nonzero()[:1].tolist():
            raise ValueError(f"static table of quality {q + 1}, group {g} is not a frequency table of {sizes[q, g]}")

    def active_entries(self) -> Tensor:
        """Return which entries of the static tables are those of a code, bool [Q, G, K]."""
        return torch.arange(self.static_table.shape[-1]) < self._table_sizes()[..., None]

    def _table_sizes(self) -> Tensor:
        """Entries of each group at each quality, [Q, G]; 0 for groups that a quality does not have."""
        sizes = [self.codebook_sizes(q + 1) for q in range(self.qualities)]
        groups = max(map(len, sizes))
        return torch.tensor([[*of_quality, *[0] * (groups - len(of_quality))] for of_quality in sizes])

    def set_static_table(self, table: Int64Array) -> None:
        """Store tables [Q, G, K] (frequencies, not counts: see `static_frequencies` for what each row must satisfy)."""
        if table.shape != tuple(self.static_table.shape):
            raise ValueError(f"static table has shape {table.shape}, expected {tuple(self.static_table.shape)}")
        self._check_tables(torch.from_numpy(table))
        self.static_table.copy_(torch.from_numpy(table))


class TraitObserver:
    """Looks at a recording, piece by piece, for what a file says once of all of it; this one sees nothing."""

    def add(self, waveforms: npt.NDArray[np.float32]) -> None:
        """Look at one more piece [A, T] of all channels that sound, T a multiple of the hop."""

    def finish(self) -> bytes:
        """So many bytes as the model's `trait_bytes`."""
        return b""


class ImageModel(CodecModel):
    """A model of RGB images in [0, 1]."""

    media: ClassVar[Literal["image", "audio"]] = "image"

    @property
    @abstractmethod
    def downsampling_factor(self) -> int:
        """Pixels per side of one code."""

    @property
    @abstractmethod
    def halo(self) -> int:
        """Pixels of context beyond a tile that its codes and pixels can depend on; a multiple of the factor."""

    @property
    def encoder_halo(self) -> int:
        """Pixels of context beyond a tile in view of which its codes are chosen, at most `halo`."""
        return self.halo

    @abstractmethod
    def encode(self, image: Tensor, quality: int) -> Tensor:
        """Image [B, 3, H, W] in [0, 1], H and W multiples of the factor, to codes int64 [B, G, H/f, W/f]."""

    @abstractmethod
    def decode(self, codes: Tensor, quality: int) -> Tensor:
        """Codes [B, G, h, w] to an image [B, 3, h·f, w·f], about [0, 1], not clamped."""


class CodeLine(NamedTuple):
    """One codebook and the codes from it, one after the other, that tell what is said."""

    codebook_size: int
    hop_length: int  # samples of a code
    encode: Callable[[Tensor], Tensor]  # waveforms [B, T] → int64 [B, T / hop_length]


class AudioModel(CodecModel):
    """A model of mono waveforms in [-1, 1]."""

    media: ClassVar[Literal["image", "audio"]] = "audio"

    @property
    @abstractmethod
    def sample_rate(self) -> int:
        """Samples per second of the waveforms."""

    @property
    @abstractmethod
    def hop_length(self) -> int:
        """Samples per code frame."""

    @property
    @abstractmethod
    def halo(self) -> int:
        """Frames of context on each side of a chunk that its codes and samples can depend on."""

    @property
    def decoder_halo(self) -> int:
        """Frames of context on each side of a chunk that its samples can depend on, at most `halo`."""
        return self.halo

    def observer(self) -> TraitObserver:
        """What finds these bytes."""
        return TraitObserver()

    def code_line(self, quality: int) -> CodeLine | None:
        """The codes that tell what is said, if they are from one codebook: of most models with one, all of them."""
        sizes = self.codebook_sizes(quality)
        if len(sizes) > 1:
            return None
        return CodeLine(sizes[0], self.hop_length, lambda waveform: self.encode(waveform, quality)[:, 0])

    @abstractmethod
    def encode(self, waveform: Tensor, quality: int) -> Tensor:
        """Waveform [B, T] in [-1, 1], T a multiple of the hop, to codes int64 [B, G, T/hop]."""

    @abstractmethod
    def decode(self, codes: Tensor, quality: int, *, first_frame: int = 0) -> Tensor:
        """Codes [B, G, T] to a waveform [B, T·hop]; `first_frame`: position of codes[..., 0] in the whole file."""

    def decode_with(self, traits: bytes, codes: Tensor, quality: int, *, first_frame: int = 0) -> Tensor:
        """Decode as `decode` does, codes of a recording of which a file says `traits`: `trait_bytes` or nothing."""
        return self.decode(codes, quality, first_frame=first_frame)


def uniform_frequencies(sizes: Tensor, largest: int) -> Tensor:
    """For each of sizes [...] a table [..., largest] of so many entries: sums to 2**16, as flat as integers allow."""
    entry, sizes = torch.arange(largest), sizes[..., None]
    share, rest = (1 << TABLE_PRECISION) // sizes.clamp_min(1), (1 << TABLE_PRECISION) % sizes.clamp_min(1)
    return (share + (entry < rest)) * (entry < sizes)
