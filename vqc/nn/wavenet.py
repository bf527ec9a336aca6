"""WaveNet (van den Oord et al. 2016, arXiv 1609.03499, figure 4): dilated causal convolutions over frames of codes.

::

    x ─► dilated causal convolution ─ tanh·σ ─┬─ 1×1 ─(+ x)─► next layer
                                              └─ 1×1 ─► sum of skips ─ ReLU ─► context

Convolutions are taps side by side and an exact linear layer, so that the same layers compute a whole sequence at once
(`forward`) or follow a coder from frame to frame (`WaveWalk`, of few sequences `FewRowsWalk`), to the same integers
once they are quantized.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vqc.nn.few_rows import MOST_ROWS, FewRowsConvolution, FewRowsGate, FewRowsLinear, Rows, bound
from vqc.nn.gating import Gate
from vqc.nn.integer import LARGEST, IntegerLinear, IntegerModule


class WaveNet(IntegerModule):
    """Features [N, T, C] of codes to a context [N, T, skip_width] that depends only on earlier frames."""

    def __init__(
        self,
        width: int,
        *,
        skip_width: int,
        kernel_size: int,
        dilations: Sequence[int],
        qualities: int,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.width, self.kernel_size, self.dilations = width, kernel_size, tuple(dilations)
        self.causal = IntegerLinear(kernel_size * width, width, qualities=qualities)
        last = len(dilations) - 1
        self.layers = nn.ModuleList(
            WaveNetLayer(width, skip_width, kernel_size, qualities, last=i == last, dropout=dropout)
            for i in range(len(dilations))
        )

    def forward(
        self, features: Tensor, quality: int, inside: Tensor | None = None, labels: Tensor | None = None
    ) -> Tensor:
        """Compute whole sequences. Frames that are not `inside` come last and are in no other frame's past.

        There are no classes of sequences.
        """
        moved = F.pad(features, (0, 0, 1, 0))[:, :-1]  # [N, T, C]: its own frame is not seen
        h, skips = self.causal(_taps(moved, self.kernel_size, 1), quality), []
        for layer, dilation in zip(self.layers, self.dilations, strict=True):
            h, skip = layer(_taps(h, self.kernel_size, dilation), h, quality)  # [N, T, C], [N, T, skip_width]
            skips.append(skip)
        return self.relu(sum(skips[1:], skips[0]))

    def walk(
        self, count: int, sides: tuple[int, ...], quality: int, inside: Tensor | None, labels: Tensor | None
    ) -> WaveWalk | FewRowsWalk:
        """Begin the same for `count` sequences, a frame at a time."""
        few = self.is_integer and count <= MOST_ROWS and self.causal.weight.device.type == "cpu"
        return (FewRowsWalk if few else WaveWalk)(self, count, quality)


class WaveWalk:
    """Contexts of a frame of every sequence, from frame to frame; remembers what the convolutions reach."""

    def __init__(self, network: WaveNet, count: int, quality: int) -> None:
        self.network, self.quality, self.frame = network, quality, 0
        self.dilations = [1, *network.dilations]
        sizes = [dilation * (network.kernel_size - 1) + 1 for dilation in self.dilations]  # frames that are reached
        device = network.causal.weight.device
        self.rings = [torch.zeros(count, n, network.width, device=device) for n in sizes]

    def step(self, features: Tensor | None) -> Tensor:
        """Return the context [N, skip_width] of the next frame, given features [N, C] of the last; None at first."""
        moved = torch.zeros_like(self.rings[0][:, 0]) if features is None else features
        h, skips = self.network.causal(self._taps(0, moved), self.quality), []
        for i, layer in enumerate(self.network.layers, 1):
            h, skip = layer(self._taps(i, h), h, self.quality)  # [N, C], [N, skip_width]
            skips.append(skip)
        self.frame += 1
        return self.network.relu(sum(skips[1:], skips[0]))

    def _taps(self, number: int, h: Tensor) -> Tensor:
        """Return inputs of a convolution [N, size · C], of which h is the last; zeros before the first frame."""
        ring, dilation = self.rings[number], self.dilations[number]  # [N, frames reached, C]
        ring[:, self.frame % ring.shape[1]] = h  # takes the place of what no tap reaches any more
        pasts = range(dilation * (self.network.kernel_size - 1), -1, -dilation)
        return torch.cat([ring[:, (self.frame - past) % ring.shape[1]] for past in pasts], -1)


class FewRowsWalk:
    """The same integers as those of a `WaveWalk`, of few sequences, in a third of the time."""

    def __init__(self, network: WaveNet, count: int, quality: int) -> None:
        self.count, self.width = count, network.width

        def convolution(layer: IntegerLinear, dilation: int) -> FewRowsConvolution:
            return FewRowsConvolution(layer, quality, count=count, size=network.kernel_size, dilation=dilation)

        layers: list[WaveNetLayer] = list(network.layers)  # type: ignore[arg-type]
        self.causal, self.gate = convolution(network.causal, 1), FewRowsGate()
        self.layers = [
            (
                convolution(layer.dilated, dilation),
                None if layer.residual is None else FewRowsLinear(layer.residual),
                FewRowsLinear(layer.skip),
            )
            for layer, dilation in zip(layers, network.dilations, strict=True)
        ]

    def step(self, features: Tensor | None) -> Tensor:
        """Return the context [N, skip_width] of the next frame, given features [N, C] of the last; None at first."""
        moved = np.zeros((self.count, self.width), np.float32) if features is None else features.numpy()
        h: Rows = self.causal(moved)  # [N, C]
        total: Rows | float = 0.0  # of the skips, [N, skip_width]
        for dilated, residual, skip in self.layers:
            out = self.gate(dilated(h))
            total = total + skip(out)
            if residual is not None:
                h = bound(h + residual(out), LARGEST)
        return torch.from_numpy(np.clip(total, 0, LARGEST))


class WaveNetLayer(IntegerModule):
    """One dilated layer: the taps of a convolution to the input of the next layer and to a skip."""

    def __init__(
        self,
        width: int,
        skip_width: int,
        kernel_size: int,
        qualities: int,
        *,
        last: bool,
        dropout: float,
    ) -> None:
        super().__init__()
        self.dilated = IntegerLinear(kernel_size * width, 2 * width, qualities=qualities)
        self.gate = Gate()
        self.dropout: nn.Module = nn.Dropout(dropout)
        self.residual = None if last else IntegerLinear(width, width)  # after the last nobody would see it
        self.skip = IntegerLinear(width, skip_width)

    def forward(self, taps: Tensor, h: Tensor, quality: int) -> tuple[Tensor, Tensor]:
        """Taps [..., size · C] and their last [..., C]."""
        out = self.dropout(self.gate(self.dilated(taps, quality)))  # [..., C]
        # clipped, so that sums over any number of layers stay integers that are exact
        return h if self.residual is None else self.clip(h + self.residual(out)), self.skip(out)

    def _quantize(self) -> None:
        self.dropout = nn.Identity()


def _taps(h: Tensor, size: int, dilation: int) -> Tensor:
    """Put frames [N, T, C] beside those before them, `dilation` apart, the oldest first: [N, T, size · C]."""
    past = F.pad(h, (0, 0, dilation * (size - 1), 0))  # zeros before the first frame
    return torch.cat([past[:, i * dilation : i * dilation + h.shape[1]] for i in range(size)], -1)
