"""Several codes at one position: a prior's features of them, and their logits, group by group in sequence.

::

    codes c_0 .. c_(G-1) of a position ─ embedding ─ input_proj ─► features for the masked network
    context h (earlier positions) ─► u_g = ReLU(A_g h + Σ_(j<g) B_j e_j) ─► logits_g = E_g (W_g u_g) + bias_g

e_j is the embedding of code c_j and E_g holds those of all codes of group g: one small table serves input, running sum
and output, so that a hundred groups stay affordable, and what is learnt of a code as a neighbour serves where it is
predicted. A is `context_proj`, B `previous_proj` and W `output_proj`, which begins at zero: the untrained logits are
the biases.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vqc.nn.integer import LARGEST, ONE, IntegerEmbedding, IntegerLinear, IntegerModule

Sizes = Sequence[Sequence[int]]  # of the codebook of each group, at each quality
Codebook = tuple[Tensor, Tensor]  # entries [K, D] and order-0 frequencies [K], at least 1


class CodeGroups(IntegerModule):
    """Both ends of a prior over codes of `sizes`: features for its network, logits from the network's output.

    Qualities count from 1; each has codes of its own.
    """

    def __init__(
        self,
        sizes: Sizes,
        *,
        width: int,
        context_width: int,
        head_width: int,
        code_dim: int,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        groups, qualities = max(map(len, sizes)), len(sizes)
        self.sizes, self.head_width, self.code_dim = sizes, head_width, code_dim
        self.embedding = IntegerEmbedding(sum(map(sum, sizes)), code_dim)
        self.bias = IntegerEmbedding(sum(map(sum, sizes)), 1)
        nn.init.zeros_(self.bias.vectors)
        # With inputs of one byte: 0.2 % more bits.
        self.input_proj = IntegerLinear(groups * code_dim, width, qualities=qualities, precise=True)
        self.context_proj = IntegerLinear(context_width, groups * head_width, qualities=qualities)
        self.previous_proj = IntegerLinear(code_dim, (groups - 1) * head_width) if groups > 1 else None
        self.output_proj = IntegerLinear(head_width, groups * code_dim, zero=True)
        self.dropout: nn.Module = nn.Dropout(dropout)
        first = 0  # rows of the tables: those of all groups of the first quality, then of the next
        for q, of_groups in enumerate(sizes):
            ends = first + torch.tensor(of_groups).cumsum(0)
            self.register_buffer(f"offset_{q + 1}", F.pad(ends, (1, 0), value=first)[:-1], persistent=False)
            first = int(ends[-1])

    def features(self, codes: Tensor, quality: int) -> Tensor:
        """Return features [..., width] of the codes int64 [..., G] of positions."""
        vectors = self.embedding(codes + getattr(self, f"offset_{quality}")).flatten(-2)  # [..., G · code_dim]
        result: Tensor = self.input_proj(vectors, quality, inputs=slice(vectors.shape[-1]))
        return result

    def logits(self, context: Tensor, codes: Tensor, indices: Tensor, quality: int) -> Iterator[Tensor]:
        """Give the logits [N, K_g] of each group in turn, at positions of context [N, C].

        Codes are read in turn too: those of group g, at `indices[g]` of the flattened codes, must be there when group
        g + 1 is asked for. `indices` is int64 [G, N].
        """
        sizes, width, dims = self.sizes[quality - 1], self.head_width, self.code_dim
        own = self.context_proj(context, quality, outputs=slice(len(sizes) * width)).split(width, -1)  # G of [N, width]
        sums: Tensor | int = 0  # [N, width]: of all groups before, so that each takes one product more and not g
        first = sum(map(sum, self.sizes[: quality - 1]))
        for g, size in enumerate(sizes):
            hidden = self.dropout(self.relu(own[g] + sums))  # [N, width]
            output = self.output_proj(hidden, outputs=slice(g * dims, (g + 1) * dims))  # [N, code_dim]
            yield self._logits(output, slice(first, first + size))
            if g + 1 < len(sizes) and self.previous_proj is not None:
                vectors = self.embedding(codes[indices[g]] + first)  # [N, code_dim]
                sums = sums + self.previous_proj(vectors, outputs=slice(g * width, (g + 1) * width))
            first += size

    def _logits(self, output: Tensor, rows: slice) -> Tensor:
        """Map what a network chose, [N, code_dim], to the logits [N, K] of the codes in these rows."""
        bias: Tensor = self.bias(torch.arange(rows.start, rows.stop, device=output.device))[:, 0]  # [K]
        return self.to_logits(self.embedding.products(output, rows) + bias)

    @torch.no_grad()
    def initialise(self, tables: Sequence[Tensor], quality: int) -> None:
        """Begin at order-0 frequencies [K_g] of each group's codes."""
        first = sum(map(sum, self.sizes[: quality - 1]))
        for frequencies in tables:
            self.bias.vectors[first : first + len(frequencies), 0].copy_(_log_probabilities(frequencies))
            first += len(frequencies)

    @torch.no_grad()
    def initialise_embeddings(self, codebooks: Sequence[Tensor], quality: int) -> None:
        """Begin with embeddings that are as close as the entries [K, D] of their group's codebook.

        Of many groups each has `features_of` its entries. Of a single group, whose codes have many dimensions, the
        table begins with their principal components, normalised; dimensions beyond keep the random numbers that tell
        every code from every other.
        """
        first = sum(map(sum, self.sizes[: quality - 1]))
        for entries in codebooks:
            components = principal_components(entries, self.code_dim)  # [K, at most code_dim]
            if len(codebooks) > 1:  # then entries have few dimensions, too few to fill the table
                components = features_of(components, self.code_dim)
            own = self.embedding.vectors[first : first + len(entries), : components.shape[1]]
            own.copy_(components)
            first += len(entries)

    @torch.no_grad()
    def remap_codebook(self, known: Sequence[Codebook], other: Sequence[Codebook]) -> None:
        """Fit the integers of a table to other codebooks.

        Each code gets the embedding of its counterpart, the nearest active one (or itself, if it is there), and its
        bias plus the difference of their log probabilities.

        Args:
            known: the codebooks that it is for, of all groups of the first quality, then of the next.
            other: as many that take their place.
        """
        vectors, bias, first = [], [], 0
        for (entries, frequencies), (others, others_frequencies) in zip(known, other, strict=True):
            rows = slice(first, first + len(entries))
            first += len(entries)
            distances = torch.cdist(others.double(), entries.double(), compute_mode="donot_use_mm_for_euclid_dist")
            # [K', K]; a table that was never counted has frequencies of 1 throughout, and none of its codes is idle
            idle = frequencies <= (1 if bool((frequencies > 1).any()) else 0)
            counterpart = distances.masked_fill(idle & (distances > 0), torch.inf).argmin(1)
            change = _log_probabilities(others_frequencies) - _log_probabilities(frequencies)[counterpart]
            vectors.append(self.embedding.values()[rows][counterpart])
            bias.append(self.bias.values()[rows][counterpart] + torch.round(change * ONE)[:, None])
        self.embedding.replace(torch.cat(vectors))
        self.bias.replace(torch.cat(bias).clamp(-LARGEST, LARGEST))

    def _quantize(self) -> None:
        self.dropout = nn.Identity()


