"""`vqc train likelihood` on tiny data; `test_sharp` has it beside the other parts of a model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.cli.conftest import Run

TINY = ("--set=model.widths=[4,4]", "--set=model.residual_layers=1", "--set=model.residual_width=4")
SMALL = ("--set=model.codebook_size=8", "--set=task.batch_size=2", "--set=task.free_steps=1", "--threads=1")
AUDIO = ("train", "audio", "--data", "talks", "--preset", "librispeech", "--set=task.crop=64", *TINY, *SMALL)
FIT = ("--set=task.batch_size=2", "--steps=3", "--threads=1", "--force")


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
