"""Vector quantization: the nearest entry of a learned codebook, with a gradient that passes straight through.

Equations of VQ-VAE (van den Oord, Vinyals, Kavukcuoglu 2017, arXiv 1711.00937), for a latent z and entries e_1 … e_K:

    (1)  code     k = argmin_j ‖z − e_j‖²
    (2)  output   e_k, with the gradient of z:  z + sg[e_k − z]
    (3)  loss     ‖sg[z] − e_k‖² + β ‖z − sg[e_k]‖²        (here the mean over vectors and their components)

With ``update="ema"`` the first term of (3) is left out and entries follow their latents by moving averages instead
(appendix A.1 of the paper): N_k ← γ N_k + (1 − γ) n_k,  m_k ← γ m_k + (1 − γ) Σ z,  e_k = m_k / N_k.

With ``rate_weight`` λ > 0 the code is chosen by distortion and rate (Chou, Lookabaugh, Gray 1989):
k = argmin_j ‖z − e_j‖² + λ · bits(j), where bits(j) = −log2 of how often j was chosen recently.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vqc.nn.distributed import chosen_rows, mean_over_ranks, world_size
from vqc.nn.precision import in_float32


class Quantized(NamedTuple):
    """Result of a quantization; see `VectorQuantizer.forward`."""

    quantized: Tensor  # [B, D, ...], the gradient is that of the latents
    codes: Tensor  # int64 [B, ...]
    loss: Tensor  # scalar: the codebook and commitment terms of (3)
    bits: Tensor  # scalar: mean ideal bits per code by the recent usage
    perplexity: Tensor  # scalar: exp of the entropy of this batch's code histogram, in [1, K]
    fraction_used: Tensor  # scalar: share of entries not counted as dead, in [0, 1]


class VectorQuantizer(nn.Module):
    """One codebook of K entries of D components.

    Entries whose recent usage falls below `revive_below` times the average 1/K are dead; in training they are put
    where a random latent of the batch is. All random choices are functions of the number of steps made, so a resumed
    training does what an uninterrupted one does. In evaluation nothing changes.

    When several processes train together, usage, sums and revival are those of the latents of all ranks, so that the
    codebooks stay the same on each; all ranks give equally many latents.
    """

    codebook: Tensor  # [K, D]: a parameter in mode "loss", a buffer in mode "ema"
    code_bits: Tensor  # [K]: ideal bits of each entry by its recent usage
    ema_usage: Tensor  # [K]: moving average of each entry's share of the latents
    ema_sums: Tensor  # [K, D]: moving average of (sum of an entry's latents) / (number of all latents)
    ema_steps: Tensor  # int64: training steps made

    def __init__(
        self,
        codebook_size: int,
        codebook_dim: int,
        *,
        commitment_weight: float = 0.25,
        update: Literal["ema", "loss"] = "ema",
        decay: float = 0.99,
        rate_weight: float = 0.0,
        revive_below: float = 0.05,
    ) -> None:
        super().__init__()
        self.commitment_weight, self.update, self.decay = commitment_weight, update, decay
        self.rate_weight, self.revive_below = rate_weight, revive_below
        codebook = torch.randn(codebook_size, codebook_dim) / math.sqrt(codebook_dim)
        if update == "loss":
            self.codebook = nn.Parameter(codebook)
        else:
            self.register_buffer("codebook", codebook)
        self.register_buffer("code_bits", torch.full((codebook_size,), math.log2(codebook_size)))
        self.register_buffer("ema_usage", torch.full((codebook_size,), 1 / codebook_size))
        self.register_buffer("ema_sums", codebook / codebook_size)
        self.register_buffer("ema_steps", torch.zeros((), dtype=torch.int64))

    @property
    def codebook_size(self) -> int:
        """K."""
        return self.codebook.shape[0]

    @in_float32
    def forward(self, latents: Tensor) -> Quantized:
        """Quantize [B, D, ...]; in training, also move the codebook (mode "ema") and revive dead entries."""
        z = latents.movedim(1, -1)  # [B, ..., D]
        codes = self.nearest(z)
        e = F.embedding(codes, self.codebook)
        shares = _histogram(codes, self.codebook_size) / codes.numel()
        if self.training:
            shares = self._follow(z.detach().reshape(-1, z.shape[-1]), codes.reshape(-1))
        loss = self.commitment_weight * (z - e.detach()).square().mean()
        if self.update == "loss":
            loss = loss + (z.detach() - e).square().mean()
        quantized = z + (e - z).detach()
        alive = self.ema_usage * self.codebook_size >= self.revive_below
        return Quantized(
            quantized.movedim(-1, 1),
            codes,
            loss,
            bits=(shares * self.code_bits).sum(),
            perplexity=torch.special.entr(shares).sum().exp(),
            fraction_used=alive.float().mean(),
        )

    @torch.no_grad()
    @in_float32
    def nearest(self, z: Tensor) -> Tensor:
        """Find the codes int64 [...] of vectors [..., D]: the entries of least ‖z − e‖² + λ bits."""
        offset = self.codebook.square().sum(1)
        if self.rate_weight > 0:
            offset = offset + self.rate_weight * self.code_bits
        flat = z.reshape(-1, z.shape[-1])
        return torch.addmm(offset, flat, self.codebook.T, alpha=-2).argmin(1).reshape(z.shape[:-1])

    def encode(self, latents: Tensor) -> Tensor:
        """Encode latents [B, D, ...] to codes int64 [B, ...]."""
        return self.nearest(latents.movedim(1, -1))

    def decode(self, codes: Tensor) -> Tensor:
        """Decode codes [B, ...] to entries [B, D, ...]."""
        return F.embedding(codes, self.codebook).movedim(-1, 1)

    @torch.no_grad()
    @in_float32
    def initialise(self, vectors: Tensor, *, iterations: int = 10, seed: int = 0, start: Tensor | None = None) -> None:
        """Place the entries by k-means on vectors [N, D], N >= K, from centres [K, D] if they are given."""
        centres, counts = kmeans(vectors, self.codebook_size, iterations=iterations, seed=seed, start=start)
        self.codebook.copy_(centres)
        self._set_usage(counts / counts.sum())
        self.ema_sums.copy_(centres * self.ema_usage[:, None])

    @torch.no_grad()
    def reset_ema(self) -> None:
        """Set the moving averages by the code lengths: for training that is resumed from a saved model."""
        self._set_usage(torch.exp2(-self.code_bits))
        self.ema_sums.copy_(self.codebook * self.ema_usage[:, None])
        self.ema_steps.fill_(1)  # the codebook has its place

    @torch.no_grad()
    def _follow(self, z: Tensor, codes: Tensor) -> Tensor:
        """Make a step of the moving averages for latents [N, D] with codes [N]; returns the share of each entry [K]."""
        K, N = self.codebook_size, z.shape[0]
        counts = _histogram(codes, K)[:, None]
        sums = torch.zeros_like(self.ema_sums).index_add_(0, codes, z)
        means = mean_over_ranks(torch.cat([counts, sums], 1)) / N
        shares, sums = means[:, 0], means[:, 1:]
        self._set_usage(torch.lerp(shares, self.ema_usage, self.decay))
        self.ema_sums.lerp_(sums, 1 - self.decay)
        if self.update == "ema":
            chosen = self.ema_usage > 1e-3 / K  # a usage that has all but vanished says nothing of the place
            means = self.ema_sums / self.ema_usage.clamp(min=1e-12)[:, None]
            self.codebook.copy_(torch.where(chosen[:, None], means, self.codebook))
        self.ema_steps += 1
        self._revive(z)
        return shares

    def _revive(self, z: Tensor) -> None:
        """Put dead entries onto random latents of the batch, with an average usage to begin with."""
        dead = (self.ema_usage * self.codebook_size < self.revive_below).nonzero()[:, 0]
        if len(dead) == 0:
            return
        generator = torch.Generator().manual_seed(int(self.ema_steps))
        chosen = torch.randint(world_size() * len(z), (len(dead),), generator=generator)
        places = chosen_rows(z, chosen.to(z.device))
        usage = self.ema_usage.index_fill(0, dead, 1 / self.codebook_size)
        self.codebook[dead] = places
        self._set_usage(usage)
        self.ema_sums[dead] = places / self.codebook_size

    def _set_usage(self, usage: Tensor) -> None:
        self.ema_usage.copy_(usage)
        shares = usage.clamp(min=1e-4 / self.codebook_size)
        self.code_bits.copy_(-(shares / shares.sum()).log2())


def _histogram(codes: Tensor, size: int) -> Tensor:
    """Count each code, float32 [K]. Unlike `torch.bincount`, does not make the CPU wait for a GPU."""
    flat = codes.reshape(-1)
    ones = torch.ones_like(flat, dtype=torch.float32)
    return torch.zeros(size, dtype=torch.float32, device=codes.device).scatter_add_(0, flat, ones)


@torch.no_grad()
def kmeans(
    vectors: Tensor, clusters: int, *, iterations: int = 10, seed: int = 0, start: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Run Lloyd's algorithm: centres [K, D], and the number of vectors [N, D] nearest to each.

    It begins with the centres `start` [K, D], or with random vectors. A centre that has lost all its vectors starts
    anew from a random one. ValueError when N < K.
    """
    if len(vectors) < clusters:
        raise ValueError(f"k-means of {clusters} clusters needs as many vectors, got {len(vectors)}")
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randperm(len(vectors), generator=generator)[:clusters].to(vectors.device)
    centres = vectors[drawn] if start is None else start
    for _ in range(iterations):
        nearest = torch.addmm(centres.square().sum(1), vectors, centres.T, alpha=-2).argmin(1)
        counts = torch.bincount(nearest, minlength=clusters)
        sums = torch.zeros_like(centres).index_add_(0, nearest, vectors)
        fresh = vectors[torch.randint(len(vectors), (clusters,), generator=generator).to(vectors.device)]
        centres = torch.where(counts[:, None] > 0, sums / counts.clamp(min=1)[:, None], fresh)
    nearest = torch.addmm(centres.square().sum(1), vectors, centres.T, alpha=-2).argmin(1)
    return centres, torch.bincount(nearest, minlength=clusters).to(vectors)
