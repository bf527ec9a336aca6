"""Tables are counted of the codes that a model makes."""

from __future__ import annotations

import numpy as np
import torch

from vqc.models.vqvae.image import ImageVQVAE, ImageVQVAEConfig
from vqc.training.tables import collect_counts


def test_counts_are_the_histogram_of_the_codes() -> None:
    model = ImageVQVAE(ImageVQVAEConfig(widths=(6, 8), residual_width=5, codebook_size=16, codebook_dim=4)).eval()
    batches = [torch.rand(2, 3, 16, 16), torch.rand(1, 3, 8, 8)]
    counts = collect_counts(model, batches)
    codes = np.concatenate([model.encode(b, 1).flatten().numpy() for b in batches])
    assert counts.shape == (1, 1, 16)
    assert counts[0, 0].tolist() == np.bincount(codes, minlength=16).tolist()
