"""`vqc train` from folder to codec, on tiny data."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import soundfile
import torch
from PIL import Image
from safetensors.torch import load_file
from tiny_priors import draw_model

from vqc.models.files.header import parse_header, read_info

if TYPE_CHECKING:
    from tests.cli.conftest import Run

TINY = (
    "--set=model.widths=[8,8]",
    "--set=model.residual_layers=1",
    "--set=model.residual_width=4",
    "--set=model.codebook_size=8",
    "--set=model.codebook_dim=4",
    "--set=task.batch_size=2",
    "--set=task.free_steps=2",
    "--set=loop.log_every=1",
    "--threads=1",
)
IMAGES = ("train", "image", "--data", "pictures", "--preset", "images", "--set=task.crop=16", *TINY)
AUDIO = ("train", "audio", "--data", "talks", "--preset", "librispeech", "--set=task.crop=64", *TINY)
SHORT = ("--set=model.strides=[2,2]", "--set=model.linear_path=false")


@pytest.fixture
def data(training_media: Path) -> Path:
    """The media, one picture of which is broken."""
    Path("pictures/broken.png").write_bytes(b"\x89PNG\r\n\x1a\n and then nothing")
    return training_media


def test_a_folder_becomes_a_codec_in_three_commands(run: Run, data: Path) -> None:
    trained = run(*IMAGES, "--steps", "4", "--name", "mine", "--add")
    assert trained.code == 0, trained.err
    assert "1 of 9" in trained.err, "the picture that cannot be read is counted"
    assert "run.json, and --dry-run prints them" in trained.err
    assert "codebook_size = 8" not in trained.err, "and are not recited"
    assert run("compress", "pictures/1.png", "-m", "mine", "-o", "p.vqc").code == 0
    assert run("decompress", "p.vqc").code == 0
    with Image.open("p.restored.png") as image:
        assert image.size == (32, 24)
    info = read_info(data / "share/vqc/models/mine.safetensors")
    assert info.training["steps"] == 4
    assert "pictures" in info.training["data"]
    assert info.figures["quality_1"]["bpp"] < 8
    assert info.history["val_score"][-1][0] == 4, "its last validation"


def test_audio_is_trained_too_and_figures_are_drawn(run: Run, data: Path) -> None:
    pytest.importorskip("matplotlib")
    trained = run(*AUDIO, *SHORT, "--steps", "4", "--run-dir", "r", "-o", "talk.safetensors", "--json")
    assert trained.code == 0, trained.err
    report = json.loads(trained.out)
    assert set(report["seconds"]) == {"start", "training", "finish"}
    assert all(seconds > 0 for seconds in report["seconds"].values())
    assert report["figures"]["quality_1"]["kbps"] > 0
    assert report["digest"] == read_info("talk.safetensors").digest
    assert {path.name for path in Path("r/figures").iterdir()} == {"losses.png", "perplexity.png", "waveforms.png"}
    assert run("compress", "talks/1.wav", "-m", "talk.safetensors", "-o", "t.vqc").code == 0
    assert run("decompress", "t.vqc").code == 1, "nobody has added the model"
    assert run("models", "add", "talk.safetensors").code == 0
    assert run("decompress", "t.vqc").code == 0
    assert soundfile.info("t.restored.wav").frames == 4000


def test_ctrl_c_saves_and_resume_writes_the_model_of_an_uninterrupted_run(run: Run, data: Path) -> None:
    steps = (*IMAGES, "--set=loop.validate_steps=1000", "--steps", "60")
    assert run(*steps, "--run-dir", "whole", "--quiet").code == 0
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-m", "vqc", *steps, "--run-dir", "parts"]
    process = subprocess.Popen(command, cwd=data, stderr=subprocess.PIPE, text=True, env=environment)
    try:
        assert process.stderr is not None
        err = ""
        for line in process.stderr:  # one for each step
            err += line
            if line.startswith("step 3 "):
                process.send_signal(signal.SIGINT)
        process.wait(60)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 130, err
    assert "go on with: vqc train image --resume --run-dir parts" in err
    assert "Traceback" not in err
    assert 3 <= json.loads(Path("parts/state.json").read_text())["step"] < 60
    assert run("train", "image", "--resume", "--run-dir", "parts", "--quiet").code == 0
    assert read_info("parts/model.safetensors").digest == read_info("whole/model.safetensors").digest


def test_a_dry_run_says_what_is_to_come_and_leaves_nothing(run: Run, data: Path) -> None:
    result = run(*IMAGES, "--dry-run", "--json")
    assert result.code == 0, result.err
    plan = json.loads(result.out)
    assert plan["bits"] == [3 / 16], "8 entries for 4 x 4 pixels"
    assert plan["codes"] == [1 / 16]
    assert plan["settings"]["task"]["batch_size"] == 2
    assert 0 <= plan["data_share"] < 1 < plan["parameters"]
    assert not Path("runs").exists()
    words = run(*AUDIO, *SHORT, "--dry-run")
    assert "12 kbps at most" in words.out, "4,000 codes of 3 bits a second"
    assert "starting values before, tables and figures after; their time comes on top" in words.out


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("train", "image", "--quiet"), 2, "--data is missing"),
        (("train", "image", "--data", "nowhere"), 1, "nowhere"),
        (("train", "audio", "--data", "pictures"), 1, "vqc train image"),
        (
            ("train", "image", "--data", "pictures", "--preset", "speech"),
            2,
            "audio, not for images; use vqc train audio",
        ),
        ((*IMAGES, "--set=model.codebok_size=3"), 2, "did you mean 'codebook_size'"),
        ((*IMAGES, "--set=loop.learning_rate=nan"), 2, "learning_rate is nan"),
        ((*IMAGES, "--set=model.codebook_dim=0"), 2, "codebook_dim is 0"),
        ((*IMAGES, "--set=model.widths=[0,8]"), 2, "each a whole number from 1"),
        ((*IMAGES, "--start-from", "photo"), 1, "of the kind photo"),
        ((*IMAGES, "--time", "soon"), 2, "not one like 90s"),
        ((*IMAGES, "-o", "model.bin"), 2, "ends in .safetensors"),
        ((*IMAGES, "-o", "no/model.safetensors"), 1, "does not exist"),
        ((*IMAGES, "--name", "photo", "--add"), 1, "bundled model"),
        ((*IMAGES, "--set=task.mel=1"), 2, "compares sounds"),
        (("train", "image", "--resume"), 2, "needs --run-dir"),
        (("train", "image", "--resume", "--run-dir", "pictures"), 1, "no run to go on with"),
        (("train", "prior", "--data", "pictures"), 2, "--model is missing"),
        (("train", "export", "pictures"), 1, "no run"),
        (("train", "plot", "pictures"), 1, "metrics.jsonl"),
        (("train", "plot", "pictures", "-o", "compared.png"), 2, "the figures go to a folder"),
        (("eval", "--report", "r.pdf"), 2, "--report r.pdf: what is written there is a .html file"),
        (("models", "add", "pictures/1.png"), 1, "1.png"),
    ],
)
def test_a_mistake_is_one_sentence(run: Run, data: Path, arguments: tuple[str, ...], code: int, message: str) -> None:
    result = run(*arguments)
    assert result.code == code, result.err
    assert message in result.err
    assert "Traceback" not in result.err
    assert not Path("runs").exists()


def test_a_run_that_was_never_validated_is_exported_from_its_checkpoint(run: Run, data: Path) -> None:
    """Or it is said when there will be one."""
    steps = (*IMAGES, "--set=loop.validate_steps=1000", "--set=loop.ema_decay=0", "--steps", "3", "--run-dir", "r")
    assert run(*steps, "--quiet").code == 0
    validated = read_info("r/model.safetensors").digest
    Path("r/best.safetensors").unlink()
    exported = run("train", "export", "r", "-o", "again.safetensors")
    assert exported.code == 0, exported.err
    assert "r has not been validated yet; these are the averaged weights of its last checkpoint" in exported.err
    assert "counting tables and measuring the finished model" in exported.err
    assert read_info("again.safetensors").digest == validated, "the last weights were the validated ones"
    Path("r/state.safetensors").unlink()
    nothing = run("train", "export", "r", "-o", "more.safetensors")
    assert nothing.code == 1
    assert "r has no weights yet; its first checkpoint is written after 4 minutes of training" in nothing.err


def test_that_there_will_be_no_figures_is_said_before_the_training(
    run: Run, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    trained = run(*IMAGES, "--steps", "1", "--run-dir", "r")
    assert trained.code == 0, trained.err
    said = trained.err.index("the run will be without figures: figures need matplotlib, which is not installed")
    assert said < trained.err.index("placing the starting values") < trained.err.index("step 1 ")


def test_a_run_is_not_begun_over_another(run: Run, data: Path) -> None:
    assert run(*IMAGES, "--steps", "1", "--run-dir", "r", "--quiet").code == 0
    result = run(*IMAGES, "--steps", "1", "--run-dir", "r")
    assert result.code == 1
    assert "--resume" in result.err
    record = Path("r/run.json").read_text()
    other = run("train", "image", "--resume", "--run-dir", "r", "--set=model.codebook_size=4")
    assert (other.code, Path("r/run.json").read_text()) == (1, record), "the record still fits the weights"
    assert run("train", "plot", "r").code == 0
    again = run("train", "plot", "r")
    assert (again.code, again.out) == (1, "")
    assert "losses.png: this file exists already; use --force to replace it" in again.err
    assert run("train", "plot", "r", "--force").code == 0


PRIOR = (
    "--set=model.slices=[[1,2],[3,1]]",
    "--set=model.passes=[]",
    "--set=model.steps=[1,2,2,1]",
    "--set=task.piece=0",
    "--set=model.width=8",
    "--set=model.head_width=6",
    "--set=model.neighbour_width=4",
    "--set=model.means_width=8",
    "--set=task.batch_size=2",
    "--set=loop.log_every=1",
    "--threads=1",
)
PHOTOS = ("train", "prior", "-m", "codec.safetensors", "--data", "pictures", *PRIOR)


@pytest.fixture
def codec(data: Path) -> Path:
    """A tiny photo model of random weights, as a file with a history."""
    from vqc.models.files.checkpoint import save_checkpoint

    path = data / "codec.safetensors"
    described = {"name": "tiny", "training": {"steps": 7}, "figures": {"quality_1": {"bpp": 1.5}}}
    save_checkpoint(path, draw_model("photo"), weights="float16", **described)
    for i in range(8):  # of one size with the codes of several blocks
        Image.open(f"pictures/{i}.png").resize((96, 64)).save(f"pictures/{i}.png")
    return path


def stored_tensors(path: Path) -> dict[str, tuple[str, bytes]]:
    """Types and bytes of the tensors in a model file, without those of a prior."""
    data = path.read_bytes()
    header = parse_header(data, len(data), path)
    body = data[header.data_start :]
    return {t.name: (t.dtype, body[t.start : t.stop]) for t in header.tensors if not t.name.startswith("prior.")}


def test_a_prior_makes_the_files_of_its_codec_smaller(run: Run, codec: Path) -> None:
    trained = run(*PHOTOS, "--steps", "40", "--set=loop.learning_rate=0.01", "--name", "small", "--add", "--json")
    assert trained.code == 0, trained.err
    report = json.loads(trained.out)
    assert set(report["figures"]) == {"quality_1", "quality_2", "quality_3"}
    figures = report["figures"]["quality_2"]
    assert 5 < figures["saving_percent"] < 100
    assert figures["bits_per_code_integer"] == pytest.approx(figures["bits_per_code"], rel=0.01)
    share = figures["bits_per_code_integer"] / figures["bits_per_code_static"]
    assert figures["saving_percent"] == pytest.approx(100 * (1 - share), abs=0.05)
    info = read_info(Path(report["model"]))
    assert (info.name, info.kind, info.digest) == ("small", "photo", report["digest"])
    assert (info.training, info.figures) == ({"steps": 7}, {"quality_1": {"bpp": 1.5}}), "the codec's own"
    assert info.prior is not None
    assert info.prior["training"]["steps"] == 40
    assert info.prior["figures"] == report["figures"]
    assert stored_tensors(Path(report["model"])) == stored_tensors(codec), "the codec is what it was"
    for model, entropy, file in (("small", "prior", "p.vqc"), (codec, "static", "s.vqc")):
        assert run("compress", "pictures/1.png", "-m", model, "--entropy", entropy, "-o", file).code == 0
    assert run("decompress", "p.vqc").code == 0
    assert run("models", "add", codec).code == 0
    assert run("decompress", "s.vqc").code == 0
    assert Path("p.restored.png").read_bytes() == Path("s.restored.png").read_bytes()
    assert Path("p.vqc").stat().st_size < Path("s.vqc").stat().st_size


def test_a_prior_that_is_gone_on_with_is_that_of_an_uninterrupted_run(run: Run, codec: Path) -> None:
    steps = (*PHOTOS, "--set=loop.validate_steps=1000", "--set=loop.warmup_steps=0", "--quiet")
    constant = ("--set=loop.final_learning_rate_ratio=1.0", "--set=loop.gradient_clip=1e9")
    assert run(*steps, *constant, "--steps", "6", "--run-dir", "whole").code == 0
    assert run(*steps, *constant, "--steps", "3", "--run-dir", "parts").code == 0
    again = run("train", "prior", "--resume", "--run-dir", "parts", "--steps", "6", "--quiet")
    assert again.code == 0, again.err
    first, second = (read_info(f"{folder}/model.safetensors") for folder in ("whole", "parts"))
    assert first.digest == second.digest
    assert first.name == "tiny", "the codec's name is kept"
    assert run("train", "export", "whole", "-o", "again.safetensors").code == 0
    assert read_info("again.safetensors").digest == first.digest


@pytest.mark.parametrize("start", ["first", "first/model.safetensors"])
def test_a_prior_begins_with_another(start: str, run: Run, codec: Path) -> None:
    fast = (*PHOTOS, "--set=loop.warmup_steps=0", "--json")
    trained = run(*fast, "--steps", "30", "--set=loop.learning_rate=0.01", "--run-dir", "first")
    result = run(*fast, "--steps", "1", "--set=loop.learning_rate=1e-9", "--start-from", start, "--run-dir", "second")
    assert result.code == 0, result.err
    for quality, figures in json.loads(trained.out)["figures"].items():
        same = json.loads(result.out)["figures"][quality]
        assert same["bits_per_code_integer"] == pytest.approx(figures["bits_per_code_integer"], rel=2e-3)
    prior = read_info("second/model.safetensors").prior
    assert prior is not None
    assert prior["training"]["start"] == (
        "run first" if start == "first" else f"tiny {json.loads(trained.out)['digest'][:12]}"
    )
    other = run(*fast, "--steps", "1", "--set=model.width=10", "--start-from", start, "--run-dir", "third")
    assert (other.code, "same [model] settings" in other.err) == (1, True), other.err


def test_a_dry_run_of_a_prior_leaves_nothing(run: Run, codec: Path) -> None:
    result = run(*PHOTOS, "--dry-run", "--json")
    assert result.code == 0, result.err
    plan = json.loads(result.out)
    assert plan["settings"]["kind"] == "photo-prior"
    assert plan["parameters"] > 100
    assert not Path("runs").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--start-from", "codec.safetensors"), 1, "holds no prior"),
        (("--start-from", "pictures"), 1, "no run to go on with"),
        (("--preset", "speech-prior"), 1, "for a model of kind speech, not photo"),
        (("--preset", "photo"), 2, "use vqc train image"),
        (("--set=model.slices=[[3],[3]]",), 1, "do not add up"),
        (("--set=task.qualities=[4]",), 2, "has 1 to 3"),
        (("--set=task.crop=0",), 2, "crop is 0"),
        (("--name", "photo", "--add"), 1, "bundled model"),
    ],
)
def test_a_mistake_with_a_prior_is_one_sentence(
    run: Run, codec: Path, arguments: tuple[str, ...], code: int, message: str
) -> None:
    of_other_kind = "--preset" in arguments
    own = PHOTOS[: -len(PRIOR)] if of_other_kind else PHOTOS
    result = run(*own, "--steps", "1", "--threads=1", *arguments)
    assert (result.code, message in result.err) == (code, True), result.err
    assert "Traceback" not in result.err


def test_a_prior_that_integers_cannot_hold_is_one_sentence(
    run: Run, codec: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(prior: object) -> None:
        raise OverflowError("a weight is 1e+05, which 16 bits cannot hold")

    monkeypatch.setattr("vqc.nn.integer.IntegerModule.quantize_", refuse)
    result = run(*PHOTOS, "--steps", "1", "--quiet")
    assert result.code == 1
    assert "cannot be turned into integers: a weight is 1e+05" in result.err
    assert not Path("runs/photo-prior/model.safetensors").exists()


def test_a_run_for_a_codec_that_is_no_longer_there_does_not_go_on(run: Run, codec: Path) -> None:
    from vqc.models.files.checkpoint import save_checkpoint

    assert run(*PHOTOS, "--steps", "1", "--quiet").code == 0
    save_checkpoint(codec, draw_model("photo").float(), name="other", training={}, figures={})
    result = run("train", "prior", "--resume", "--run-dir", "runs/photo-prior", "--steps", "2")
    assert (result.code, "no longer the codec" in result.err) == (1, True), result.err


def test_priors_of_the_papers_are_trained_too(run: Run, data: Path) -> None:
    assert run(*IMAGES, "--steps", "3", "-o", "mine.safetensors", "--quiet").code == 0
    assert run(*AUDIO, *SHORT, "--steps", "3", "-o", "talk.safetensors", "--quiet").code == 0
    small = ("--set=model.width=8", "--set=task.batch_size=2", "--threads=1", "--steps", "3", "--json")
    for model, folder, kind, own in (
        ("mine", "pictures", "pixelcnn", ("--set=model.layers=2",)),
        ("talk", "talks", "wavenet", ("--set=model.dilations=[1,2]", "--set=model.block=16")),
    ):
        result = run("train", "prior", "-m", f"{model}.safetensors", "--data", folder, *small, *own)
        assert result.code == 0, result.err
        assert 0 < json.loads(result.out)["figures"]["quality_1"]["bits_per_code_integer"] < 8
        info = read_info(f"runs/{kind}/model.safetensors")
        assert info.prior is not None
        assert (info.name, info.prior["kind"]) == (model, kind)


def test_a_codec_that_is_trained_on_loses_its_prior(run: Run, data: Path) -> None:
    assert run(*IMAGES, "--steps", "3", "-o", "mine.safetensors", "--quiet").code == 0
    small = ("--set=model.width=8", "--set=model.layers=2", "--set=task.batch_size=2", "--threads=1", "--quiet")
    prior = ("train", "prior", "-m", "mine.safetensors", "--data", "pictures", *small)
    assert run(*prior, "--steps", "1", "-o", "both.safetensors").code == 0
    more = run(*IMAGES, "--start-from", "both.safetensors", "--steps", "1", "--run-dir", "more", "--quiet")
    assert more.code == 0, more.err
    assert read_info("both.safetensors").prior is not None
    assert read_info("more/model.safetensors").prior is None


def two_machines(data: Path, *arguments: str) -> list[str]:
    """Run a command as two processes in folders of their own, as on machines without a common disk; their messages."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(one.getsockname()[1]), "WORLD_SIZE": "2"}
    shared |= {"PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "1"}
    processes = []
    for rank in range(2):
        (machine := data / f"machine-{rank}").mkdir(exist_ok=True)
        own = os.environ | shared | {"RANK": str(rank), "XDG_CACHE_HOME": str(machine / "cache")}
        command = [sys.executable, "-m", "vqc", *arguments, "--device", "cpu"]
        processes.append(subprocess.Popen(command, cwd=machine, env=own, stderr=subprocess.PIPE, text=True))
    try:
        said = [process.communicate(timeout=120)[1] for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [0, 0], "\n".join(said)
    return said


def test_two_machines_go_on_with_a_run_whose_folder_only_the_first_has(run: Run, data: Path) -> None:
    assert run(*IMAGES, "--steps", "3", "--run-dir", "machine-0/r", "--quiet").code == 0
    said = two_machines(data, "train", "image", "--resume", "--run-dir", "r", "--steps", "5")
    assert "step 5 " in said[0]
    assert said[1] == "", "one process speaks for all"
    assert read_info(data / "machine-0/r/model.safetensors").training["steps"] == 5
    assert not (data / "machine-1/r").exists()


def test_two_processes_train_the_prior_that_one_would(run: Run, codec: Path, data: Path) -> None:
    settings = ("--set=task.codes_per_step=64", "--set=loop.validate_steps=1000", "--set=loop.learning_rate=0.01")
    command = ("train", "prior", "-m", str(codec), "--data", str(data / "pictures"), *PRIOR, *settings, "--steps", "12")
    assert run(*command, "--run-dir", "one", "--quiet").code == 0
    two_machines(data, *command, "--run-dir", "r")
    one, two = (load_file(folder / "best.safetensors") for folder in (data / "one", data / "machine-0/r"))
    assert one.keys() == two.keys()
    for name, tensor in one.items():
        torch.testing.assert_close(two[name], tensor, rtol=1e-2, atol=1e-3, msg=name)
    assert read_info(data / "machine-0/r/model.safetensors").prior is not None


def test_torchrun_passes_every_option_on(run: Run, data: Path) -> None:
    """An abbreviation of several of its own options stops torchrun, even behind the name of the program."""
    from torch.distributed.run import get_args_parser

    options = set(re.findall(r"--[a-z-]+", run("train", "image", "--help").out))
    assert "--run-dir" in options
    for option in options:
        parsed = get_args_parser().parse_args(["--nproc-per-node", "2", "-m", "vqc", "train", "image", option, "x"])
        assert parsed.training_script_args[-2:] == [option, "x"]
