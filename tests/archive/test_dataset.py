"""Archives as data sets of PyTorch, with workers and without, and as files of other programs."""

from __future__ import annotations

import io
import json
import shutil
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from archive.conftest import archive, save_pictures
from golden.cases import FOLDER
from torch.utils.data import DataLoader

from vqc.archive.export import export_codes
from vqc.archive.reader import open_archive
from vqc.errors import MissingPackageError, OptionError
from vqc.torch import CodesDataset
from vqc.user_folders import user_models

NAMES = [f"{label}/{n}.png" for label in ("cat", "dog") for n in range(4)]


@pytest.fixture
def two(tmp_path: Path) -> list[Path]:
    archive(tmp_path / "a.vqca", save_pictures(tmp_path, NAMES))
    archive(tmp_path / "b.vqca", save_pictures(tmp_path, ["dog/9.png", "cat/9.png", "bird/1.png"], seed=1))
    return [tmp_path / "a.vqca", tmp_path / "b.vqca"]


def test_items_of_several_archives_one_after_the_other(two: list[Path]) -> None:
    data = CodesDataset(two)
    assert len(data) == 11
    assert data.labels == ["bird", "cat", "dog"]
    assert [item.name for item in data.__getitems__([10, 0, 8])] == ["bird/1.png", "cat/0.png", "dog/9.png"]
    assert [data[n].label for n in (0, 4, 10)] == [1, 2, 0]
    codes = data[9].codes
    assert codes.dtype == torch.int64
    assert np.array_equal(codes, open_archive(two[1])[1].codes)
    assert int(codes.max()) < data.codebook_sizes[0]
    image = CodesDataset(two, decode=True)[3].codes
    assert (image.dtype, tuple(image.shape)) == (torch.uint8, (3, 10, 12))


@pytest.mark.skipif(sys.platform == "win32", reason="workers are forked")
@pytest.mark.parametrize("context", ["fork", "spawn"])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_workers_read_what_this_process_reads(two: list[Path], context: str) -> None:
    user_models().mkdir(parents=True)  # where processes find it that know of no other folder
    shutil.copy(FOLDER / "image.safetensors", user_models())
    data = CodesDataset(two)
    here = list(DataLoader(data, batch_size=4))
    there = list(DataLoader(data, batch_size=4, num_workers=2, multiprocessing_context=context))
    assert len(here) == len(there) == 3
    for (codes, labels, names), (others, other_labels, other_names) in zip(here, there, strict=True):
        assert torch.equal(codes, others)
        assert torch.equal(labels, other_labels)
        assert list(names) == list(other_names)


def test_archives_of_two_models_are_refused(two: list[Path], tmp_path: Path) -> None:
    archive(tmp_path / "c.vqca", save_pictures(tmp_path, NAMES), "maps")
    with pytest.raises(OptionError, match="another model or quality"):
        CodesDataset([two[0], tmp_path / "c.vqca"])
    with pytest.raises(OptionError, match="none is given"):
        CodesDataset([])


def test_arrays(two: list[Path], tmp_path: Path) -> None:
    opened = open_archive(two[0])
    export_codes(opened, tmp_path / "a.npz", "npz")
    arrays = np.load(tmp_path / "a.npz", allow_pickle=False)
    assert np.array_equal(arrays["codes"], np.stack(opened.codes(range(8))))
    assert arrays["codes"].dtype == np.uint16
    assert [str(arrays["label_names"][n]) for n in arrays["labels"]] == [item.label for item in opened]
    assert arrays["names"].tolist() == NAMES


def test_arrays_of_several_shapes(tmp_path: Path) -> None:
    sources = save_pictures(tmp_path, ["1.png"]) + save_pictures(tmp_path, ["2.png"], (40, 20))
    archive(tmp_path / "a.vqca", sources)
    opened = open_archive(tmp_path / "a.vqca")
    export_codes(opened, tmp_path / "a.npz", "npz")
    arrays = np.load(tmp_path / "a.npz", allow_pickle=False)
    start = int(np.prod(arrays["shapes"][0]))
    assert np.array_equal(arrays["codes"][start:].reshape(arrays["shapes"][1]), opened[1].codes)


def test_a_tar_of_webdataset(two: list[Path], tmp_path: Path) -> None:
    opened = open_archive(two[0])
    export_codes(opened, tmp_path / "a.tar", "webdataset")
    with tarfile.open(tmp_path / "a.tar") as tar:
        files = {entry.name: tar.extractfile(entry) for entry in tar}
        assert len(files) == 24
        held = {name: file.read() for name, file in files.items() if file is not None}
    assert np.array_equal(np.load(io.BytesIO(held["000005.codes.npy"])), opened[5].codes)
    assert (held["000005.cls"], json.loads(held["000005.json"])["name"]) == (b"1", "dog/1.png")


def test_a_table(two: list[Path], tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    opened = open_archive(two[0])
    export_codes(opened, tmp_path / "a.parquet", "parquet")
    table = parquet.read_table(tmp_path / "a.parquet")
    assert table.column("name").to_pylist() == NAMES
    assert np.array_equal(table.column("codes").to_pylist()[3], opened[3].codes)
    assert json.loads(table.schema.metadata[b"huggingface"])["info"]["features"]["label"]["names"] == ["cat", "dog"]


def test_a_table_without_its_package(two: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingPackageError, match=r"pip install 'vqc-codec\[parquet\]'"):
        export_codes(open_archive(two[0]), tmp_path / "a.parquet", "parquet")
    assert not (tmp_path / "a.parquet").exists()
    with pytest.raises(OptionError, match="choose one of parquet"):
        export_codes(open_archive(two[0]), tmp_path / "a", "zip")
