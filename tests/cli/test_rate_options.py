"""Files of a size, of a quality between two, and of more effort, as `vqc compress` makes them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from vqc.cli.rate_options import bytes_of
from vqc.errors import OptionError

if TYPE_CHECKING:
    from tests.cli.conftest import Run

PHOTO, SPEECH = ("-m", "tiny-photo"), ("-m", "tiny-speech")


@pytest.mark.parametrize(
    ("text", "size"),
    [("20kB", 20_000), ("1.5MB", 1_500_000), ("9000", 9000), ("4 KiB", 4096), ("2k", 2000), ("1 GB", 10**9), ("7B", 7)],
)
def test_sizes_are_written_in_many_ways(text: str, size: int) -> None:
    assert bytes_of(text) == size


@pytest.mark.parametrize("text", ["", "kB", "-5", "1e3", "20 kb/s", "0", "0.2"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(OptionError, match="--target-size"):
        bytes_of(text)


def test_a_file_of_a_size(run: Run, desk: Path, models_with_priors: Path) -> None:
    usual = json.loads(run("compress", "photo.png", *PHOTO, "--effort", "1", "--json").out)[0]["bytes_out"]
    result = run("compress", "photo.png", *PHOTO, "--target-size", f"{usual + 1}", "-f")
    assert (result.code, result.err) == (0, "")
    assert Path("photo.vqc").stat().st_size <= usual + 1
    assert run("decompress", "photo.vqc", "-f").code == 0
    small = run("compress", "photo.png", *PHOTO, "--target-size", "20", "-f")
    assert small.code == 1
    assert "a target of 20 bytes cannot be met: the smallest file takes" in small.err
    assert Path("photo.vqc").stat().st_size > 20


def test_targets_fit_their_medium(run: Run, desk: Path, models_with_priors: Path) -> None:
    assert run("compress", "photo.png", *PHOTO, "--target-bpp", "9").code == 0
    assert run("compress", "clip.wav", *SPEECH, "--target-kbps", "90").code == 0
    assert "kbps is for audio" in run("compress", "photo.png", *PHOTO, "--target-kbps", "90", "-f").err
    assert "bpp is for images" in run("compress", "clip.wav", *SPEECH, "--target-bpp", "9", "-f").err
    both = run("compress", "photo.png", *PHOTO, "--target-bpp", "9", "--target-size", "1kB", "-f")
    assert (both.code, both.err) == (2, "vqc: --target-bpp 9 and --target-size 1kB exclude each other; give one\n")
    assert run("compress", "photo.png", *PHOTO, "--target-bpp", "0", "-f").code == 2


def test_a_quality_between_two(run: Run, desk: Path, models_with_priors: Path) -> None:
    assert run("compress", "photo.png", *PHOTO, "-q", "1.5").code == 0
    assert run("verify", "photo.vqc").code == 0
    beyond = run("compress", "photo.png", *PHOTO, "-q", "3.5", "-f")
    assert (beyond.code, "the qualities of the model tiny-photo are 1 to 3" in beyond.err) == (2, True)


def test_what_a_bit_is_worth(run: Run, desk: Path, models_with_priors: Path) -> None:
    sizes = []
    for worth in ("4000", "1200", "400"):  # the qualities 1, between them, and 2
        assert run("compress", "photo.png", *PHOTO, "--lambda", worth, "-f").code == 0
        sizes.append(Path("photo.vqc").stat().st_size)
    assert sizes == sorted(sizes)
    assert run("compress", "photo.png", *PHOTO, "-q", "2", "-o", "two.vqc").code == 0
    assert Path("two.vqc").read_bytes() == Path("photo.vqc").read_bytes()
    beyond = run("compress", "photo.png", *PHOTO, "--lambda", "5000", "-f")
    assert (beyond.code, "lambda 5000: the model tiny-photo has 100 to 4000" in beyond.err) == (2, True)
    both = run("compress", "photo.png", *PHOTO, "--lambda", "400", "-q", "2", "-f")
    assert (both.code, both.err) == (2, "vqc: -q 2 and --lambda 400 exclude each other; give one\n")
    target = run("compress", "photo.png", *PHOTO, "--lambda", "400", "--target-bpp", "1", "-f")
    assert (target.code, "exclude each other" in target.err) == (2, True)
    sound = run("compress", "clip.wav", *SPEECH, "--lambda", "400", "-f")
    assert (sound.code, "does not weigh bits against error" in sound.err) == (2, True)


def test_more_effort_is_for_the_encoder_alone(run: Run, desk: Path, models_with_priors: Path) -> None:
    for effort in ("0", "1", "3"):
        assert run("compress", "photo.png", *PHOTO, "--effort", effort, "-f", "--stats").code == 0
        assert run("decompress", "photo.vqc", "-f").code == 0
    assert run("compress", "photo.png", *PHOTO, "--effort", "10", "-f").code == 2


def test_a_file_of_a_score(run: Run, desk: Path, models_with_priors: Path) -> None:
    stats = json.loads(run("compress", "photo.png", *PHOTO, "-q", "2", "--stats", "--json").out)[0]
    wanted = stats["psnr"] - 0.1
    (reached,) = json.loads(run("compress", "photo.png", *PHOTO, "--target-psnr", f"{wanted}", "-f", "--json").out)
    assert reached["psnr"] >= wanted
    assert reached["bytes_out"] <= stats["bytes_out"] + 10
    line = run("compress", "photo.png", *PHOTO, "--target-psnr", f"{wanted}", "-f")
    assert (line.code, line.err) == (0, "")
    assert f"  PSNR {reached['psnr']:.2f} dB\n" in line.out
    Path("again.png").write_bytes(Path("photo.png").read_bytes())
    header, _, *rows = run(
        "compress", "photo.png", "again.png", *PHOTO, "--target-psnr", f"{wanted}", "-f"
    ).out.splitlines()
    assert header.split()[-1] == "PSNR"
    assert rows[0].endswith(f"{reached['psnr']:.2f} dB")


def test_a_score_out_of_reach_leaves_nothing(run: Run, desk: Path, models_with_priors: Path) -> None:
    result = run("compress", "photo.png", *PHOTO, "--target-psnr", "90")
    assert result.code == 1
    assert result.err.startswith("vqc: photo.png: PSNR 90 dB is out of reach: the best that the model tiny-photo comes")
    assert result.err.count("\n") == 1
    assert not Path("photo.vqc").exists()
    (told,) = json.loads(run("compress", "photo.png", *PHOTO, "--target-psnr", "90", "--json").out)
    assert "out of reach" in told["error"]


@pytest.mark.parametrize(
    ("option", "said"),
    [
        (("--target-psnr", "-3"), "--target-psnr -3: give a number above 0"),
        (("--target-msssim", "1.2"), "MS-SSIM of 1.2 cannot be met; the scale ends at 1"),
        (("--target-pesq", "nan"), "--target-pesq nan: give a number above 0"),
        (("--target-psnr", "30", "-q", "2"), "-q 2 and --target-psnr 30 exclude each other"),
        (("--target-psnr", "30", "--archive", "set.vqca"), "--archive and a target exclude each other"),
    ],
)
def test_targets_that_make_no_sense(run: Run, desk: Path, option: tuple[str, ...], said: str) -> None:
    result = run("compress", "photo.png", *option)
    assert (result.code, said in result.err) == (2, True)
