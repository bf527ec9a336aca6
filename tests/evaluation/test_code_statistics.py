"""Information content of codes: that of the tables that a coder uses."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from tiny_priors import draw_model, draw_prior
from torch import Tensor

from vqc.codec.prior_coding import encode_with_prior
from vqc.evaluation.code_statistics import code_bits
from vqc.models.base import CodecModel
from vqc.nn.integer import CodingStep


@pytest.fixture
def model() -> CodecModel:
    model = draw_model("photo")
    model.attach_prior(draw_prior(model))
    return model


def test_bits_are_those_of_the_file(model: CodecModel) -> None:
    sizes = model.codebook_sizes(2)
    codes = np.stack([np.random.default_rng(1).integers(0, k, (6, 7)) for k in sizes])[None].astype(np.uint16)
    stream = encode_with_prior(model.prior, codes, 2)
    assert 8 * (len(stream) - 2) == pytest.approx(code_bits(model, codes, 2).sum(), abs=16)


def test_a_code_that_was_all_but_impossible_has_a_price(monkeypatch: pytest.MonkeyPatch, model: CodecModel) -> None:
    """24 bits: no table has less than 1 / 2^24 for a code."""

    def certain(codes: Tensor, quality: int) -> Iterator[CodingStep]:
        logits = torch.zeros(codes.numel(), 12)
        logits[:, 0] = 1e6
        yield CodingStep(torch.arange(codes.numel()), logits)

    monkeypatch.setattr(model.prior, "counting_steps", certain)
    codes = np.ones((1, len(model.codebook_sizes(1)), 2, 3), np.uint16)
    assert (code_bits(model, codes, 1) == 24).all()
    assert (code_bits(model, 0 * codes, 1) < 1e-5).all()
