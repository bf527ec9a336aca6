"""Weights in eight bits: near to what they were, the same once they are stored, and refused when they cannot be."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from vqc.errors import CheckpointError
from vqc.models.files.checkpoint import load_checkpoint, read_info, save_again, save_checkpoint
from vqc.models.files.eight_bits import SCALES, pack, rounded, unpack
from vqc.models.files.first_digests import FIRST_DIGESTS
from vqc.models.files.header import parse_header, stored_tensors
from vqc.models.files.tensors import StoredTensor, digest_tensors
from vqc.models.files.zoo import list_models
from vqc.models.likelihood import Likelihood, LikelihoodConfig
from vqc.models.vqvae.image import ImageVQVAE, ImageVQVAEConfig
from vqc.training.recipe import round_to_stored

sys.path.insert(0, str(Path(__file__).parents[3] / "scripts"))
from fuzz_tools import Model, read_model, write_model

CONFIG = ImageVQVAEConfig(widths=(16, 16), residual_width=8, residual_layers=1, codebook_size=8, codebook_dim=16)
WEIGHTS = "encoder.mix.weight"


@pytest.fixture
def model() -> ImageVQVAE:
    torch.manual_seed(0)
    return ImageVQVAE(CONFIG).eval()


@pytest.fixture
def path(model: ImageVQVAE, tmp_path: Path) -> Path:
    path = tmp_path / "tiny.safetensors"
    save_checkpoint(path, model, name="tiny", training={}, figures={}, weights="int8")
    return path


def draw(*shape: int) -> Tensor:
    torch.manual_seed(1)
    return torch.randn(shape) * torch.logspace(-12, 6, shape[0]).view(-1, *[1] * (len(shape) - 1))


def test_each_weight_is_off_by_half_a_step_of_its_row_at_most() -> None:
    weights = draw(40, 3, 5)
    steps = weights.abs().amax((1, 2), keepdim=True) / 127
    assert ((rounded(weights) - weights).abs() <= 0.501 * steps).all()


def test_what_was_read_is_stored_as_the_same_bytes() -> None:
    numbers, scales = pack(draw(2000, 16))
    again = pack(unpack(numbers, scales))
    assert torch.equal(again[0], numbers)
    assert torch.equal(again[1], scales)


def test_a_row_of_zeros_stays_one() -> None:
    assert torch.equal(rounded(torch.zeros(2, 8)), torch.zeros(2, 8))


def test_the_encoder_alone_is_in_eight_bits(model: ImageVQVAE, path: Path) -> None:
    stored = load_file(path)
    short = {name for name, tensor in stored.items() if tensor.dtype == torch.int8}
    assert short == {name for name in stored if name.startswith("encoder.") and name.endswith("weight")}
    assert {name + SCALES for name in short} == {name for name in stored if name.endswith(SCALES)}
    loaded: Any = load_checkpoint(path).model
    assert torch.equal(loaded.state_dict()[WEIGHTS], rounded(model.state_dict()[WEIGHTS]))
    whole = path.with_name("whole.safetensors")
    save_checkpoint(whole, model, name="tiny", training={}, figures={}, weights="float16")
    codes, other = torch.randint(0, 8, (1, 1, 4, 4)), cast(Any, load_checkpoint(whole).model)
    assert torch.equal(loaded.decode(codes, 1), other.decode(codes, 1))
    assert read_info(path).parameters == read_info(whole).parameters


def test_a_model_that_gets_a_part_keeps_its_weights_and_its_digest(path: Path, tmp_path: Path) -> None:
    loaded, again = load_checkpoint(path), tmp_path / "again.safetensors"
    loaded.model.likelihood = Likelihood(LikelihoodConfig(), "image", 1)
    assert save_again(again, loaded, name="tiny", parts={"likelihood": {}}) == loaded.info.digest
    before, after = load_file(path), load_file(again)
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())


def test_tables_are_counted_with_the_weights_that_the_file_has(model: ImageVQVAE, path: Path) -> None:
    round_to_stored(model)
    stored = load_checkpoint(path).model.named_parameters()
    assert all(torch.equal(weights, model.get_parameter(name)) for name, weights in stored)


@pytest.mark.parametrize(
    ("scales", "message"),
    [
        (torch.tensor([float("nan")] + [1.0] * 15), "not finite"),
        (torch.tensor([float("inf")] * 16), "not finite"),
        (torch.full((16,), 3e38), "not finite"),
        (torch.ones(15), "has type I8"),
        (torch.ones(16, 1), "has type I8"),
        (torch.ones(16, dtype=torch.int32), "has type I8"),
        (None, "has type I8"),
    ],
)
def test_scales_that_cannot_be_are_refused(path: Path, scales: Tensor | None, message: str) -> None:
    info, tensors = read_model(path)
    if scales is None:
        del tensors[WEIGHTS + SCALES]
    else:
        kind = {torch.float32: "F32", torch.int32: "I32"}[scales.dtype]
        tensors[WEIGHTS + SCALES] = StoredTensor(WEIGHTS + SCALES, kind, tuple(scales.shape), scales.numpy().tobytes())
    path.write_bytes(write_model(Model(info, tensors)))
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(path)


def test_damage_in_them_is_found(path: Path) -> None:
    data = bytearray(path.read_bytes())
    length = int.from_bytes(data[:8], "little")
    start = 8 + length
    for name in (WEIGHTS, WEIGHTS + SCALES):
        damaged = bytearray(data)
        damaged[start + json.loads(data[8:start])[name]["data_offsets"][0]] ^= 1
        path.write_bytes(damaged)
        with pytest.raises(CheckpointError, match="do not match their digest"):
            load_checkpoint(path)


# Of all that restoring a file needs, as it was before: name of the model, and what only its encoder reads.
RESTORING: dict[str, tuple[str, tuple[str, ...]]] = {
    "fa371979b88734cd": ("speech", ("encoder.", "envelope_vq.probability", "waveform_vq.probability")),
    "6a3346610279d383": ("librispeech", ("encoder.",)),
    "d44821fa9e43892c": ("cifar10", ("encoder.",)),
    "7bd65721cdb93a7c": ("cifar10-maps", ("analysis.",)),
}


@pytest.mark.parametrize("digest", RESTORING)
def test_a_bundled_model_that_keeps_its_name_restores_as_before(digest: str) -> None:
    name, encoder = RESTORING[digest]
    info: Any = next(info for info in list_models() if info.name == name)
    data = info.path.read_bytes()
    tensors = stored_tensors(parse_header(data, len(data), info.path), data)
    assert info.digest in FIRST_DIGESTS.values()
    assert digest_tensors([], (t for t in tensors if not t.name.startswith((*encoder, "likelihood."))))[:16] == digest


def test_every_first_digest_is_of_a_bundled_model() -> None:
    assert set(FIRST_DIGESTS.values()) <= {info.digest for info in list_models()}
    assert len(FIRST_DIGESTS) == len(RESTORING)
