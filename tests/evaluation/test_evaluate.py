"""A model measured on files: rates are those of the files, bits those of the prior, and whatever is summed adds up."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from processes import stay_in_this_process

import vqc
from vqc.data.benchmarks import open_benchmark, thumbnails
from vqc.errors import OptionError
from vqc.evaluation.code_statistics import CodeStatistics, code_bits
from vqc.evaluation.evaluate import EvaluationOptions, evaluate
from vqc.evaluation.measure import MeasureOptions
from vqc.evaluation.samples import sample_set
from vqc.models.files.zoo import find_by_name, load_model

PLAN = MeasureOptions(media="image", model="cifar10", qualities=(1,), entropy="auto", metrics=("mse", "psnr"))


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    generator = np.random.default_rng(3)
    for name in ("a.png", "b.png", "c.png"):
        Image.fromarray(generator.integers(0, 256, (32, 48, 3), dtype=np.uint8)).save(tmp_path / name)
    return tmp_path


def test_rates_are_those_of_whole_files(photos: Path) -> None:
    result = evaluate(EvaluationOptions(plan=PLAN, data=open_benchmark(str(photos), "image")))
    files = [
        vqc.compress(np.asarray(Image.open(photos / name)), model="cifar10") for name in ("a.png", "b.png", "c.png")
    ]
    assert [file.bytes for file in result.files] == [len(data) for data in files]
    (quality,) = result.qualities
    assert quality.rate_bpd == pytest.approx(8 * sum(map(len, files)) / (3 * 32 * 48 * 3))
    assert result.curves[0].points[0].rate == pytest.approx(3 * quality.rate_bpd)
    assert quality.ideal_bpd < quality.rate_bpd
    assert quality.total_bpd is not None
    assert quality.total_bpd > quality.ideal_bpd


def test_what_is_not_written_counts_for_everything_but_rates(photos: Path) -> None:
    data = open_benchmark(str(photos), "image")
    whole = evaluate(EvaluationOptions(plan=PLAN, data=data))
    some = evaluate(EvaluationOptions(plan=PLAN, data=data, files=1))
    assert [bool(file.bytes) for file in some.files] == [True, False, False]
    assert some.qualities[0].ideal_bpd == pytest.approx(whole.qualities[0].ideal_bpd)
    assert some.qualities[0].total_bpd == pytest.approx(whole.qualities[0].total_bpd or 0)
    assert some.qualities[0].files == 1


def test_files_that_cannot_be_read_are_left_out_by_name(photos: Path) -> None:
    (photos / "d.png").write_bytes(b"no image")
    result = evaluate(EvaluationOptions(plan=PLAN, data=open_benchmark(str(photos), "image")))
    assert len(result.files) == 3
    assert any("d.png" in note for note in result.notes)


def test_processes_change_nothing_and_what_is_odd_of_a_file_is_a_note(
    photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stay_in_this_process(monkeypatch)
    with Image.open(photos / "c.png") as image:
        image.save(photos / "d.jpg")
    (photos / "d.jpg").write_bytes((photos / "d.jpg").read_bytes()[:-2])
    plan, data = replace(PLAN, against=("jpeg",), entropy="static"), open_benchmark(str(photos), "image")
    alone, together = (evaluate(EvaluationOptions(plan=plan, data=data, workers=jobs)) for jobs in (1, 2))
    assert alone.files == together.files
    assert alone.notes == together.notes
    assert any("d.jpg: its end is cut off" in note for note in together.notes)


def test_bits_of_codes_are_the_coder_s() -> None:
    """The information content is what the range coder writes but for some bytes."""
    model = load_model("cifar10").model
    codes = np.random.default_rng(1).integers(0, 512, (1, 1, 8, 8))
    from vqc.codec.prior_coding import encode_with_prior

    assert model.prior is not None
    written = 8 * len(encode_with_prior(model.prior, codes.astype(np.uint16), 1))
    sums = CodeStatistics.of(model, [codes], 1)
    assert sums.bits.sum() == pytest.approx(code_bits(model, codes, 1).sum())
    assert 0 <= written - sums.bits.sum() < 8 * 6
    assert sums.counts.sum() == 64


def test_bits_of_known_codes_are_those_of_codes_followed_one_by_one() -> None:
    model = load_model("cifar10-maps").model
    sizes = model.codebook_sizes(1)
    codes = np.stack([np.random.default_rng(g).integers(0, size, (3, 4)) for g, size in enumerate(sizes)])[None]
    known = torch.from_numpy(codes)
    assert model.prior is not None
    one_by_one = {int(i): row for part in model.prior.coding_steps(known, 1) for i, row in zip(*part, strict=True)}
    at_once = {int(i): row for part in model.prior.counting_steps(known, 1) for i, row in zip(*part, strict=True)}
    assert sorted(one_by_one) == sorted(at_once) == list(range(codes.size))
    assert all(torch.equal(row, at_once[i]) for i, row in one_by_one.items())


def test_samples_fit_their_models() -> None:
    assert {item.image().shape for item in sample_set(find_by_name("cifar10")).items} == {(32, 32, 3)}
    assert sample_set(find_by_name("speech")).media == "audio"


def test_thumbnails_are_three_squares_of_each(photos: Path) -> None:
    items = thumbnails(open_benchmark(str(photos), "image").items, 16)
    assert len(items) == 9
    assert items[0].image().shape == (16, 16, 3)


@pytest.mark.parametrize("name", ["nowhere", "LibriSpeech"])
def test_data_that_is_not_there_or_not_for_the_model(name: str) -> None:
    with pytest.raises(OptionError):
        open_benchmark(name, "image")


def test_only_listed_files_are_taken(photos: Path) -> None:
    listed = photos / "list.txt"
    listed.write_text("c.png\na.png\n", encoding="utf-8")
    assert [item.name for item in open_benchmark(str(photos), "image", listed=listed).items] == ["c.png", "a.png"]
    listed.write_text("e.png\n", encoding="utf-8")
    with pytest.raises(OptionError, match=r"e\.png"):
        open_benchmark(str(photos), "image", listed=listed)
