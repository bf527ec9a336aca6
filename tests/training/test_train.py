"""`vqc.train` from folder to model file, on tiny data."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_priors import draw_model

import vqc
from vqc.errors import OutputError, TrainingError, VQCError
from vqc.models.files.checkpoint import save_checkpoint
from vqc.models.files.header import ModelInfo, parse_header, read_info
from vqc.training.run import read_run
from vqc.training.train import Trained, export

TINY = {
    "model.widths": [8, 8],
    "model.residual_layers": 1,
    "model.residual_width": 4,
    "model.codebook_size": 8,
    "model.codebook_dim": 4,
    "task.batch_size": 2,
    "task.free_steps": 2,
    "loop.log_every": 1,
}
WAVEFORMS = {**TINY, "task.crop": 64, "model.strides": [2, 2], "model.linear_path": False}
PRIOR = {
    "model.slices": [[1, 2], [3, 1]],
    "model.spatial_passes": [],
    "model.channel_steps": [1, 2, 2, 1],
    "model.width": 8,
    "model.head_width": 6,
    "model.neighbour_width": 4,
    "model.dc_width": 8,
    "task.piece": 0,
    "task.qualities": [1],
    "task.batch_size": 2,
    "loop.log_every": 1,
}
Train = Callable[..., Trained]


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def train_images(training_media: Path) -> Train:
    """Train a tiny codec on the eight pictures."""

    def train(settings: dict[str, Any] | None = None, **options: Any) -> Trained:
        changes = {**TINY, "task.crop": 16, **(settings or {})}
        return vqc.train(vqc.TrainOptions("image", data=("pictures",), preset="images", settings=changes, **options))

    return train


@pytest.fixture
def train_prior(photo_codec: Path) -> Train:
    """Train a tiny prior for that model on the eight pictures."""

    def train(settings: dict[str, Any] | None = None, **options: Any) -> Trained:
        changes = {**PRIOR, **(settings or {})}
        given = {"model": "codec.safetensors", "data": ("pictures",), **options}
        return vqc.train(vqc.TrainOptions("prior", settings=changes, **given))

    return train


def info_of(trained: Trained) -> ModelInfo:
    assert trained.model_file is not None, "it was not interrupted"
    return read_info(trained.model_file)


def test_options_that_do_not_go_together_are_refused() -> None:
    with pytest.raises(VQCError, match="did you mean 'image'"):
        vqc.TrainOptions("imgae", data="photos")  # type: ignore[arg-type]
    with pytest.raises(VQCError, match="--model is for"):
        vqc.TrainOptions("image", data="photos", model="photo")  # type: ignore[arg-type]
    assert vqc.TrainOptions("image", data="photos").data == ("photos",)  # type: ignore[arg-type]
    assert vqc.TrainOptions("sharp", data=("photos",), start_from="photo").model == "photo", "nearly always the same"


def test_a_folder_becomes_a_codec(train_images: Train) -> None:
    trained = train_images(steps=4, name="mine", add=True)
    info = info_of(trained)
    assert (info.name, info.digest) == ("mine", trained.digest)
    assert info.training["steps"] == trained.outcome.step == 4
    assert info.training["data"].startswith("pictures")
    assert trained.figures["quality_1"]["bpp"] < 8
    picture = np.asarray(Image.open("pictures/1.png"))
    assert vqc.decompress(vqc.compress(picture, model="mine")).array.shape == picture.shape


def test_the_start_of_a_run_is_within_its_time(train_images: Train) -> None:
    """A run whose time is over before the first step is finished with its starting values."""
    trained = train_images({"loop.minutes": 1e-6}, run_dir=Path("run"))
    assert (trained.outcome.step, trained.outcome.interrupted) == (0, False)
    assert trained.outcome.seconds >= trained.start_seconds > 0
    assert trained.model_file is not None
    assert read_info(trained.model_file).training["steps"] == 0


def test_a_resumed_run_is_the_uninterrupted_one(train_images: Train) -> None:
    unvalidated = {"loop.validate_steps": 1000, "loop.final_learning_rate_ratio": 1.0, "loop.warmup_steps": 0}
    whole = train_images(unvalidated, steps=6, run_dir="whole")
    train_images(unvalidated, steps=3, run_dir="parts")
    parts = vqc.train(vqc.TrainOptions("image", resume=True, run_dir="parts", steps=6))
    assert parts.digest == whole.digest


def test_a_run_does_not_begin_over_another(train_images: Train) -> None:
    train_images(steps=1, run_dir="r")
    with pytest.raises(OutputError, match="--resume"):
        train_images(steps=1, run_dir="r")
    record = Path("r/run.json").read_text()
    with pytest.raises(TrainingError, match="another model"):
        vqc.train(vqc.TrainOptions("image", resume=True, run_dir="r", settings={"model.codebook_size": 4}))
    assert Path("r/run.json").read_text() == record, "the record still fits the weights"


def test_a_run_without_a_validation_is_exported_from_its_checkpoint(train_images: Train) -> None:
    trained = train_images({"loop.validate_steps": 1000, "loop.ema_decay": 0}, steps=3, run_dir="r")
    run = read_run(Path("r"))
    data = run.open_data()
    Path("r/best.safetensors").unlink()
    assert export(run, data)[1] == trained.digest, "the last weights were the validated ones"
    Path("r/state.safetensors").unlink()
    with pytest.raises(TrainingError, match="its first checkpoint is written after 4 minutes"):
        export(run, data)


def stored_tensors(path: Path) -> dict[str, tuple[str, bytes]]:
    """Types and bytes of the tensors in a model file, without those of a prior."""
    data = path.read_bytes()
    header = parse_header(data, len(data), path)
    body = data[header.data_start :]
    return {t.name: (t.dtype, body[t.start : t.stop]) for t in header.tensors if not t.name.startswith("prior.")}


def test_a_prior_makes_the_files_of_its_codec_smaller(train_prior: Train, photo_codec: Path) -> None:
    trained = train_prior({"loop.learning_rate": 0.02, "task.qualities": []}, steps=15, name="small", add=True)
    assert set(trained.figures) == {"quality_1", "quality_2", "quality_3"}
    figures = trained.figures["quality_2"]
    assert 5 < figures["saving_percent"] < 100
    assert figures["bits_per_code_integer"] == pytest.approx(figures["bits_per_code"], rel=0.01)
    share = figures["bits_per_code_integer"] / figures["bits_per_code_static"]
    assert figures["saving_percent"] == pytest.approx(100 * (1 - share), abs=0.05)
    info = info_of(trained)
    assert (info.name, info.kind, info.digest) == ("small", "photo", trained.digest)
    assert (info.training, info.figures) == ({"steps": 7}, {"quality_1": {"bpp": 1.5}}), "the codec's own"
    assert info.prior is not None
    assert info.prior["training"]["steps"] == 15
    assert info.prior["figures"] == trained.figures
    assert stored_tensors(info.path) == stored_tensors(photo_codec), "the codec is what it was"
    for name, mode in (("p.vqc", "prior"), ("s.vqc", "static")):  # with effort 0 the prior has no say in the codes
        vqc.compress_file("pictures/1.png", name, model="small", entropy=mode, rate=vqc.Rate(effort=0))
    vqc.decompress_file("p.vqc", "p.png")
    vqc.decompress_file("s.vqc", "s.png")
    assert Path("p.png").read_bytes() == Path("s.png").read_bytes()
    assert Path("p.vqc").stat().st_size < Path("s.vqc").stat().st_size


def test_a_resumed_prior_is_that_of_an_uninterrupted_run(train_prior: Train) -> None:
    constant = {"loop.validate_steps": 1000, "loop.warmup_steps": 0, "loop.final_learning_rate_ratio": 1.0}
    constant["loop.gradient_clip"] = 1e9
    whole = train_prior(constant, steps=6, run_dir="whole")
    train_prior(constant, steps=3, run_dir="parts")
    parts = vqc.train(vqc.TrainOptions("prior", resume=True, run_dir="parts", steps=6))
    assert parts.digest == whole.digest
    assert info_of(parts).name == "tiny", "the codec's name is kept"
    run = read_run(Path("whole"))
    assert export(run, run.open_data())[1] == whole.digest


def test_a_prior_begins_with_another(train_prior: Train) -> None:
    first = train_prior({"loop.warmup_steps": 0, "loop.learning_rate": 0.01}, steps=4, run_dir="first")
    still = {"loop.warmup_steps": 0, "loop.learning_rate": 1e-9}
    for start, told in (("first", "run first"), ("first/model.safetensors", f"tiny {first.digest[:12]}")):
        second = train_prior(still, steps=1, start_from=start, run_dir=told)
        for quality, figures in first.figures.items():
            same = second.figures[quality]
            assert same["bits_per_code_integer"] == pytest.approx(figures["bits_per_code_integer"], rel=2e-3)
        prior = info_of(second).prior
        assert prior is not None
        assert prior["training"]["start"] == told
    wider = train_prior(still | {"model.width": 10}, steps=1, start_from="first", run_dir="wider")
    for quality, figures in first.figures.items():
        same = wider.figures[quality]
        assert same["bits_per_code_integer"] == pytest.approx(figures["bits_per_code_integer"], rel=4e-3)
    with pytest.raises(TrainingError, match=r"is wider; raise model\.width to"):
        train_prior({"model.width": 2}, steps=1, start_from="first", run_dir="refused")
    with pytest.raises(TrainingError, match=r"same \[model\] settings"):
        train_prior({"model.neighbour_width": 10}, steps=1, start_from="first", run_dir="refused")


@pytest.mark.parametrize(
    ("settings", "options", "message"),
    [
        ({}, {"start_from": "codec.safetensors"}, "holds no prior"),
        ({}, {"start_from": "pictures"}, "no run to go on with"),
        ({}, {"model": ""}, "--model is missing"),
        ({"model.slices": [[3], [3]], "model.channel_steps": []}, {}, "do not add up"),
        ({"model.channel_steps": [40, 1, 1, 1]}, {}, "cannot be coded in 40 steps"),
        ({"task.qualities": [4]}, {}, "has 1 to 3"),
        ({"task.crop": 0}, {}, "crop is 0"),
        ({}, {"name": "photo", "add": True}, "bundled model"),
        ({}, {"output": "model.bin"}, r"ends in \.safetensors"),
    ],
)
def test_a_mistake_is_one_sentence_before_anything_is_written(
    train_prior: Train, settings: dict[str, Any], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(VQCError, match=message):
        train_prior(settings, steps=1, **options)
    assert not Path("runs").exists()


@pytest.mark.parametrize(
    ("preset", "message"), [("speech-prior", "of kind speech, not photo"), ("photo", "train image")]
)
def test_presets_of_something_else_are_refused(photo_codec: Path, preset: str, message: str) -> None:
    with pytest.raises(VQCError, match=message):
        vqc.train(vqc.TrainOptions("prior", model=str(photo_codec), data="pictures", preset=preset))


def test_a_prior_that_integers_cannot_hold_is_one_sentence(train_prior: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(prior: object) -> None:
        raise OverflowError("a weight is 1e+05, which 16 bits cannot hold")

    monkeypatch.setattr("vqc.nn.integer.IntegerModule.quantize_", refuse)
    with pytest.raises(TrainingError, match=r"cannot be turned into integers: a weight is 1e\+05"):
        train_prior(steps=1)
    assert not Path("runs/photo-prior/model.safetensors").exists()


def test_a_run_for_a_codec_that_is_no_longer_there_does_not_go_on(train_prior: Train, photo_codec: Path) -> None:
    train_prior(steps=1)
    save_checkpoint(photo_codec, draw_model("photo").float(), name="other", training={}, figures={})
    with pytest.raises(TrainingError, match="no longer the codec"):
        vqc.train(vqc.TrainOptions("prior", resume=True, run_dir="runs/photo-prior", steps=2))


def test_priors_of_the_papers_are_trained_too(train_images: Train) -> None:
    train_images(steps=3, output="mine.safetensors")
    sounds = {"preset": "librispeech", "settings": WAVEFORMS, "output": "talk.safetensors"}
    talk = vqc.train(vqc.TrainOptions("audio", data="talks", steps=3, **sounds))
    assert talk.figures["quality_1"]["kbps"] > 0
    for model, folder, kind, own in (
        ("mine", "pictures", "pixelcnn", {"model.layers": 2}),
        ("talk", "talks", "wavenet", {"model.dilations": [1, 2], "model.block": 16}),
    ):
        small = {"model.width": 8, "task.batch_size": 2, **own}
        options = vqc.TrainOptions("prior", model=f"{model}.safetensors", data=(folder,), steps=3, settings=small)
        trained = vqc.train(options)
        assert 0 < trained.figures["quality_1"]["bits_per_code_integer"] < 8
        info = read_info(f"runs/{kind}/model.safetensors")
        assert info.prior is not None
        assert (info.name, info.prior["kind"]) == (model, kind)
        assert json.loads(Path(f"runs/{kind}/run.json").read_text())["kind"] == kind


def test_a_codec_that_is_trained_on_loses_its_prior(train_images: Train) -> None:
    train_images(steps=3, output="mine.safetensors")
    small = {"model.width": 8, "model.layers": 2, "task.batch_size": 2}
    options = {"model": "mine.safetensors", "data": ("pictures",), "steps": 1, "output": "both.safetensors"}
    assert info_of(vqc.train(vqc.TrainOptions("prior", settings=small, **options))).prior is not None
    more = train_images(steps=1, start_from="both.safetensors", run_dir="more")
    assert info_of(more).prior is None
