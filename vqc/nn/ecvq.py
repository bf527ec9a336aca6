"""Product of entropy-constrained vector quantizers, a dictionary for each quality, searched group-parallel.

A latent vector is cut into groups of a few neighbouring dimensions; each group has its own codebook. The code chosen
for z minimises ‖z − e_k‖² + bits(k) with bits(k) = −log₂ p(k) (ECVQ: Chou, Lookabaugh and Gray 1989), so the latents
must be scaled such that one bit is worth one unit of squared error. Codebooks and probabilities follow the data by
exponential moving averages while training, and stand still in evaluation. When several processes train together, they
follow the latents of all ranks; all ranks then quantize at the same levels in the same order.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from vqc.nn.distributed import sum_over_ranks
from vqc.nn.precision import in_float32

GroupShape = tuple[int, int, int]  # how many groups, dimensions of each, entries of each codebook
_CACHED_ELEMENTS = 1 << 18  # distances held at once: 1 MiB, within the second-level cache


class GroupedCodes(NamedTuple):
    """Result of a quantization of [N, dims]."""

    quantized: Tensor  # [N, dims], straight-through: its gradient is that of the input
    codes: Tensor  # int64 [N, G]
    commitment: Tensor  # scalar: mean over N of ‖z − sg(e)‖²
    bits: Tensor  # scalar: mean over N of the sum of bits(k) over the groups


class GroupedECVQ(nn.Module):
    """Entropy-constrained codebooks for `qualities` rates over a latent of sum(count · dims) dimensions.

    Args:
        groups: how the latent is cut.
        qualities: how many dictionaries there are.
        used: how many entries of the codebooks of each shape a dictionary makes use of, [qualities][shapes]: the
            first; () for all.
        decay: of the moving averages.
    """

    def __init__(
        self,
        groups: Sequence[GroupShape],
        qualities: int,
        *,
        used: Sequence[Sequence[int]] = (),
        decay: float = 0.99,
    ) -> None:
        super().__init__()
        self.groups, self.qualities, self.decay = tuple(groups), qualities, decay
        self.used = tuple(map(tuple, used)) or (tuple(size for _, _, size in self.groups),) * qualities
        for i, (count, dims, size) in enumerate(self.groups):
            self.register_buffer(f"codebook_{i}", torch.zeros(qualities, count, size, dims))
            self.register_buffer(f"ema_count_{i}", torch.ones(qualities, count, size))
            self.register_buffer(f"probability_{i}", torch.full((qualities, count, size), 1 / size))

    @property
    def dims(self) -> int:
        """Dimensions of a latent."""
        return sum(count * dims for count, dims, _ in self.groups)

    def sizes(self, level: int) -> tuple[int, ...]:
        """Codebook size of each group in dictionary `level` (0-based)."""
        return tuple(
            size for (count, _, _), size in zip(self.groups, self.used[level], strict=True) for _ in range(count)
        )

    @property
    def count(self) -> int:
        """Number of groups."""
        return sum(count for count, _, _ in self.groups)

    def place(self, group: int) -> tuple[int, int]:
        """Which shape a group is of, and its number among those."""
        for i, (count, _, _) in enumerate(self.groups):
            if group < count:
                return i, group
            group -= count
        raise IndexError("there is no such group")

    def columns(self, group: int) -> slice:
        """The dimensions of a latent that are a group's."""
        shape, number = self.place(group)
        start = sum(count * dims for count, dims, _ in self.groups[:shape]) + number * self.groups[shape][1]
        return slice(start, start + self.groups[shape][1])

    def entries(self, group: int, level: int) -> Tensor:
        """The codebook [K, D] of a group in dictionary `level` (0-based)."""
        shape, number = self.place(group)
        return self._codebook(shape, level)[number]

    def bits(self, i: int, level: int) -> Tensor:
        """Ideal code length of each entry of shape i, [count, K]."""
        return -torch.log2(self._of_shape("probability", i, level))

    @in_float32
    def encode(self, latents: Tensor, level: int, groups: int | None = None) -> Tensor:
        """Latents [N, dims] to codes int64 [N, G] of dictionary `level` (0-based), or of the first `groups` only."""
        codes, left = [], self.count if groups is None else groups
        for i, z in self._split(latents):
            count = min(left, len(z))
            left -= count
            if count:
                codes.append(_search(z[:count], self._codebook(i, level)[:count], self.bits(i, level)[:count]).T)
        return torch.cat(codes, 1) if codes else latents.new_empty(len(latents), 0, dtype=torch.int64)

    def decode(self, codes: Tensor, level: int) -> Tensor:
        """Codes [N, G] to quantized latents [N, dims]."""
        parts, start = [], 0
        for i, (count, _, _) in enumerate(self.groups):
            k = codes[:, start : start + count].T
            parts.append(_take(self._codebook(i, level), k).transpose(0, 1).flatten(1))
            start += count
        return torch.cat(parts, 1)

    @in_float32
    def forward(self, latents: Tensor, level: int) -> GroupedCodes:
        """Quantize latents [N, dims]; while training also move the dictionary towards them."""
        codes = self.encode(latents.detach(), level)
        entries = self.decode(codes, level)
        bits = latents.new_zeros(())
        start = 0
        for i, (count, _, _) in enumerate(self.groups):
            bits = bits + torch.gather(self.bits(i, level), 1, codes[:, start : start + count].T).sum()
            start += count
        commitment = (latents - entries).square().sum(1).mean()
        if self.training:
            self._follow(latents.detach(), codes, level)
        return GroupedCodes(latents + (entries - latents).detach(), codes, commitment, bits / len(latents))

    def _codebook(self, i: int, level: int) -> Tensor:
        """A view of the entries of shape i, [count, K, D]."""
        return self._of_shape("codebook", i, level)

    def _of_shape(self, name: str, i: int, level: int) -> Tensor:
        buffer: Tensor = getattr(self, f"{name}_{i}")
        return buffer[level, :, : self.used[level][i]]

    def _split(self, latents: Tensor) -> list[tuple[int, Tensor]]:
        parts, start = [], 0
        for i, (count, dims, _) in enumerate(self.groups):
            z = latents[:, start : start + count * dims].reshape(-1, count, dims).transpose(0, 1)
            parts.append((i, z.contiguous()))
            start += count * dims
        return parts

    @torch.no_grad()
    def statistics(self, latents: Tensor, level: int) -> list[tuple[Tensor, Tensor]]:
        """Of each shape of groups: how many latents [N, dims] took each entry [G, K], and their sums [G, K, D]."""
        codes, start, result = self.encode(latents, level), 0, []
        for i, z in self._split(latents):
            count = self.groups[i][0]
            result.append(_statistics(z, codes[:, start : start + count].T, self.used[level][i]))
            start += count
        return result

    @torch.no_grad()
    def _follow(self, latents: Tensor, codes: Tensor, level: int) -> None:
        start = 0
        for i, z in self._split(latents):
            count, size = self.groups[i][0], self.used[level][i]
            k = codes[:, start : start + count].T
            start += count
            hits, sums = _statistics(z, k, size)
            both = sum_over_ranks(torch.cat([hits[..., None], sums], 2))
            hits, sums = both[..., 0], both[..., 1:]
            ema, codebook = self._of_shape("ema_count", i, level), self._codebook(i, level)
            ema.mul_(self.decay).add_(hits, alpha=1 - self.decay)
            # e ← e + (1 − γ) (Σz − n·e) / N: the moving average of equation 6 of the paper, without a stored sum
            step = (sums - hits[..., None] * codebook) * ((1 - self.decay) / ema.clamp_min(1e-3))[..., None]
            codebook.add_(step)
            smoothed = ema + 1e-4 * ema.sum(-1, keepdim=True) / size
            self._of_shape("probability", i, level).copy_(smoothed / smoothed.sum(-1, keepdim=True))

    @torch.no_grad()
    def fit(
        self, latents: Tensor, level: int, *, iterations: int = 12, seed: int = 0, from_current: bool = False
    ) -> float:
        """Entropy-constrained k-means of dictionary `level` on latents [N, dims]; returns the bits a latent.

        Starts from latents drawn at random, or from what the dictionary holds.
        """
        total = 0.0
        generator = torch.Generator().manual_seed(seed)
        for i, z in self._split(latents):
            count, size = self.groups[i][0], self.used[level][i]
            chosen = torch.randperm(z.shape[1], generator=generator)[:size]
            codebook, bits = z[:, chosen].clone(), torch.full((count, size), 4.0)
            codebook[:, 0] = z.mean(1)
            if from_current:
                codebook, bits = self._codebook(i, level).clone(), self.bits(i, level)
            hits = torch.ones(count, size)
            for _ in range(iterations):
                k = _search(z, codebook, bits)
                hits, sums = _statistics(z, k, size)
                codebook = torch.where(hits[..., None] > 0, sums / hits.clamp_min(1)[..., None], codebook)
                bits = -torch.log2((hits + 0.1) / (hits + 0.1).sum(-1, keepdim=True))
            self._codebook(i, level).copy_(codebook)
            self._of_shape("ema_count", i, level).copy_(hits * (200 / z.shape[1]))
            probability = (hits + 0.1) / (hits + 0.1).sum(-1, keepdim=True)
            self._of_shape("probability", i, level).copy_(probability)
            total -= float((hits * torch.log2(probability)).sum())
        return total / len(latents)

    @torch.no_grad()
    def occupy(self, latents: Tensor, level: int, *, rounds: int = 12, seed: int = 0) -> float:
        """Move entries that none of the latents [N, dims] takes to where one of their own would save most.

        Those are the large and rare values at the edge, which k-means from a random start leaves to the nearest entry
        there is. Drawn as k-means++ does (Arthur and Vassilvitskii 2007), by what they cost above the log₂ N bits of a
        code that is used once; k-means goes on in between, and alone in the last four of `rounds`. Returns the bits a
        latent.
        """
        generator, total, once = torch.Generator().manual_seed(seed), 0.0, math.log2(len(latents))
        for i, z in self._split(latents):
            codebook, bits, size = self._codebook(i, level).clone(), self.bits(i, level).clone(), self.used[level][i]
            a_round = min(len(latents), -(-size // max(1, rounds - 4)))
            for moving in range(rounds - 1, -1, -1):
                codes = _search(z, codebook, bits)
                hits, sums = _statistics(z, codes, size)
                codebook = torch.where(hits[..., None] > 0, sums / hits.clamp_min(1)[..., None], codebook)
                bits = -torch.log2((hits + 0.1) / (hits + 0.1).sum(-1, keepdim=True))
                if moving >= 4:
                    cost = (z - _take(codebook, codes)).square().sum(-1) + bits.gather(1, codes)
                    drawn = torch.multinomial((cost - once).clamp_min(1e-9), a_round, generator=generator)
                    rarest = hits.argsort(dim=-1, stable=True)[:, :a_round]
                    idle = (hits.gather(1, rarest) == 0) & (cost.gather(1, drawn) > once)
                    new = torch.where(idle[..., None], _take(z, drawn), _take(codebook, rarest))
                    codebook.scatter_(1, rarest[..., None].expand_as(new), new)
                    bits.scatter_(1, rarest, torch.where(idle, once, bits.gather(1, rarest)))
            self._codebook(i, level).copy_(codebook)
            self._of_shape("ema_count", i, level).copy_(hits * (200 / z.shape[1]))
            self._of_shape("probability", i, level).copy_(torch.exp2(-bits))
            total += float((hits * bits).sum())
        return total / len(latents)

    @torch.no_grad()
    def take_over(self, trained: GroupedECVQ) -> None:
        """Go on from the dictionaries of another, whose groups are of the same dimensions but maybe in other shapes.

        Entries that a group has more than there are nothing takes: `occupy` gives them a place.
        """
        for group in range(self.count):
            (to, i), (source, j) = self.place(group), trained.place(group)
            size = min(self.groups[to][2], trained.groups[source][2])
            for name in ("codebook", "probability"):
                buffer: Tensor = getattr(self, f"{name}_{to}")[:, i]
                buffer.zero_()
                buffer[:, :size] = getattr(trained, f"{name}_{source}")[:, j, :size]
        self.resume()

    def group_dims(self) -> list[int]:
        """Dimensions of each group."""
        return [dims for count, dims, _ in self.groups for _ in range(count)]

    @torch.no_grad()
    def resume(self, vectors_a_step: int = 200) -> None:
        """Take the probabilities as counts of recent use: for training that goes on from an exported model."""
        for i in range(len(self.groups)):
            getattr(self, f"ema_count_{i}").copy_(getattr(self, f"probability_{i}") * vectors_a_step)


@torch.no_grad()
def _search(z: Tensor, codebook: Tensor, bits: Tensor) -> Tensor:
    """argmin_k ‖z − e_k‖² + bits(k), ties to the lower k: z [G, N, D], codebook [G, K, D], bits [G, K] → [G, N].

    The constant ‖z‖² is left out. On a CPU this is memory-bound: the distances are held in pieces that stay in the
    cache, and NumPy's vectorized argmin is several times faster than torch's.
    """
    constant = (codebook.square().sum(-1) + bits)[:, None]
    transposed = codebook.transpose(1, 2)
    rows = max(1, _CACHED_ELEMENTS // (len(z) * codebook.shape[1]))
    codes = torch.empty(z.shape[:2], dtype=torch.int64, device=z.device)
    for start in range(0, z.shape[1], rows):
        costs = torch.baddbmm(constant, z[:, start : start + rows], transposed, alpha=-2)
        best = torch.from_numpy(costs.numpy().argmin(-1)) if costs.device.type == "cpu" else costs.argmin(-1)
        codes[:, start : start + rows] = best
    return codes


def _take(vectors: Tensor, index: Tensor) -> Tensor:
    """Vectors [G, K, D] at index [G, N]: [G, N, D]."""
    return vectors.gather(1, index[..., None].expand(-1, -1, vectors.shape[2]))


def _statistics(z: Tensor, codes: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Hits [G, K] and sums [G, K, D] of the vectors z [G, N, D] that took each code [G, N]."""
    hits = z.new_zeros(z.shape[0], size).scatter_add_(1, codes, torch.ones_like(codes, dtype=z.dtype))
    sums = z.new_zeros(z.shape[0], size, z.shape[2])
    sums.scatter_add_(1, codes[..., None].expand(-1, -1, z.shape[2]), z)
    return hits, sums
