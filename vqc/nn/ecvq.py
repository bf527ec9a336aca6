"""Product of entropy-constrained vector quantizers, a dictionary for each quality, searched group-parallel.

A latent vector is cut into groups of a few neighbouring dimensions; each group has its own codebook. The code chosen
for z minimises ‖z − e_k‖² + bits(k) with bits(k) = −log₂ p(k) (ECVQ: Chou, Lookabaugh and Gray 1989), so the latents
must be scaled such that one bit is worth one unit of squared error. Codebooks and probabilities follow the data by
exponential moving averages while training, and stand still in evaluation. When several processes train together, they
follow the latents of all ranks; all ranks then quantize with the same dictionaries in the same order.

Groups of equal shape are computed together. Dictionaries are counted from 0: that of quality q is number q − 1.
Codebooks are placed by `vqc.nn.ecvq_fit`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from vqc.nn.distributed import sum_over_ranks
from vqc.nn.precision import in_float32

GroupShape = tuple[int, int, int]  # number of groups, dimensions of each, entries of each codebook
Counts = Sequence[Tensor]  # of each shape [G, K]: how often each entry was chosen

# The moving averages of counts begin as if each step had had 200 latents. Real steps have thousands, so that they
# soon outweigh what was set at the start, and the first few do not throw the codebooks about.
LATENTS_A_STEP = 200
_LEAST_COUNT = 1e-3  # divisor of an entry that nothing has chosen recently: bounds its step
_SMOOTHING = 1e-4  # share of all counts that is spread over the entries: an unused one costs log2(K / 1e-4) bits
_CACHED_ELEMENTS = 1 << 18  # distances held at once: 1 MiB, within the second-level cache


class GroupedCodes(NamedTuple):
    """Result of a quantization of [N, dims]."""

    quantized: Tensor  # [N, dims], straight-through: its gradient is that of the input
    codes: Tensor  # int64 [N, G]
    commitment: Tensor  # scalar: mean over N of ‖z − sg(e)‖²
    bits: Tensor  # scalar: mean over N of the sum of bits(k) over the groups


class Tilts(NamedTuple):
    """What entries cost at one position and not at another: the products of both, summed over F."""

    coefficients: Tensor  # [G, N, F]
    features: Tensor  # [G, F, K]


class GroupedECVQ(nn.Module):
    """Entropy-constrained codebooks for `qualities` rates over a latent of sum(count · dims) dimensions.

    Args:
        groups: how the latent is cut.
        qualities: number of dictionaries.
        active_sizes: number of entries that a dictionary uses of the codebooks of each shape, the first ones,
            [qualities, shapes]; () for all.
        decay: of the moving averages.
    """

    def __init__(
        self,
        groups: Sequence[GroupShape],
        qualities: int,
        *,
        active_sizes: Sequence[Sequence[int]] = (),
        decay: float = 0.99,
    ) -> None:
        super().__init__()
        self.groups, self.qualities, self.decay = tuple(groups), qualities, decay
        self.active_sizes = tuple(map(tuple, active_sizes)) or (tuple(size for _, _, size in self.groups),) * qualities
        counts = [count for count, _, _ in self.groups]
        self.sizes = [  # [qualities][all groups]: number of entries that a dictionary uses of each group's codebook
            tuple(size for count, size in zip(counts, active, strict=True) for _ in range(count))
            for active in self.active_sizes
        ]
        for i, (count, dims, size) in enumerate(self.groups):
            self.register_buffer(f"codebook_{i}", torch.zeros(qualities, count, size, dims))
            self.register_buffer(f"ema_count_{i}", torch.ones(qualities, count, size))
            self.register_buffer(f"probability_{i}", torch.full((qualities, count, size), 1 / size))

    @property
    def dims(self) -> int:
        """Dimensions of a latent."""
        return sum(self.group_dims())

    @property
    def count(self) -> int:
        """Number of groups."""
        return sum(count for count, _, _ in self.groups)

    def group_dims(self) -> list[int]:
        """Dimensions of each group."""
        return [dims for count, dims, _ in self.groups for _ in range(count)]

    def locate(self, group: int) -> tuple[int, int]:
        """Return the shape of a group and its number among the groups of that shape."""
        for shape, (count, _, _) in enumerate(self.groups):
            if group < count:
                return shape, group
            group -= count
        raise IndexError("there is no such group")

    def entries(self, group: int, index: int) -> Tensor:
        """Return the codebook [K, D] of a group in dictionary `index`."""
        shape, number = self.locate(group)
        return self.codebook(shape, index)[number]

    def whole_codebooks(self) -> list[Tensor]:
        """Return all entries of the groups of each shape in every dictionary, used or not: [Q, G, K, D], not copies."""
        return [self._whole("codebook", shape) for shape in range(len(self.groups))]

    def codebook(self, shape: int, index: int) -> Tensor:
        """Return the used entries of the groups of a shape, [G, K, D], as a view to read or write."""
        return self._active("codebook", shape, index)

    def probability(self, shape: int, index: int) -> Tensor:
        """Return the probability of each used entry of the groups of a shape, [G, K], as a view to read or write."""
        return self._active("probability", shape, index)

    def ema_count(self, shape: int, index: int) -> Tensor:
        """Return the moving average of how many latents a step chose each used entry, [G, K], as a view."""
        return self._active("ema_count", shape, index)

    def bits(self, shape: int, index: int) -> Tensor:
        """Return the ideal code length of each used entry of the groups of a shape, [G, K]."""
        return -torch.log2(self.probability(shape, index))

    @in_float32
    def encode(
        self,
        latents: Tensor,
        index: int,
        groups: int | None = None,
        *,
        bits: Tensor | None = None,
        tilts: Sequence[Tilts] = (),
    ) -> Tensor:
        """Encode latents [N, dims] to codes int64 [N, G] of dictionary `index`.

        Args:
            groups: number of groups to encode, the first ones; all by default.
            bits: [G, K], what each entry costs in place of −log₂ p: a row for each of the groups to encode.
            tilts: of the groups of the first shapes, what is added to their bits.
        """
        left = self.count if groups is None else groups
        left = left if bits is None else len(bits)
        codes, first = list[Tensor](), 0
        for shape, z in enumerate(self.cut_latents(latents)):  # z: [G, N, D]
            count = min(left, len(z))
            left -= count
            if count:
                codebook = self.codebook(shape, index)[:count]  # [G, K, D]
                own = self.bits(shape, index)[:count] if bits is None else bits[first:, : codebook.shape[1]][:count]
                tilted = tilts[shape] if shape < len(tilts) else None
                codes.append(search(z[:count], codebook, own, tilted).T)  # [N, G]
            first += count
        return torch.cat(codes, 1) if codes else latents.new_empty(len(latents), 0, dtype=torch.int64)

    def decode(self, codes: Tensor, index: int) -> Tensor:
        """Decode codes [N, G] of all groups to quantized latents [N, dims]."""
        parts = []
        for shape, k in enumerate(self._cut_codes(codes)):  # k: [G, N]
            parts.append(take(self.codebook(shape, index), k).transpose(0, 1).flatten(1))  # [N, G·D]
        return torch.cat(parts, 1)

    @in_float32
    def forward(self, latents: Tensor, index: int) -> GroupedCodes:
        """Quantize latents [N, dims]; while training also move the dictionary towards them."""
        codes = self.encode(latents.detach(), index)  # [N, G]
        entries = self.decode(codes, index)  # [N, dims]
        bits = latents.new_zeros(())
        for shape, k in enumerate(self._cut_codes(codes)):
            bits = bits + torch.gather(self.bits(shape, index), 1, k).sum()
        commitment = (latents - entries).square().sum(1).mean()
        if self.training:
            self._follow(latents.detach(), codes, index)
        return GroupedCodes(latents + (entries - latents).detach(), codes, commitment, bits / len(latents))

    @torch.no_grad()
    def assignment_sums(self, latents: Tensor, index: int) -> list[tuple[Tensor, Tensor]]:
        """Return for each shape how many latents [N, dims] chose each entry [G, K], and their sums [G, K, D]."""
        codes = self._cut_codes(self.encode(latents, index))
        cut = zip(self.cut_latents(latents), codes, self.active_sizes[index], strict=True)
        return [assignment_sums(z, k, size) for z, k, size in cut]

    @torch.no_grad()
    def _follow(self, latents: Tensor, codes: Tensor, index: int) -> None:
        """Make a step of the moving averages for latents [N, dims] and their codes [N, G]."""
        for shape, (z, k) in enumerate(zip(self.cut_latents(latents), self._cut_codes(codes), strict=True)):
            codebook, ema = self.codebook(shape, index), self.ema_count(shape, index)  # [G, K, D], [G, K]
            counts, sums = assignment_sums(z, k, ema.shape[1])
            both = sum_over_ranks(torch.cat([counts[..., None], sums], 2))  # one message: [G, K, 1 + D]
            counts, sums = both[..., 0], both[..., 1:]
            ema.mul_(self.decay).add_(counts, alpha=1 - self.decay)
            # e ← e + (1 − γ) (Σz − n·e) / N: the moving average of equation 6 of the paper, without a stored sum
            rate = (1 - self.decay) / ema.clamp_min(_LEAST_COUNT)
            codebook.add_((sums - counts[..., None] * codebook) * rate[..., None])
            smoothed = ema + _SMOOTHING * ema.sum(-1, keepdim=True) / ema.shape[1]
            self.probability(shape, index).copy_(smoothed / smoothed.sum(-1, keepdim=True))

    @torch.no_grad()
    def reset_ema(self) -> None:
        """Set the averages of counts by the probabilities: for training that is resumed from an exported model."""
        for shape in range(len(self.groups)):
            self._whole("ema_count", shape).copy_(self._whole("probability", shape) * LATENTS_A_STEP)

    @torch.no_grad()
    def load_codebooks_from(self, trained: GroupedECVQ) -> None:
        """Copy the dictionaries of a quantizer with groups of the same dimensions; codebooks may be of other sizes.

        Nothing chooses the entries that a group has in excess; `ecvq_fit.reseed_dead` gives them a place.
        """
        for group in range(self.count):
            (to, i), (source, j) = self.locate(group), trained.locate(group)
            size = min(self.groups[to][2], trained.groups[source][2])
            for name in ("codebook", "probability"):
                buffer = self._whole(name, to)[:, i]  # [Q, K, ...]
                buffer.zero_()  # a probability of 0: infinitely many bits
                buffer[:, :size] = trained._whole(name, source)[:, j, :size]
        self.reset_ema()

    @torch.no_grad()
    def sort_by_usage(self, counts: Counts, index: int, groups: int | None = None) -> tuple[int, ...]:
        """Sort the entries of a dictionary by how often they were chosen, most often first.

        Returns for each shape how many entries were chosen, the most of any of the first `groups` groups (None: of
        all), at least 1: `truncated` to these sizes the dictionary loses nothing.
        """
        chosen, left = [], self.count if groups is None else groups
        for shape, of_shape in enumerate(counts):
            order = of_shape.argsort(dim=-1, descending=True, stable=True)  # [G, active K]
            for name in ("codebook", "probability", "ema_count"):
                buffer = self._whole(name, shape)[index]  # [G, K] or [G, K, D]
                expanded = order.view(*order.shape, *(1,) * (buffer.dim() - 2)).expand(*order.shape, *buffer.shape[2:])
                buffer[:, : order.shape[1]] = buffer.gather(1, expanded)
            sent = of_shape[: max(0, left)]
            left -= len(of_shape)
            chosen.append(max(1, int((sent > 0).sum(-1).max())) if len(sent) else 1)
        return tuple(chosen)

    def truncated(self, sizes: Sequence[int]) -> dict[str, Tensor]:
        """Return the state of a quantizer with the first `sizes` entries only of the codebooks of each shape."""
        return {name: tensor[:, :, : sizes[int(name.rpartition("_")[2])]] for name, tensor in self.state_dict().items()}

    def _whole(self, name: str, shape: int) -> Tensor:
        buffer: Tensor = getattr(self, f"{name}_{shape}")
        return buffer  # [Q, G, K, ...]

    def _active(self, name: str, shape: int, index: int) -> Tensor:
        return self._whole(name, shape)[index, :, : self.active_sizes[index][shape]]  # [G, K, ...]

    def cut_latents(self, latents: Tensor) -> Iterator[Tensor]:
        """Cut latents [N, dims] by the shapes of groups: [G, N, D] of each, contiguous."""
        widths = [count * dims for count, dims, _ in self.groups]
        for (count, dims, _), z in zip(self.groups, torch.split(latents, widths, 1), strict=True):
            yield z.reshape(-1, count, dims).transpose(0, 1).contiguous()

    def _cut_codes(self, codes: Tensor) -> Sequence[Tensor]:
        """Cut codes [N, G of all shapes] by the shapes of groups: [G, N] of each."""
        return torch.split(codes.T, [count for count, _, _ in self.groups])


@torch.no_grad()
def search(z: Tensor, codebook: Tensor, bits: Tensor, tilts: Tilts | None = None) -> Tensor:
    """Find argmin_k ‖z − e_k‖² + bits(k), ties to the lower k: z [G, N, D], codebook [G, K, D], bits [G, K] → [G, N].

    Tilts are added to the bits. As they are products too, they only make the vectors longer.

    The constant ‖z‖² is left out. On a CPU this is memory-bound: the distances are held in pieces that stay in the
    cache, and NumPy's vectorized argmin is several times faster than torch's.
    """
    constant = (codebook.square().sum(-1) + bits)[:, None]  # [G, 1, K]
    transposed = codebook.transpose(1, 2)  # [G, D, K]
    if tilts is not None:
        z = torch.cat([z, tilts.coefficients], 2)  # [G, N, D + F]
        transposed = torch.cat([transposed, tilts.features / -2], 1)  # [G, D + F, K]
    rows = max(1, _CACHED_ELEMENTS // (len(z) * codebook.shape[1]))
    codes = torch.empty(z.shape[:2], dtype=torch.int64, device=z.device)
    for start in range(0, z.shape[1], rows):
        costs = torch.baddbmm(constant, z[:, start : start + rows], transposed, alpha=-2)  # [G, rows, K]
        best = torch.from_numpy(costs.numpy().argmin(-1)) if costs.device.type == "cpu" else costs.argmin(-1)
        codes[:, start : start + rows] = best
    return codes


def take(vectors: Tensor, index: Tensor) -> Tensor:
    """Take vectors [G, K, D] at index [G, N]: [G, N, D]."""
    return vectors.gather(1, index[..., None].expand(-1, -1, vectors.shape[2]))


def assignment_sums(z: Tensor, codes: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Count [G, K] and sum [G, K, D] the vectors z [G, N, D] that chose each code [G, N]."""
    counts = z.new_zeros(z.shape[0], size).scatter_add_(1, codes, torch.ones_like(codes, dtype=z.dtype))
    sums = z.new_zeros(z.shape[0], size, z.shape[2])
    sums.scatter_add_(1, codes[..., None].expand(-1, -1, z.shape[2]), z)
    return counts, sums


def to_rows(maps: Tensor) -> Tensor:
    """Turn maps [B, C, ...] into rows [N, C], one for each position."""
    return maps.movedim(1, -1).flatten(0, -2)


def to_maps(rows: Tensor, like: Tensor) -> Tensor:
    """Turn rows [N, C] into maps [B, C, ...], B and the positions as those of another tensor."""
    return rows.view(like.shape[0], *like.shape[2:], -1).movedim(-1, 1)
