"""Sharp decoders on the command line: trained, described, restored with and measured, on tiny data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile
from PIL import Image
from safetensors.torch import load_file
from tiny_priors import draw_model, draw_perceptual, draw_prior

from vqc.models.files.checkpoint import save_checkpoint
from vqc.models.files.header import read_info

if TYPE_CHECKING:
    from tests.cli.conftest import Run

FIT = ("--set=task.batch_size=2", "--set=task.critic_width=4", "--set=task.critic_start=1", "--threads=1", "--force")
PHOTO = ("--data", "pictures", "--set=task.crop=32", *FIT)
SPEECH = ("--data", "talks", "--set=task.crop=2560", *FIT)


@pytest.fixture
def media(training_media: Path) -> Path:
    """The models `m.safetensors` (photo) and `a.safetensors` (speech) beside pictures and talks to train on."""
    for name, kind in (("m", "photo"), ("a", "speech")):
        save_checkpoint(f"{name}.safetensors", draw_model(kind), name=name, training={}, figures={}, weights="float16")
    return training_media


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`sharp-photo` and `sharp-speech` are at hand, with all parts, and `plain`, a photo model with none."""
    folder = tmp_path / "data" / "vqc" / "models"
    folder.mkdir(parents=True)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    for kind in ("photo", "speech"):
        model = draw_model(kind)
        if kind == "photo":
            save_checkpoint(folder / "plain.safetensors", model, name="plain", training={}, figures={})
        model.attach_prior(draw_prior(model))
        model.attach_perceptual(draw_perceptual(model))
        save_checkpoint(folder / f"sharp-{kind}.safetensors", model, name=f"sharp-{kind}", training={}, figures={})
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)).save("photo.png")
    soundfile.write("talk.wav", 0.3 * np.sin(np.arange(9_000) * 0.1), 16_000)
    return folder


def test_a_sharp_decoder_for_images_comes_into_the_model_file(run: Run, media: Path) -> None:
    codec = read_info("m.safetensors")
    trained = run("train", "sharp", "-m", "m.safetensors", *PHOTO, "--steps=4", "--run-dir", "r", "-o", "s.safetensors")
    assert trained.code == 0, trained.err
    info = read_info("s.safetensors")
    assert (info.digest, info.name, info.training) == (codec.digest, codec.name, codec.training)
    assert info.perceptual is not None
    assert info.perceptual["training"]["steps"] == 4
    figures = info.perceptual["figures"]
    assert set(figures) == {"quality_1", "quality_2", "quality_3"}
    assert set(figures["quality_1"]) == {"texture", "texture_own", "psnr", "psnr_own"}
    own, kept = load_file("m.safetensors"), load_file("s.safetensors")
    assert all(bool((own[name] == kept[name]).all()) for name in own)
    assert any(bool((kept[f"sharp.{n.removeprefix('synthesis.')}"] != own[n]).any()) for n in own if "synthesis." in n)
    again = run("train", "sharp", "--resume", "--run-dir", "r", "--steps=6", "--threads=1")
    assert again.code == 0, again.err
    assert json.loads(Path("r/state.json").read_text())["step"] == 6
    assert run("train", "export", "r", "-o", "e.safetensors").code == 0
    assert read_info("e.safetensors").digest == codec.digest


def test_a_sharp_decoder_for_speech_goes_on_from_a_model(run: Run, media: Path) -> None:
    trained = run("train", "sharp", "--start-from", "a.safetensors", *SPEECH, "--steps=3", "-o", "b.safetensors")
    assert trained.code == 0, trained.err
    first = read_info("b.safetensors")
    assert first.perceptual is not None
    assert set(first.perceptual["figures"]["quality_1"]) == {"log_mel", "log_mel_own"}
    assert first.perceptual["training"]["start"] == f"a {first.digest[:12]}"
    still = ("--steps=1", "--set=loop.learning_rate=1e-12", "--run-dir", "r2", "-o", "c.safetensors")
    trained = run("train", "sharp", "-m", "b.safetensors", *SPEECH, *still)
    assert trained.code == 0, trained.err
    assert read_info("c.safetensors").perceptual["digest"] == first.perceptual["digest"], (
        "it begins with the one in the file"
    )  # type: ignore[index]
    refused = run("train", "sharp", "-m", "a.safetensors", *SPEECH, "--start-from", "m.safetensors", "--run-dir", "r3")
    assert refused.code == 1
    assert "no decoder of the same shape" in refused.err