def _log_probabilities(frequencies: Tensor) -> Tensor:
    return (frequencies.double() / frequencies.sum()).log()


def principal_components(entries: Tensor, most: int) -> Tensor:
    """Return at most `most` principal components of entries [K, D], with a mean square of 1: float64 [K, dims]."""
    centred = entries.detach().cpu().double() - entries.detach().cpu().double().mean(0)
    directions = torch.linalg.svd(centred, full_matrices=False).Vh[:most]
    projected = centred @ directions.T
    normalised: Tensor = projected / projected.square().mean().sqrt().clamp_min(1e-12)
    return normalised


def features_of(entries: Tensor, dims: int) -> Tensor:
    """Return entries [K, D], their squares, and waves of them from coarse to as fine as entries lie: [K, dims].

    Logits that are linear in these can be any smooth function of the entry, above all a normal distribution, so that a
    code that was seen says something of its neighbours. Directions and phases of the waves are always the same.
    """
    count, width = entries.shape
    parts = torch.cat([entries, (entries.square() - 1) / 2], 1)[:, :dims]
    waves = dims - parts.shape[1]
    if waves == 0:
        return parts
    generator = torch.Generator().manual_seed(width)
    directions = F.normalize(torch.randn(waves, width, generator=generator, dtype=torch.float64), dim=1)
    phases = 2 * math.pi * torch.rand(waves, generator=generator, dtype=torch.float64)
    finest = max(1.0, count ** (1 / width) / 4)  # radians: entries lie about 6 / K^(1/D) units apart
    frequencies = torch.logspace(0, math.log2(finest), waves, base=2, dtype=torch.float64)
    return torch.cat([parts, math.sqrt(2) * torch.sin(entries @ (directions * frequencies[:, None]).T + phases)], 1)
