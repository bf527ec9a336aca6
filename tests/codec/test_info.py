"""What a file says of itself."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

import vqc
from vqc.errors import ContainerError
from vqc.format.container import read_container

pytestmark = pytest.mark.usefixtures("small_models")


def test_a_file_is_described_without_its_codes(tmp_path: Path) -> None:
    pixels = np.dstack([np.random.default_rng(0).integers(0, 256, (9, 13, 3), np.uint8), np.full((9, 13), 7)])
    data = vqc.compress(pixels.astype(np.uint8), model="tiny-image", entropy="static")
    (tmp_path / "a.vqc").write_bytes(data)
    found = vqc.info(data)
    assert found == vqc.info(tmp_path / "a.vqc") == vqc.info(io.BytesIO(data))
    container = read_container(data)
    assert (found.model, found.kind, found.quality, found.entropy) == ("tiny-image", "image-vqvae", 1, "static")
    assert found.shape == container.header.shape
    assert found.media == "image"
    assert (found.bytes, found.code_bytes) == (len(data), len(container.body))
    assert found.alpha_bytes == len(container.alpha or b"") > 0
    assert found.bytes == found.code_bytes + found.alpha_bytes + found.other_bytes
    assert found.rate == 8 * len(data) / (9 * 13)


def test_a_file_whose_model_is_not_here_is_described_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    data = vqc.compress(np.zeros(100, np.float32), sample_rate=8_000, model="tiny-audio")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert vqc.info(data).model is None
    assert vqc.info(data).digest == read_container(data).header.digest.hex()
    with pytest.raises(ContainerError, match="checksum"):
        vqc.info(data[:-1])


def test_models_are_listed_by_name() -> None:
    names = [model.name for model in vqc.list_models()]
    assert {"photo", "speech", "tiny-image", "tiny-audio"} <= set(names)