def test_prior_and_likelihood_are_trained_beside_it(run: Run, media: Path) -> None:
    sharp = ("train", "sharp", "-m", "m.safetensors", *PHOTO, "--steps=2", "--run-dir", "r")
    assert run(*sharp, "-o", "m.safetensors").code == 0
    first = read_info("m.safetensors")
    fit = ("--data", "pictures", "--set=task.batch_size=2", "--steps=2", "--threads=1", "--force")
    likelihood = ("train", "likelihood", "-m", "m.safetensors", *fit, "--set=task.crop=16", "--run-dir", "l")
    done = run(*likelihood, "-o", "m.safetensors")
    assert done.code == 0, done.err
    second = read_info("m.safetensors")
    assert (second.digest, second.perceptual) == (first.digest, first.perceptual)
    assert second.likelihood is not None
    assert second.likelihood["training"]["figures"]["quality_1"]["bits_per_dim"] > 0
    small = ("--set=model.slices=[[1,2],[3,1]]", "--set=model.width=8", "--set=model.head_width=6")
    more = ("--set=model.neighbour_width=4", "--set=model.dc_width=8", "--set=task.crop=2")
    order = ("--set=model.spatial_passes=[]", "--set=model.channel_steps=[]")
    short = ("--set=task.piece=0", "--set=task.qualities=[1]", "--run-dir", "p", "-o", "m.safetensors")
    done = run("train", "prior", "-m", "m.safetensors", *fit, *small, *more, *order, *short)
    assert done.code == 0, done.err
    info = read_info("m.safetensors")
    assert info.prior is not None
    assert info.digest != first.digest, "a prior decides bytes"
    assert (info.likelihood, info.perceptual) == (second.likelihood, first.perceptual)
    done = run(*sharp[:-1], "again", "-o", "m.safetensors")
    assert done.code == 0, done.err
    last = read_info("m.safetensors")
    assert (last.digest, last.prior, last.likelihood) == (info.digest, info.prior, info.likelihood)
    assert last.perceptual != first.perceptual
    done = run(*likelihood[:-1], "other", "--set=model.layers=1", "-o", "m.safetensors")
    assert done.code == 0, done.err
    last = read_info("m.safetensors")
    assert (last.digest, last.prior, last.training) == (info.digest, info.prior, info.training)
    assert any(name.startswith("likelihood.network") for name in load_file("m.safetensors"))


def test_what_cannot_be_trained(run: Run, media: Path, small_models: Path) -> None:
    refused = run("train", "sharp", "--data", "pictures")
    assert (refused.code, "--model is missing" in refused.err) == (2, True)
    refused = run("train", "sharp", "-m", "tiny-image", "--data", "pictures")
    assert refused.code == 2
    assert "tiny-image is of the kind image-vqvae, which can have no sharp decoder" in refused.err
    refused = run("train", "sharp", "-m", "m.safetensors", "--data", "pictures", "--set=task.crop=40")
    assert (refused.code, "multiple of 16" in refused.err) == (2, True)
    assert "Traceback" not in refused.err


def test_a_file_is_restored_either_way(run: Run, models: Path) -> None:
    assert run("compress", "photo.png", "-m", "sharp-photo", "-o", "p.vqc").code == 0
    assert run("compress", "talk.wav", "-m", "sharp-speech", "-o", "t.vqc").code == 0
    for folder, option in (("own", ()), ("other", ("--sharp",))):
        result = run("decompress", "p.vqc", "t.vqc", "-o", f"{folder}/", *option)
        assert (result.code, result.err) == (0, "")
    pictures = {name: Path(name, "p.png").read_bytes() for name in ("own", "other")}
    talks = {name: soundfile.read(f"{name}/t.wav")[0] for name in ("own", "other")}
    assert pictures["own"] != pictures["other"]
    assert not np.array_equal(talks["own"], talks["other"])
    piped = run("decompress", "-", "--sharp", stdin=Path("p.vqc").read_bytes())
    assert (piped.code, piped.raw) == (0, pictures["other"])


def test_a_model_without_one_is_one_sentence(run: Run, models: Path) -> None:
    assert run("compress", "photo.png", "-m", "plain", "-o", "p.vqc").code == 0
    refused = run("decompress", "p.vqc", "--sharp")
    assert (refused.code, refused.out) == (2, "")
    assert (
        refused.err
        == "vqc: p.vqc: the model plain has no sharp decoder; restore without it, or train one with vqc train sharp\n"
    )
    assert not Path("p.png").exists()
    refused = run("eval", "-m", "plain", "--data", "photo.png", "--sharp", "--quiet")
    assert refused.code == 2
    assert (
        refused.err
        == "vqc: the model plain has no sharp decoder; restore without it, or train one with vqc train sharp\n"
    )


def test_descriptions_say_that_there_is_one(run: Run, models: Path) -> None:
    file = models / "sharp-photo.safetensors"
    (fields,) = json.loads(run("info", file, "--json").out)
    assert f"{fields['sharp']['parameters']:,} parameters" in run("info", file).out
    listed = {model["name"]: model["sharp"] for model in json.loads(run("models", "--json").out)}
    assert listed["plain"] is None
    assert listed["sharp-photo"] == fields["sharp"]
    assert "sharp decoder" not in run("info", models / "plain.safetensors").out


def test_eval_measures_what_it_restores(run: Run, models: Path) -> None:
    measure = ("eval", "-m", "sharp-photo", "--data", "photo.png", "--json", "--quiet", "--metrics", "psnr")
    own, sharp = (json.loads(run(*measure, *option).out) for option in ((), ("--sharp",)))
    assert sharp["model"] == "sharp-photo (sharp)"
    own_point, sharp_point = (found["curves"][0]["points"][0] for found in (own, sharp))
    assert own_point["rate"] == sharp_point["rate"], "the same files"
    assert own_point["scores"] != sharp_point["scores"]
    assert run("compress", "photo.png", "-m", "sharp-photo", "-o", "p.vqc").code == 0
    assert run("decompress", "p.vqc", "-o", "s.png", "--sharp").code == 0
    with Image.open("photo.png") as before, Image.open("s.png") as after:
        mse = np.mean(((np.asarray(before).astype(float) - np.asarray(after)) / 255) ** 2)
    assert sharp_point["scores"]["psnr"]["mean"] == pytest.approx(-10 * np.log10(mse))
