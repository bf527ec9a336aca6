"""Golden bytes: today's code writes the bytes it once wrote for the same codes, and reads what it once wrote.

When a test here fails, files of users have become unreadable, or their names for models have changed.
"""

from __future__ import annotations

import numpy as np
import pytest
from golden.cases import (
    ARCHIVES,
    AVIF,
    CASES,
    FOLDER,
    LOSSLESS,
    archive_of,
    codec_of,
    compress,
    decompress,
    draw_graphic,
    read_codes,
)

from vqc.archive.reader import Archive
from vqc.codec.plain import restore_plain
from vqc.format.container import read_container
from vqc.models.kinds import KINDS, kind_numbered

each_case = pytest.mark.parametrize("name", CASES)
each_file = pytest.mark.parametrize(("name", "entropy"), [(n, e) for n, case in CASES.items() for e in case.entropies])


def golden(name: str, entropy: str) -> tuple[np.lib.npyio.NpzFile, bytes]:
    arrays = np.load(FOLDER / f"{name}.npz", allow_pickle=False)
    return arrays, FOLDER.joinpath(f"{name}.{entropy}.vqc").read_bytes()


@each_file
def test_the_same_codes_are_written_as_the_same_bytes(name: str, entropy: str) -> None:
    arrays, data = golden(name, entropy)
    codec = codec_of(CASES[name].model)
    assert compress(codec, CASES[name], arrays["source"], arrays["codes"], entropy) == data


@each_file
def test_an_old_file_is_read_as_the_same_codes(name: str, entropy: str) -> None:
    arrays, data = golden(name, entropy)
    assert np.array_equal(read_codes(codec_of(CASES[name].model), data), arrays["codes"])


@each_case
def test_an_old_file_is_restored_as_before(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Up to what float arithmetic differs by between machines."""
    monkeypatch.setenv("VQC_BFLOAT16", "0")  # as it was when they were written
    arrays, data = golden(name, CASES[name].entropies[-1])
    restored, before = decompress(codec_of(CASES[name].model), data), arrays["restored"]
    assert restored.shape == before.shape
    if restored.dtype == np.uint8:
        assert np.abs(restored.astype(int) - before).max() <= 1
        assert not CASES[name].alpha or np.array_equal(restored[..., -1], before[..., -1])
    else:
        assert np.abs(restored * 32767 - before).max() <= 33  # a thousandth


@pytest.mark.parametrize("name", ARCHIVES)
def test_an_archive_is_written_as_before_and_read_as_its_files(name: str) -> None:
    data, members = FOLDER.joinpath(f"{name}.vqca").read_bytes(), ARCHIVES[name]
    assert archive_of(members) == data
    opened = Archive(FOLDER / f"{name}.vqca")
    assert not opened.problem
    assert [item.to_vqc() for item in opened] == [FOLDER.joinpath(f"{one}.vqc").read_bytes() for one in members]


@pytest.mark.parametrize("name", LOSSLESS)
def test_a_picture_without_loss_is_read_as_it_was(name: str) -> None:
    """Its bytes are libwebp's, which may write others one day."""
    data, drawn = FOLDER.joinpath(f"{name}.none.vqc").read_bytes(), draw_graphic(*LOSSLESS[name])
    restored = restore_plain(read_container(data), len(data))
    assert np.array_equal(restored.pixels, drawn.pixels)
    assert (restored.alpha is None) == (drawn.alpha is None)
    assert drawn.alpha is None or np.array_equal(restored.alpha, drawn.alpha)


@pytest.mark.parametrize("name", AVIF)
def test_an_avif_picture_is_read_as_it_was(name: str) -> None:
    """Its planes are sure to the bit; what makes RGB of them may be off by a level."""
    data, drawn = FOLDER.joinpath(f"{name}.none.vqc").read_bytes(), draw_graphic(*AVIF[name])
    restored = restore_plain(read_container(data), len(data))
    assert restored.pixels.shape == drawn.pixels.shape
    assert np.abs(restored.pixels.astype(int) - drawn.pixels).max() <= 40
    assert np.square(restored.pixels.astype(float) - drawn.pixels).mean() < 20
    assert (restored.alpha is None) == (drawn.alpha is None)
    assert drawn.alpha is None or np.array_equal(restored.alpha, drawn.alpha)


def test_the_files_are_of_every_sort() -> None:
    headers = [read_container(path.read_bytes()).header for path in FOLDER.glob("*.vqc")]
    headers = [header for header in headers if not header.is_plain]
    assert len(headers) == sum(len(case.entropies) for case in CASES.values())
    assert {kind_numbered(header.codec).name for header in headers} == set(KINDS)
    shapes = [vars(header.shape) for header in headers]
    for flag in ("grayscale", "alpha", "mid_side"):
        assert any(shape.get(flag) for shape in shapes), flag
