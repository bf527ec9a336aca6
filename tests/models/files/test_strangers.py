"""Model files of strangers: whatever they hold, one CheckpointError that names it, before anything large is made."""

from __future__ import annotations

import json
import sys
import time
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vqc.errors import CheckpointError
from vqc.models.files.checkpoint import load_checkpoint, read_info

sys.path.insert(0, str(Path(__file__).parents[3] / "scripts"))
from fuzz_tools import GOLDEN, Model, read_model, write_model


@pytest.fixture
def model() -> Model:
    return read_model(GOLDEN / "image.safetensors")


def refused(path: Path, data: bytes, message: str) -> None:
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(path)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "stranger.safetensors"


def test_a_model_that_is_taken_apart_and_put_together_is_the_same(model: Model, path: Path) -> None:
    path.write_bytes(write_model(model))
    assert load_checkpoint(path).info.digest == read_info(GOLDEN / "image.safetensors").digest


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("name", None, "the name is None"),
        ("name", "\x1b[31mred\x1b]0;title\x07", r"the name is '\\x1b\[31mred"),
        ("name", "../../etc/passwd", "the name is"),
        ("name", "a" * 5000, "the name is"),
        ("media", "smell", "the media is 'smell'"),
        ("media", "audio", "another medium"),
        ("qualities", 0, "the qualities is 0"),
        ("qualities", 2.0, "the qualities is 2.0"),
        ("qualities", 2, "other qualities"),
        ("default_quality", 2, "default_quality is 2 of 1"),
        ("parameters", "many", "the parameters is 'many'"),
        ("training", [], "the training is"),
        ("figures", {"mse": float("nan")}, "cannot be right"),
        ("figures", {"mse": 1e999}, "cannot be right"),
        ("figures", {"note": "\x1b[2J"}, "the figures is"),
        ("history", {"loss": [[1, "x"]]}, "the history is"),
        ("prior", {}, "update vqc"),
        ("prior", "gated", "its prior is 'gated'"),
        ("sharp", {"parameters": -1}, "the parameters of its sharp is -1"),
        ("likelihood", {"config": 5}, "the config of its likelihood is 5"),
        ("kind", "hologram", "'hologram'"),
        ("kind", 5, "the kind is 5"),
        ("colour", 5, "update vqc"),
    ],
)
def test_every_field_of_the_description_is_checked(
    model: Model, path: Path, field: str, value: Any, message: str
) -> None:
    model.info[field] = value
    refused(path, write_model(model), message)


def test_a_small_file_cannot_ask_for_gigabytes(model: Model, path: Path) -> None:
    """`codebook_size` 300,000,000 took 5 GB; the others are within their limits, but far beyond the file."""
    wide = {"widths": [4096] * 8, "strides": [2] * 8}
    for config in ({"codebook_size": 300_000_000}, {"codebook_size": 65_536, "codebook_dim": 4096}, wide):
        changed = Model(model.info | {"config": model.info["config"] | config}, model.tensors)
        begin = time.process_time()
        tracemalloc.start()
        refused(path, write_model(changed), "cannot be used")
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
        tracemalloc.stop()
        assert time.process_time() - begin < 2


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_weights_that_are_not_finite_are_refused(model: Model, path: Path, value: float) -> None:
    tensor = model.tensors["decoder.mix.weight"]
    values = np.frombuffer(tensor.data, "<f2").copy()
    values[3] = value
    model.tensors["decoder.mix.weight"] = tensor._replace(data=values.tobytes())
    refused(path, write_model(model), "'decoder.mix.weight' .* not finite")


def test_weights_that_are_not_finite_as_float32_are_refused(model: Model, path: Path) -> None:
    tensor = model.tensors["decoder.mix.bias"]
    values = np.frombuffer(tensor.data, "<f2").astype("<f8")
    values[0] = 1e300
    model.tensors["decoder.mix.bias"] = tensor._replace(dtype="F64", data=values.tobytes())
    refused(path, write_model(model), "'decoder.mix.bias' .* not finite")


@pytest.mark.parametrize("change", [{0: 0}, {0: -5}, {0: 10**9}, {}])
def test_static_tables_that_do_not_sum_are_refused(model: Model, path: Path, change: dict[int, int]) -> None:
    tensor = model.tensors["static_table"]
    values = np.frombuffer(tensor.data, "<i4").copy()
    for place, value in change.items():
        values[place] = value
    if not change:
        values[:] = 0
    model.tensors["static_table"] = tensor._replace(data=values.tobytes())
    refused(path, write_model(model), "static table of quality 1, group 0 is not a frequency table of 24")


def test_a_key_that_comes_twice_is_refused(model: Model, path: Path) -> None:
    """Of two metadata blocks one reader takes the first, another the last."""
    data = write_model(model)
    length = int.from_bytes(data[:8], "little")
    header = b'{"__metadata__":{"format":"pt"},' + data[9 : 8 + length]
    refused(path, len(header).to_bytes(8, "little") + header + data[8 + length :], "not a model of vqc")
    info = json.dumps(model.info)
    refused(path, write_model(model, info=f'{{"name":"other",{info[1:]}'), "a key comes twice")


def test_a_digest_that_is_none_is_refused(model: Model, path: Path) -> None:
    for digest in ("", "zz" * 32, "0" * 63, "0" * 64 + "\n"):
        refused(path, write_model(model, digest=digest), "the digest is")


def test_deep_nesting_is_refused(model: Model, path: Path) -> None:
    deep = "[" * 100_000 + "]" * 100_000
    info = json.dumps(model.info)
    refused(path, write_model(model, info=f'{{"history":{deep},{info[1:]}'), "cannot be right")
