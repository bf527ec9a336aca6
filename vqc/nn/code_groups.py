"""Several codes at one position: how a prior reads them, and how it predicts one after the other.

::

    codes c_0 .. c_(G-1) of a position ─ table ─ mix ─► features for the masked network
    context h (earlier positions) ─► u_g = ReLU(A_g h + Σ_(j<g) B_j e_j) ─► logits_g = E_g (W_g u_g) + bias_g

e_j is the table's vector of code c_j and E_g holds those of all codes of group g: one small table serves input, running
sum and output, so that a hundred groups stay affordable. With a single group nothing is shared or mixed, and this is
the input embedding and the two-layer output of the PixelCNN and WaveNet papers. W (or E, of a single group) begins at
zero, so that the untrained logits are the biases.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Sizes = Sequence[Sequence[int]]  # of the codebook of each group, at each quality


class CodeTable(nn.Module):
    """A trained vector for each code of each group at each quality; qualities count from 1."""

    def __init__(self, sizes: Sizes, dim: int, *, std: float = 1.0) -> None:
        super().__init__()
        self.vectors = nn.Parameter(std * torch.randn(sum(map(sum, sizes)), dim))
        first = 0
        for q, of_groups in enumerate(sizes):
            alphabet = torch.full((len(of_groups), max(of_groups)), -1)
            for row, size in zip(alphabet, of_groups, strict=True):
                row[:size] = torch.arange(first, first + size)
                first += size
            self.register_buffer(f"rows_{q + 1}", alphabet, persistent=False)

    def rows(self, quality: int) -> Tensor:
        """Where the codes of a quality are in `vectors`, int64 [G, K]; -1 beyond a group's size."""
        rows: Tensor = getattr(self, f"rows_{quality}")
        return rows

    def forward(self, codes: Tensor, quality: int) -> Tensor:
        """Vectors [..., G, dim] of codes int64 [..., G]."""
        return F.embedding(codes + self.rows(quality)[:, 0], self.vectors)

    def alphabet(self, quality: int) -> Tensor:
        """Vectors [G, K, dim] of all codes; those beyond a group's size mean nothing."""
        return F.embedding(self.rows(quality).clamp_min(0), self.vectors)


class CodeGroups(nn.Module):
    """Both ends of a prior over codes of `sizes`: features for its network, logits from the network's output."""

    def __init__(self, sizes: Sizes, *, width: int, context_width: int, head_width: int, code_dim: int) -> None:
        super().__init__()
        groups = max(map(len, sizes))
        self.single, self.head_width, self.code_dim = groups == 1, head_width, code_dim
        self.inputs = CodeTable(sizes, width if self.single else code_dim)
        self.context = nn.Linear(context_width, groups * head_width)
        self.bias = CodeTable(sizes, 1, std=0.0)
        if self.single:
            self.outputs = CodeTable(sizes, head_width, std=0.0)
        else:
            self.mix = nn.Linear(groups * code_dim, width)
            self.earlier = nn.Parameter(torch.randn(groups - 1, code_dim, head_width) * (groups * code_dim) ** -0.5)
            self.choose = nn.Parameter(torch.zeros(groups, head_width, code_dim))

    def features(self, codes: Tensor, quality: int) -> Tensor:
        """Codes int64 [B, G, ...] to features [B, width, ...] of the same positions, channels last in memory."""
        vectors = self.inputs(codes.movedim(1, -1), quality).flatten(-2)
        if not self.single:
            vectors = F.linear(vectors, self.mix.weight[:, : vectors.shape[-1]], self.mix.bias)
        features: Tensor = vectors.movedim(-1, 1)
        return features

    def logits(self, context: Tensor, codes: Tensor, quality: int) -> Tensor:
        """Logits [N, G, K] of codes int64 [N, G] given the network's output [N, C] and the groups before each.

        K is the largest size; logits beyond a group's size are -inf.
        """
        groups = codes.shape[1]
        cut = groups * self.head_width
        hidden = F.linear(context, self.context.weight[:cut], self.context.bias[:cut])
        hidden = hidden.view(-1, groups, self.head_width).transpose(0, 1)
        if groups > 1:
            vectors = self.inputs(codes, quality)[:, :-1].transpose(0, 1)
            sums = torch.bmm(vectors, self.earlier[: groups - 1]).cumsum(0)
            hidden = hidden + F.pad(sums, (0, 0, 0, 0, 1, 0))
        hidden = F.relu(hidden)
        if not self.single:
            hidden = torch.bmm(hidden, self.choose[:groups])
        alphabet = (self.outputs if self.single else self.inputs).alphabet(quality)
        logits = torch.baddbmm(self.bias.alphabet(quality).transpose(1, 2), hidden, alphabet.transpose(1, 2))
        return logits.masked_fill(self.bias.rows(quality)[:, None] < 0, -torch.inf).transpose(0, 1)

    @torch.no_grad()
    def start_from(self, probabilities: Tensor, quality: int) -> None:
        """Begin at these order-0 probabilities [G, K] (0 beyond a group's size), so that training starts there."""
        rows = self.bias.rows(quality)
        valid = rows >= 0
        self.bias.vectors[rows[valid], 0] = probabilities[valid].log().to(self.bias.vectors)
