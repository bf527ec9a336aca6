"""Archives as data sets of PyTorch, with workers and without."""

from __future__ import annotations

import os
import shutil
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from archive.conftest import archive, save_pictures
from forked import FORKS, take_environment
from golden.cases import FOLDER
from torch.utils.data import DataLoader

from vqc.archive.reader import open_archive
from vqc.errors import OptionError
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
@pytest.mark.parametrize(("context", "workers"), [("fork", 2), ("forkserver", 1)])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_workers_read_what_this_process_reads(two: list[Path], context: str, workers: int) -> None:
    user_models().mkdir(parents=True)  # where processes find it that know of no other folder
    shutil.copy(FOLDER / "image.safetensors", user_models())
    data = CodesDataset(two)
    here = list(DataLoader(data, batch_size=4))
    how = {"multiprocessing_context": FORKS if context == "forkserver" else context, "num_workers": workers}
    there = list(DataLoader(data, batch_size=4, worker_init_fn=partial(take_environment, dict(os.environ)), **how))
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
