"""`vqc eval phonemes` on made-up speech with given alignments."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
import typer
from typer.testing import CliRunner

from vqc.cli.eval_phonemes import phonemes
from vqc.errors import OutputError
from vqc.models.files.checkpoint import save_checkpoint
from vqc.models.vqvae.audio import AudioVQVAE, AudioVQVAEConfig

app = typer.Typer()
app.command()(phonemes)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    model = AudioVQVAE(AudioVQVAEConfig(widths=(8, 8), strides=(8, 20), codebook_size=16, codebook_dim=4))
    save_checkpoint(tmp_path / "tiny.safetensors", model, name="tiny", training={}, figures={})
    generator = np.random.default_rng(0)
    for speaker in ("ann", "bob"):
        (tmp_path / "speech" / speaker).mkdir(parents=True)
        soundfile.write(tmp_path / "speech" / speaker / f"{speaker}1.wav", generator.normal(0, 0.1, 16_000), 16_000)
    (tmp_path / "given.ctm").write_text("")
    (tmp_path / "given").mkdir()
    lines = [f"{name}1 1 {0.5 * i} 0.5 {phone}" for name in ("ann", "bob") for i, phone in enumerate(("S", "IY"))]
    (tmp_path / "given" / "all.ctm").write_text("\n".join(lines))
    return tmp_path


ARGUMENTS = ("--data", "speech", "--model", "tiny.safetensors", "--alignments", "given")


def test_everything_is_printed_for_people_and_for_programs(here: Path) -> None:
    text = CliRunner().invoke(app, ARGUMENTS)
    assert text.exit_code == 0, text.output
    assert {line.split()[0] for line in text.output.splitlines()} >= {"accuracy", "chance", "majority", "codes"}
    found = json.loads(CliRunner().invoke(app, [*ARGUMENTS, "--json"]).output)
    assert found["codes_per_second"] == 100
    assert found["frames"] == found["mapped_frames"] == 100
    assert found["majority"] == found["chance"] == 0.5
    assert np.array(found["confusion"]).sum() == 100
    assert f"{100 * found['accuracy']:.1f} %" in text.output
    assert (found["mapped_speakers"], found["scored_speakers"]) == (["ann"], ["bob"])


def test_a_picture_is_not_replaced_unasked(here: Path) -> None:
    pytest.importorskip("matplotlib")
    arguments = [*ARGUMENTS, "--picture", "confusion.png"]
    Path("confusion.png").write_text("another")
    assert isinstance(CliRunner().invoke(app, arguments).exception, OutputError)
    assert Path("confusion.png").read_text() == "another"
    assert CliRunner().invoke(app, [*arguments, "--force"]).exit_code == 0
    assert Path("confusion.png").read_bytes().startswith(b"\x89PNG")
