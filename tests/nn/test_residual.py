"""The strided networks are the formulas of the paper, and see no further than they say."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from vqc.nn.residual import ResidualLayer, Sizes, StridedDecoder, StridedEncoder, reach


def test_residual_layer_is_its_formula() -> None:
    torch.manual_seed(0)
    layer = ResidualLayer(2, 4, 3)
    h = torch.randn(1, 4, 5, 5)
    inner = F.relu(F.conv2d(F.relu(h), layer.wide.weight, padding=1))
    torch.testing.assert_close(layer(h), h + F.conv2d(inner, layer.point.weight))


@pytest.mark.parametrize(("strides", "layers"), [((2, 2), 2), ((4,), 0), ((2, 4, 2), 1)])
def test_reach_covers_all_that_is_seen_and_little_more(strides: tuple[int, ...], layers: int) -> None:
    torch.manual_seed(0)
    factor = torch.tensor(strides).prod().item()
    widths = (6,) * len(strides)
    sizes = Sizes(1, 1, widths, strides, (layers, 4), 5)
    encoder, decoder = StridedEncoder(sizes), StridedDecoder(sizes)
    cells = 41
    middle = cells // 2
    seen = 0
    x = torch.randn(1, 1, cells * factor, requires_grad=True)
    (gradient,) = torch.autograd.grad(encoder(x)[0, :, middle].square().sum(), x)
    places = gradient[0, 0].nonzero().flatten()
    seen = max(middle * factor - int(places.min()), int(places.max()) - (middle * factor + factor - 1))
    z = torch.randn(1, 5, cells, requires_grad=True)
    for sample in (middle * factor, middle * factor + factor - 1):
        (gradient,) = torch.autograd.grad(decoder(z)[0, 0, sample], z)
        places = gradient[0].abs().sum(0).nonzero().flatten()
        seen = max(seen, factor * (middle - int(places.min())), factor * (int(places.max()) - middle))
    assert seen <= reach(strides, layers) < seen + 2 * factor
