"""`vqc eval`: what is printed, written and refused."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from processes import stay_in_this_process
from typer.testing import CliRunner

from vqc.cli.app import app
from vqc.errors import OptionError, OutputError

runner = CliRunner()


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    Image.fromarray(np.random.default_rng(3).integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(path)
    return path


def run(*arguments: str | Path) -> str:
    result = runner.invoke(app, ["eval", *map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_numbers_for_programs_and_a_line_for_every_file(photo: Path, tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    found = json.loads(run("-m", "cifar10", "--data", photo, "--json", "--csv", table))
    assert found["model"] == "cifar10"
    assert found["qualities"][0]["rate_bpd"] > found["qualities"][0]["ideal_bpd"]
    with table.open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    assert [row["file"] for row in rows] == ["photo.png"]


def test_other_machines_measure_the_same(photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = ("-m", "cifar10", "--data", photo.parent, "--json", "--metrics", "psnr")
    photo.with_name("other.png").write_bytes(photo.read_bytes())
    alone = json.loads(run(*asked, "--jobs", "1"))  # here: processes may have another number of threads
    stay_in_this_process(monkeypatch)
    together = json.loads(run(*asked, "--ray", "--jobs", "2"))
    for found in (alone, together):
        for quality in found["qualities"]:
            quality.pop("seconds", None)
    assert together == alone


def test_other_codecs_stand_in_the_same_table(photo: Path) -> None:
    assert "PNG" in run("-m", "cifar10", "--data", photo, "--against", "png")


def test_a_report_is_one_page(photo: Path, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    run("-m", "cifar10", "--data", photo, "--report", page)
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")


@pytest.mark.parametrize("quiet", [False, True])
def test_what_is_odd_of_a_file_is_said_once_and_not_with_quiet(photo: Path, *, quiet: bool) -> None:
    odd = photo.with_suffix(".jpg")
    with Image.open(photo) as image:
        image.save(odd)
    odd.write_bytes(odd.read_bytes()[:-2])
    arguments = ["eval", "-m", "cifar10", "--data", str(odd), *["--quiet"] * quiet]
    result = runner.invoke(app, arguments, catch_exceptions=False)
    assert result.stderr.count("its end is cut off") == (not quiet)
    assert not (quiet and result.stderr)


def test_every_number_is_explained() -> None:
    text = run("--explain")
    assert all(name in text for name in ("rate_bpd", "ideal_bpd", "total_bpd", "0.8092", "PESQ-WB"))


def test_what_is_there_is_not_replaced_unasked(photo: Path, tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text("mine", encoding="utf-8")
    with pytest.raises(OutputError, match="exists already"):
        run("-m", "cifar10", "--data", photo, "--csv", table)
    assert table.read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize("quality", ["0", "2", "1,x", ""])
def test_qualities_that_a_model_lacks_are_refused(photo: Path, quality: str) -> None:
    with pytest.raises(OptionError, match="-q"):
        run("-m", "cifar10", "--data", photo, "-q", quality)


def test_a_split_is_one_of_data() -> None:
    with pytest.raises(OptionError, match="--data"):
        run("--split", "test")
