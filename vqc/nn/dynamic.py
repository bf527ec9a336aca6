"""A codebook whose number of entries follows the data.

Every 1 / (1 − decay) steps of training, about as far as the moving averages reach back::

    entries that are dead                    →  removed, never below two entries
    none dead, recent perplexity > 0.8 K     →  the busiest quarter is split, up to `max_codebook_size`

The recent perplexity is exp of the entropy of the moving averages of usage: near K, all entries do their share and
more would too. K-means on latents of photographs comes to 0.82 K at any K from 128 to 1,024, so 0.8 K is near;
as the busy ones are split, it rises to 0.9 K and more. A split is that of Linde, Buzo and Gray (1980): e becomes e ± δ,
here with δ half the way from e to one of its latents, so that the children lie where the data does. Both decisions are
functions of the latents of all ranks and the number of steps, so that replicas and resumed runs take the same ones.
"""

from __future__ import annotations

import torch
from torch import Tensor

from vqc.nn.distributed import rows_of_all_ranks
from vqc.nn.precision import in_float32
from vqc.nn.quantize import Quantized, VectorQuantizer

MIN_ENTRIES = 2


class DynamicVectorQuantizer(VectorQuantizer):
    """A quantizer of mode "ema" that begins with `codebook_size` entries; K is what `codebook_size` says now.

    Its buffers always have exactly K entries. Reading a state makes it as large as that state.
    """

    def __init__(
        self,
        codebook_size: int,
        codebook_dim: int,
        max_codebook_size: int,
        *,
        commitment_weight: float = 0.25,
        decay: float = 0.99,
        revive_below: float = 0.05,
        grow_above: float = 0.8,
    ) -> None:
        if not MIN_ENTRIES <= codebook_size <= max_codebook_size:
            raise ValueError(f"a codebook of {codebook_size} entries cannot grow to {max_codebook_size}")
        super().__init__(
            codebook_size,
            codebook_dim,
            commitment_weight=commitment_weight,
            update="ema",
            decay=decay,
            revive_below=revive_below,
        )
        self.max_codebook_size, self.grow_above = max_codebook_size, grow_above
        self.interval = max(1, round(1 / (1 - decay)))  # steps between changes of size

    @in_float32
    def forward(self, latents: Tensor) -> Quantized:
        """Quantize [B, D, ...]; in training, when it is due, the codebook changes its size before anything is coded."""
        steps = int(self.ema_steps) if self.training else 0
        if steps and steps % self.interval == 0:
            self._change_size(latents.detach().movedim(1, -1).flatten(0, -2))
        return super().forward(latents)

    @property
    def recent_perplexity(self) -> float:
        """exp of the entropy of the moving averages of usage, in [1, K]."""
        return float(torch.special.entr(self.ema_usage / self.ema_usage.sum()).sum().exp())

    def living(self) -> Tensor:
        """Indices of the entries that are not dead, in order; the two busiest if there are no more."""
        alive = self.ema_usage * self.codebook_size >= self.revive_below  # [K]
        if int(alive.sum()) < MIN_ENTRIES:
            alive = alive.index_fill(0, self._busiest(MIN_ENTRIES), True)
        return alive.nonzero()[:, 0]

    def fixed(self) -> VectorQuantizer:
        """Return a quantizer of mode "ema" with the living entries, which keeps its size."""
        living = self.living()
        result = VectorQuantizer(
            len(living),
            self.codebook.shape[1],
            commitment_weight=self.commitment_weight,
            decay=self.decay,
            revive_below=self.revive_below,
        ).to(self.codebook.device)
        result.codebook.copy_(self.codebook[living])
        result.ema_sums.copy_(self.ema_sums[living])
        result.ema_steps.copy_(self.ema_steps)
        result._set_usage(self.ema_usage[living])
        return result.train(self.training)

    @torch.no_grad()
    def _change_size(self, z: Tensor) -> None:
        living = self.living()
        if len(living) < self.codebook_size:
            self._hold(self.codebook[living], self.ema_usage[living], self.ema_sums[living])
        elif self.recent_perplexity > self.grow_above * self.codebook_size:
            self._split(z)

    def _split(self, z: Tensor) -> None:
        """Put e − δ where a busy entry e was and add e + δ, each with half of the usage."""
        room = self.max_codebook_size - self.codebook_size
        busy = self._busiest(min(room, max(1, self.codebook_size // 4)))
        generator = torch.Generator().manual_seed(int(self.ema_steps))
        z = rows_of_all_ranks(z)  # [world · N, D]
        z = z[torch.randperm(len(z), generator=generator).to(z.device)]
        own = self.nearest(z) == busy[:, None]  # [busy, N]
        offset = 0.5 * (z[own.int().argmax(1)] - self.codebook[busy])  # to the first latent that is its own
        spread = offset.square().sum(1) > 1e-8 * self.codebook[busy].square().sum(1)  # beyond rounding of float32
        divided = own.any(1) & spread  # latents all in one place cannot be told apart
        busy, offset = busy[divided], offset[divided]
        children = self.codebook[busy] + offset  # [busy, D]
        usage = self.ema_usage.index_copy(0, busy, 0.5 * self.ema_usage[busy])
        usage = torch.cat([usage, usage[busy]])  # [K + busy]
        codebook = torch.cat([self.codebook.index_add(0, busy, -offset), children])
        self._hold(codebook, usage, codebook * usage[:, None])

    def _busiest(self, count: int) -> Tensor:
        return self.ema_usage.argsort(descending=True, stable=True)[:count]

    def _hold(self, codebook: Tensor, usage: Tensor, sums: Tensor) -> None:
        """Take these as the entries and their averages."""
        self.codebook, self.ema_usage, self.ema_sums = codebook, usage.clone(), sums
        self.code_bits = torch.empty_like(usage)
        self._set_usage(usage)

    def _revive(self, z: Tensor) -> None:
        """Dead entries are removed in their time; only the last two are kept alive."""
        if self.codebook_size <= MIN_ENTRIES:
            super()._revive(z)

    def _load_from_state_dict(self, state_dict: dict[str, Tensor], prefix: str, *arguments: object) -> None:
        stored = state_dict.get(f"{prefix}codebook")
        if stored is not None and stored.ndim == 2 and stored.shape[0] <= self.max_codebook_size:
            K, dim = len(stored), self.codebook.shape[1]
            self._hold(*(self.codebook.new_zeros(shape) for shape in ((K, dim), (K,), (K, dim))))
        super()._load_from_state_dict(state_dict, prefix, *arguments)
