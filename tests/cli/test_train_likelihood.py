"""`vqc train likelihood` on tiny data: the model keeps its digest and its prior, and its files stay readable."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from safetensors.torch import load_file

from vqc.models.files.header import read_info

if TYPE_CHECKING:
    from tests.cli.conftest import Run

TINY = ("--set=model.widths=[4,4]", "--set=model.residual_layers=1", "--set=model.residual_width=4")
SMALL = ("--set=model.codebook_size=8", "--set=task.batch_size=2", "--set=task.free_steps=1", "--threads=1")
IMAGE = ("train", "image", "--data", "pictures", "--preset", "images", "--set=task.crop=16", *TINY, *SMALL)
AUDIO = ("train", "audio", "--data", "talks", "--preset", "librispeech", "--set=task.crop=64", *TINY, *SMALL)
FIT = ("--set=task.batch_size=2", "--steps=3", "--threads=1", "--force")


def test_a_likelihood_and_a_prior_come_in_any_order(run: Run, training_media: Path) -> None:
    assert run(*IMAGE, "--steps", "2", "-o", "m.safetensors").code == 0
    codec = read_info("m.safetensors")
    likelihood = ("train", "likelihood", "-m", "m.safetensors", "--data", "pictures", "--set=task.crop=16", *FIT)
    trained = run(*likelihood, "--run-dir", "l1", "-o", "m.safetensors", "--name", "m")
    assert trained.code == 0, trained.err
    first = read_info("m.safetensors")
    assert first.digest == codec.digest
    assert first.likelihood is not None
    assert first.likelihood["training"]["figures"]["quality_1"]["bits_per_dim"] > 0
    prior = ("train", "prior", "-m", "m.safetensors", "--data", "pictures", "--preset", "pixelcnn", *FIT)
    trained = run(*prior, "--set=model.width=8", "--run-dir", "p", "-o", "m.safetensors")
    assert trained.code == 0, trained.err
    both = read_info("m.safetensors")
    assert both.likelihood == first.likelihood
    assert both.prior is not None
    trained = run(*likelihood, "--set=model.layers=1", "--run-dir", "l2", "-o", "m.safetensors")
    assert trained.code == 0, trained.err
    last = read_info("m.safetensors")
    assert (last.digest, last.prior, last.training) == (both.digest, both.prior, codec.training)
    assert any(name.startswith("likelihood.network") for name in load_file("m.safetensors"))


def test_likelihoods_of_waveforms_go_on_from_a_model(run: Run, training_media: Path) -> None:
    short = ("--set=model.strides=[2,2]", "--set=model.linear_path=false")
    assert run(*AUDIO, *short, "--steps", "2", "-o", "a.safetensors").code == 0
    fit = ("train", "likelihood", "-m", "a.safetensors", "--data", "talks", "--set=task.crop=64", *FIT)
    trained = run(*fit, "--run-dir", "l", "-o", "b.safetensors")
    assert trained.code == 0, trained.err
    again = ("train", "likelihood", "-m", "b.safetensors", "--data", "talks", "--set=task.crop=64", *FIT)
    trained = run(*again, "--start-from", "b.safetensors", "--run-dir", "l2", "-o", "b.safetensors")
    assert trained.code == 0, trained.err
    assert run(*fit, "--start-from", "a.safetensors", "--run-dir", "l3", "-o", "b.safetensors").code == 1
    refused = run(*fit[:6], "--set=task.crop=63", *FIT, "--run-dir", "l4")
    assert refused.code == 2
    assert "63" in refused.err


def test_a_model_is_needed(run: Run, training_media: Path) -> None:
    refused = run("train", "likelihood", "--data", "pictures")
    assert refused.code == 2
    assert "--model is missing" in refused.err
