"""`vqc train` from folder to codec, on tiny data."""

from __future__ import annotations

import json
import re
import shutil
import signal
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import soundfile
import torch
from forked import Program, command
from PIL import Image
from safetensors.torch import load_file

from vqc.models.files.header import read_info

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
    again = run("train", "plot", "r")
    assert (again.code, again.out) == (1, "")
    assert "losses.png: this file exists already; use --force to replace it" in again.err
    assert run("train", "plot", "r", "--force").code == 0
    assert run("compress", "talks/1.wav", "-m", "talk.safetensors", "-o", "t.vqc").code == 0
    assert run("decompress", "t.vqc").code == 1, "nobody has added the model"
    assert run("models", "add", "talk.safetensors").code == 0
    assert run("decompress", "t.vqc").code == 0
    assert soundfile.info("t.restored.wav").frames == 4000


def test_ctrl_c_saves_and_resume_writes_the_model_of_an_uninterrupted_run(run: Run, data: Path) -> None:
    steps = (*IMAGES, "--set=loop.validate_steps=1000", "--steps", "30")
    assert run(*steps, "--run-dir", "whole", "--quiet").code == 0
    process = Program(command, *steps, "--run-dir", "parts", folder=data)
    err = ""
    for line in process.stderr:  # one for each step
        err += line.decode()
        if line.startswith(b"step 3 "):
            process.send_signal(signal.SIGINT)
    assert process.ended()[0] == 130, err
    assert "go on with: vqc train image --resume --run-dir parts" in err
    assert "Traceback" not in err
    assert 3 <= json.loads(Path("parts/state.json").read_text())["step"] < 30
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
    assert "starting values before, which count; tables and figures after, whose time comes on top" in words.out


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
        ((*IMAGES, "-o", "no/model.safetensors"), 1, "does not exist"),
        ((*IMAGES, "--set=task.mel=1"), 2, "compares sounds"),
        (("train", "image", "--resume"), 2, "needs --run-dir"),
        (("train", "image", "--resume", "--run-dir", "x", "--preset", "images"), 2, "leave out --preset\n"),
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


def test_that_there_will_be_no_figures_is_said_before_the_training(
    run: Run, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    trained = run(*IMAGES, "--steps", "1", "--run-dir", "my run")
    assert trained.code == 0, trained.err
    assert "vqc models add 'my run/model.safetensors'\n" in trained.out, "as a shell takes it"
    said = trained.err.index("the run will be without figures: figures need matplotlib, which is not installed")
    assert said < trained.err.index("placing the starting values") < trained.err.index("step 1 ")


PRIOR = (
    "--set=model.slices=[[1,2],[3,1]]",
    "--set=model.spatial_passes=[]",
    "--set=model.channel_steps=[1,2,2,1]",
    "--set=task.piece=0",
    "--set=task.qualities=[1]",
    "--set=model.width=8",
    "--set=model.head_width=6",
    "--set=model.neighbour_width=4",
    "--set=model.dc_width=8",
    "--set=task.batch_size=2",
    "--set=loop.log_every=1",
    "--threads=1",
)
PHOTOS = ("train", "prior", "-m", "codec.safetensors", "--data", "pictures", *PRIOR)


@pytest.fixture
def codec(data: Path, photo_codec: Path) -> Path:
    return photo_codec


def test_a_dry_run_of_a_prior_leaves_nothing(run: Run, codec: Path) -> None:
    result = run(*PHOTOS, "--dry-run", "--json")
    assert result.code == 0, result.err
    plan = json.loads(result.out)
    assert plan["settings"]["kind"] == "photo-prior"
    assert plan["parameters"] > 100
    assert not Path("runs").exists()


def two_machines(data: Path, *arguments: str) -> list[str]:
    """Run a command as two processes in folders of their own, as on machines without a common disk; their messages."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(one.getsockname()[1]), "WORLD_SIZE": "2"}
    processes = []
    for rank in range(2):
        (machine := data / f"machine-{rank}").mkdir(exist_ok=True)
        own = shared | {"RANK": str(rank), "XDG_CACHE_HOME": str(machine / "cache")}
        processes.append(Program(command, *arguments, "--device", "cpu", folder=machine, environment=own))
    ended = [process.ended() for process in processes]
    said = [err.decode() for _, _, err in ended]
    assert [code for code, _, _ in ended] == [0, 0], "\n".join(said)
    return said


def test_two_machines_go_on_as_one_would_with_a_run_whose_folder_only_the_first_has(
    run: Run, codec: Path, data: Path
) -> None:
    settings = ("--set=task.codes_per_step=64", "--set=loop.validate_steps=1000", "--set=loop.learning_rate=0.01")
    begin = ("train", "prior", "-m", str(codec), "--data", str(data / "pictures"), *PRIOR, *settings)
    one, first = data / "one", data / "machine-0/r"
    assert run(*begin, "--steps", "2", "--run-dir", first, "--quiet").code == 0
    shutil.copytree(first, one)
    go_on = ("train", "prior", "--resume", "--steps", "5", "--run-dir")
    assert run(*go_on, one, "--quiet").code == 0
    said = two_machines(data, *go_on, "r")
    assert "step 5 " in said[0]
    assert said[1] == "", "one process speaks for all"
    assert not (data / "machine-1/r").exists()
    alone, together = (load_file(folder / "best.safetensors") for folder in (one, first))
    assert alone.keys() == together.keys()
    for name, tensor in alone.items():
        torch.testing.assert_close(together[name], tensor, rtol=1e-2, atol=1e-3, msg=name)
    info = read_info(first / "model.safetensors")
    assert info.prior is not None
    assert info.prior["training"]["steps"] == 5


def test_torchrun_passes_every_option_on(run: Run, data: Path) -> None:
    """An abbreviation of several of its own options stops torchrun, even behind the name of the program."""
    from torch.distributed.run import get_args_parser

    options = set(re.findall(r"--[a-z-]+", run("train", "image", "--help").out))
    assert "--run-dir" in options
    for option in options:
        parsed = get_args_parser().parse_args(["--nproc-per-node", "2", "-m", "vqc", "train", "image", option, "x"])
        assert parsed.training_script_args[-2:] == [option, "x"]
