"""WaveNet (van den Oord et al. 2016, arXiv 1609.03499, figure 4): dilated causal convolutions over frames of codes.

::

    x ─► dilated causal convolution ─ tanh·σ ─┬─ 1×1 ─(+ x)─► next layer
                                              └─ 1×1 ─► sum of skips ─ ReLU ─► context
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from vqc.nn.gating import QualityBias, gated


class WaveNet(nn.Module):
    """Features [B, C, T] of codes to a context [B, skip_width, T] that depends only on earlier frames."""

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
        self.kernel_size = kernel_size
        self.causal = nn.Conv1d(width, width, kernel_size)
        last = len(dilations) - 1
        self.layers = nn.ModuleList(
            WaveNetLayer(width, skip_width, kernel_size, dilation, qualities, last=i == last, dropout=dropout)
            for i, dilation in enumerate(dilations)
        )

    def forward(self, features: Tensor, quality: int) -> Tensor:
        h = self.causal(F.pad(features, (self.kernel_size, 0))[..., :-1])  # moved by one: its own frame is not seen
        total: Tensor | None = None
        for layer in self.layers:
            h, skip = layer(h, quality)
            total = skip if total is None else total + skip
        assert total is not None, "there is at least one layer"
        return F.relu(total)


class WaveNetLayer(nn.Module):
    """[B, C, T] to what the next layer sees and what the output sees."""

    def __init__(
        self,
        width: int,
        skip_width: int,
        kernel_size: int,
        dilation: int,
        qualities: int,
        *,
        last: bool,
        dropout: float,
    ) -> None:
        super().__init__()
        self.past = dilation * (kernel_size - 1)
        self.dilated = nn.Conv1d(width, 2 * width, kernel_size, dilation=dilation, bias=False)
        self.bias = QualityBias(2 * width, qualities)
        self.dropout = nn.Dropout(dropout)
        self.residual = None if last else nn.Conv1d(width, width, 1)  # after the last nobody would see it
        self.skip = nn.Conv1d(width, skip_width, 1)

    def forward(self, h: Tensor, quality: int) -> tuple[Tensor, Tensor]:
        heard = self.bias(self.dilated(F.pad(h, (self.past, 0))), quality)
        out = self.dropout(gated(heard))
        return h if self.residual is None else h + self.residual(out), self.skip(out)
