"""What learns from a trained codec sees those that files hold: those of float32, whatever the precision of the run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_priors import draw_model, draw_perceptual
from torch import Tensor

from vqc.devices import uses_bfloat16
from vqc.errors import OptionError
from vqc.models.likelihood import Likelihood, LikelihoodConfig, to_levels
from vqc.models.phones.model import PhonesConfig, PhonesModel
from vqc.models.vqvae.image import ImageVQVAE, ImageVQVAEConfig
from vqc.training.loop.config import LoopConfig
from vqc.training.loop.trainer import Trainer
from vqc.training.parts.frozen_codec import FrozenCodec
from vqc.training.parts.likelihood import LikelihoodTask
from vqc.training.parts.perceptual import PerceptualTask, PerceptualTaskConfig
from vqc.training.phones.task import PhonesTask

KINDS = ("photo", "speech", "image-vqvae", "phones")
CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def in_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs are in bfloat16, as on a processor that has it."""
    monkeypatch.setenv("VQC_BFLOAT16", "1")


def draw(kind: str) -> Any:
    torch.manual_seed(0)
    if kind == "image-vqvae":
        shape = {"residual_layers": 1, "residual_width": 4, "codebook_size": 64, "codebook_dim": 4}
        return ImageVQVAE(ImageVQVAEConfig(widths=(8, 8), strides=(2, 2), **shape)).eval()
    if kind == "phones":
        shape = {"mels": 16, "context": 2, "codebook_size": 64, "codebook_dim": 4}
        model = PhonesModel(PhonesConfig(**shape, decoder_width=8, decoder_blocks=1)).eval()
        model.projection.copy_(torch.randn_like(model.projection))
        model.average.copy_(torch.randn_like(model.average))
        return model
    return draw_model(kind)


def signal_of(kind: str) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    if kind in ("photo", "image-vqvae"):
        return torch.rand(2, 3, 64, 64, generator=generator)
    noise = torch.randn(2, 10 * 1280, generator=generator)
    return 0.2 * torch.sin(torch.arange(10 * 1280) ** 1.3 * 0.05) + 0.05 * noise


def asked_directly(model: Any, signal: Tensor, quality: int) -> Tensor | None:
    """The codes that a model gives under autocast, where it gives any."""
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        try:
            codes: Tensor = model.encode(signal, quality)
        except TypeError:
            return None
        return codes


@pytest.mark.parametrize("kind", KINDS)
def test_codes_under_autocast_are_those_of_float32(kind: str) -> None:
    model, signal = draw(kind), signal_of(kind)
    frozen, quality = FrozenCodec(model), model.qualities
    with torch.inference_mode():
        codes, usual = model.encode(signal, quality), model.encode_as_files_do(signal, quality)
        restored = model.decode(codes, quality)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(frozen.encode(signal, quality), codes)
        assert torch.equal(frozen.encode_as_files_do(signal, quality), usual)
        assert torch.equal(frozen.decode(codes, quality), restored)
    if kind == "photo":  # which chooses what of it may be in bfloat16, and always does
        return
    careless = asked_directly(model, signal, quality)
    assert careless is None or not torch.equal(careless, codes), "this signal does not tell the two apart"


def test_what_it_gives_may_take_part_in_a_graph() -> None:
    model, weight = draw("image-vqvae"), torch.randn(64, 2, requires_grad=True)
    codes = FrozenCodec(model).encode(signal_of("image-vqvae"), 1)
    torch.nn.functional.embedding(codes, weight).sum().backward()
    assert weight.grad is not None
    assert not codes.is_inference()
    assert all(not p.requires_grad for p in model.parameters())


def heard_by(part: Any, calls: list[Tensor]) -> None:
    """Keep the first argument of every call of a module."""
    part.register_forward_pre_hook(lambda module, given: calls.append(given[0].detach().clone()))


def train(task: Any, folder: Path) -> None:
    """One step in bfloat16, and the validation after it."""
    trainer = Trainer(task, LoopConfig(steps=1), folder)
    assert trainer.main.bfloat16
    trainer.run()


@pytest.mark.parametrize("kind", ["photo", "speech", "image-vqvae"])
def test_likelihoods_see_what_files_restore(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    codec, signal = draw(kind), signal_of(kind)
    with torch.inference_mode():
        restored = codec.decode(codec.encode_as_files_do(signal, 1), 1)
    likelihood = Likelihood(LikelihoodConfig(mixtures=2, width=4, layers=0), codec.media, codec.qualities)
    task, seen = LikelihoodTask(likelihood, codec, lambda step: signal, [signal]), []
    levels = task._levels
    monkeypatch.setattr(task, "_levels", lambda *given: seen.append(levels(*given)) or seen[-1])
    train(task, tmp_path)
    assert torch.equal(seen[0][1], to_levels(restored, codec.media))


def test_phones_are_learnt_from_the_entries_of_files(tmp_path: Path) -> None:
    model, signal = draw("phones"), signal_of("phones")
    entries = model.quantizer.codebook[model.encode(signal, 1)[:, 0]]
    task, calls = PhonesTask(model, lambda step: signal, [signal]), []
    heard_by(model.decoder, calls)
    train(task, tmp_path)
    assert torch.equal(calls[0], entries)
    with torch.autocast("cpu", torch.bfloat16):
        under = task._targets(signal)
    assert all(torch.equal(a, b) for a, b in zip(under, task._targets(signal), strict=True)), "and so are its aims"


@pytest.mark.parametrize("kind", ["photo", "speech"])
def test_perceptual_decoders_restore_the_codes_of_files(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    codec, signal = draw(kind), signal_of(kind)
    with torch.inference_mode():
        codes = codec.encode_as_files_do(signal, 1)
    config = PerceptualTaskConfig(crop=64, critic_width=4, adversarial=0.0)
    task, seen = (
        PerceptualTask(draw_perceptual(codec).requires_grad_(True), codec, lambda step: signal, [signal], config),
        [],
    )
    decode = task.restorer.decode
    monkeypatch.setattr(task.restorer, "decode", lambda c, *rest, **more: seen.append(c) or decode(c, *rest, **more))
    train(task, tmp_path)
    assert torch.equal(seen[0], codes)


@pytest.mark.parametrize(("said", "bfloat16"), [("1", True), ("0", False)])
def test_the_environment_says_what_auto_means(said: str, bfloat16: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VQC_BFLOAT16", said)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": not bfloat16})
    assert uses_bfloat16("auto", CPU) == bfloat16
    assert uses_bfloat16("float32", CPU) is False, "what settings say goes before"
    assert uses_bfloat16("bfloat16", CPU) is True


@pytest.mark.parametrize("instructions", ["avx512_bf16", "amx_bf16", "avx2"])
def test_auto_asks_the_processor(instructions: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VQC_BFLOAT16")
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {instructions: True})
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
    assert uses_bfloat16("auto", CPU) == (instructions != "avx2")


def test_a_word_that_says_neither_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VQC_BFLOAT16", "yes")
    with pytest.raises(OptionError, match="VQC_BFLOAT16 is 'yes'; set it to 1 for bfloat16"):
        uses_bfloat16("auto", CPU)


def test_ci_trains_in_either_precision() -> None:
    """Whatever its processor is."""
    script = (Path(__file__).parents[3] / ".ci" / "run").read_text(encoding="utf-8")
    assert "VQC_BFLOAT16=0 VQC_TORCH_SPEC=" in script, "the whole suite in float32"
    assert re.search(r"VQC_BFLOAT16=1 .* tests/training tests/cli/test_train\*\.py", script)
