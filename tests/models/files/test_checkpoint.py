"""Model files: what is written is read, and anything else is one CheckpointError."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_models import SPEECH

from vqc.errors import CheckpointError, OutputError
from vqc.models.files.checkpoint import load_checkpoint, read_info, save_again, save_checkpoint
from vqc.models.files.header import FORMAT, checksum, digest_of
from vqc.models.files.static_tables import pack, unpack
from vqc.models.files.tensors import StoredTensor
from vqc.models.likelihood import Likelihood, LikelihoodConfig
from vqc.models.speech.model import SpeechModel
from vqc.models.vqvae.image import ImageVQVAE, ImageVQVAEConfig

CONFIG = ImageVQVAEConfig(widths=(2, 3), residual_width=2, residual_layers=1, codebook_size=8, codebook_dim=2)
NAMES = {torch.float32: "F32", torch.float16: "F16", torch.int32: "I32", torch.uint16: "U16"}


@pytest.fixture
def model() -> ImageVQVAE:
    torch.manual_seed(0)
    return ImageVQVAE(CONFIG)


@pytest.fixture
def path(model: ImageVQVAE, tmp_path: Path) -> Path:
    path = tmp_path / "tiny.safetensors"
    save_checkpoint(path, model, name="tiny", training={"steps": 3}, figures={"mse": 0.5})
    return path


def rewrite(path: Path, change: dict[str, torch.Tensor | None]) -> None:
    """Add, replace or drop tensors, with a digest that matches what is then there."""
    tensors = {**load_file(path), **change}
    kept = {name: t for name, t in tensors.items() if t is not None}
    raw = path.read_bytes()
    metadata = json.loads(raw[8 : 8 + int.from_bytes(raw[:8], "little")])["__metadata__"]
    config = json.loads(metadata["info"])["config"]
    stored = (StoredTensor(n, NAMES[t.dtype], tuple(t.shape), t.numpy().tobytes()) for n, t in kept.items())
    metadata["digest"] = digest_of("image-vqvae", config, stored)
    metadata["check"] = checksum(metadata)
    save_file(kept, path, metadata)


def test_a_saved_model_comes_back(model: ImageVQVAE, path: Path) -> None:
    loaded, info = load_checkpoint(path)
    image = torch.rand(1, 3, 16, 16)
    codes = model.eval().encode(image, 1)
    assert torch.equal(loaded.encode(image, 1), codes)
    assert torch.equal(loaded.decode(codes, 1), model.decode(codes, 1))
    assert not loaded.training
    assert (info.name, info.kind, info.media, info.bytes) == ("tiny", "image-vqvae", "image", path.stat().st_size)
    assert (info.training, info.figures) == ({"steps": 3}, {"mse": 0.5})
    assert info == read_info(path)
    assert len(repr(info)) < 400, "settings and curves would fill screens"


@pytest.mark.parametrize("weights", ["float32", "float16"])
def test_the_digest_is_of_the_content_alone(model: ImageVQVAE, tmp_path: Path, weights: str) -> None:
    first, second = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    digest = save_checkpoint(first, model, name="a", training={}, figures={}, weights=weights)  # type: ignore[arg-type]
    again = load_checkpoint(first).model
    assert (
        save_checkpoint(second, again, name="b", training={"seed": 1}, figures={}, weights=weights) == digest  # type: ignore[arg-type]
    )
    with torch.no_grad():
        again.quantizer.codebook[0, 0] += 1
    assert save_checkpoint(second, again, name="b", training={}, figures={}, weights=weights) != digest  # type: ignore[arg-type]


def test_half_weights_take_half_the_bytes_and_come_back_as_float32(tmp_path: Path) -> None:
    model = ImageVQVAE(ImageVQVAEConfig(widths=(16, 32)))
    full, half = tmp_path / "full.safetensors", tmp_path / "half.safetensors"
    save_checkpoint(full, model, name="m", training={}, figures={})
    save_checkpoint(half, model, name="m", training={}, figures={}, weights="float16")
    assert half.stat().st_size < 0.6 * full.stat().st_size
    loaded = load_checkpoint(half).model
    assert {p.dtype for p in loaded.parameters()} == {torch.float32}
    assert torch.equal(loaded.encoder.mix.weight, model.encoder.mix.weight.half().float())


def test_a_model_may_keep_tensors_whole(model: ImageVQVAE, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ImageVQVAE, "float32_tensors", ("quantizer.",))
    save_checkpoint(tmp_path / "m.safetensors", model, name="m", training={}, figures={}, weights="float16")
    loaded = load_checkpoint(tmp_path / "m.safetensors").model
    assert torch.equal(loaded.quantizer.codebook, model.quantizer.codebook)
    assert torch.equal(loaded.encoder.mix.weight, model.encoder.mix.weight.half().float())


def test_state_of_training_is_not_exported(path: Path) -> None:
    assert not any("ema_" in name for name in load_file(path))


def test_weights_that_are_not_finite_are_not_saved(model: ImageVQVAE, tmp_path: Path) -> None:
    with torch.no_grad():
        model.encoder.mix.weight[0, 0, 0, 0] = 1e6  # finite, but not as float16
    save_checkpoint(tmp_path / "m.safetensors", model, name="m", training={}, figures={})
    with pytest.raises(CheckpointError, match=r"encoder\.mix\.weight"):
        save_checkpoint(tmp_path / "h.safetensors", model, name="m", training={}, figures={}, weights="float16")
    assert not (tmp_path / "h.safetensors").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"decoder.mix.bias": None}, "lacks the tensor 'decoder.mix.bias'"),
        ({"decoder.twin": torch.zeros(2)}, "holds the tensor 'decoder.twin'"),
        ({"decoder.mix.bias": torch.zeros(2)}, r"'decoder.mix.bias' .* has shape \[2\], its config asks for \[3\]"),
        ({"decoder.mix.bias": torch.zeros(3, dtype=torch.int32)}, "'decoder.mix.bias' .* has type I32"),
    ],
)
def test_tensors_must_fit_the_config(path: Path, change: dict[str, torch.Tensor | None], message: str) -> None:
    rewrite(path, change)
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(path)


def test_every_flipped_bit_and_every_cut_is_one_error(path: Path) -> None:
    raw = path.read_bytes()
    header = 8 + int.from_bytes(raw[:8], "little")
    generator = torch.Generator().manual_seed(0)
    places = torch.randint(len(raw), (150,), generator=generator).tolist()
    for place in [*range(0, header, 7), *places]:
        damaged = bytearray(raw)
        damaged[place] ^= 1 << (place % 8)
        path.write_bytes(damaged)
        with pytest.raises(CheckpointError):
            load_checkpoint(path)
    for length in [0, 1, 7, 8, 9, header - 1, header, len(raw) - 1, *places[:20]]:
        path.write_bytes(raw[:length])
        with pytest.raises(CheckpointError):
            read_info(path)
    path.write_bytes(raw + b"\0")
    with pytest.raises(CheckpointError, match="bytes where its header promises"):
        read_info(path)


def test_a_huge_header_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.safetensors"
    path.write_bytes((1 << 62).to_bytes(8, "little") + b"{}")
    with pytest.raises(CheckpointError, match="not a model"):
        read_info(path)


def test_other_safetensors_files_are_not_models(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    save_file({"x": torch.zeros(1)}, path, {"format": "pt"})
    with pytest.raises(CheckpointError, match="not a model of vqc"):
        read_info(path)
    save_file({"x": torch.zeros(1)}, path)
    with pytest.raises(CheckpointError, match="not a model of vqc"):
        read_info(path)
    with pytest.raises(CheckpointError, match="cannot read the model"):
        read_info(tmp_path / "none.safetensors")


def test_a_description_of_another_version_is_named(path: Path) -> None:
    metadata = {"format": FORMAT, "info": '{"colour":1}', "digest": "00"}
    save_file({"x": torch.zeros(1)}, path, metadata | {"check": checksum(metadata)})
    with pytest.raises(CheckpointError, match="update vqc"):
        read_info(path)


def test_models_are_written_whole_or_not_at_all(model: ImageVQVAE, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="does not exist"):
        save_checkpoint(tmp_path / "none" / "m.safetensors", model, name="m", training={}, figures={})
    target = tmp_path / "folder.safetensors"
    target.mkdir()
    with pytest.raises(OutputError, match="a folder has this name"):
        save_checkpoint(target, model, name="m", training={}, figures={})
    assert list(tmp_path.iterdir()) == [target]


def test_a_table_is_stored_in_16_bits_for_each_code(tmp_path: Path) -> None:
    model = SpeechModel(SPEECH)
    table = model.static_table.long().numpy()
    for q in range(model.qualities):
        for g, size in enumerate(model.codebook_sizes(q + 1)):
            table[q, g, :size] = np.random.default_rng(q + g).permutation(table[q, g, :size])
    model.set_static_table(table)
    path = tmp_path / "m.safetensors"
    save_checkpoint(path, model, name="m", training={}, figures={})
    codes = sum(sum(model.codebook_sizes(q + 1)) for q in range(model.qualities))
    stored = load_file(path)["static_table"]
    assert (stored.dtype, stored.shape) == (torch.uint16, (codes,))
    assert torch.equal(load_checkpoint(path).model.static_table, model.static_table)


def test_a_table_of_a_single_code_is_beyond_16_bits() -> None:
    table = torch.tensor([[[65_536, 0], [65_535, 1]]], dtype=torch.int32)
    active = torch.tensor([[[True, False], [True, True]]])
    assert unpack(pack(table, active), active) is table
    assert torch.equal(unpack(pack(table[:, 1:], active[:, 1:]), active[:, 1:]), table[:, 1:])


def test_a_table_of_another_length_is_refused(path: Path) -> None:
    rewrite(path, {"static_table": torch.zeros(7, dtype=torch.uint16)})
    with pytest.raises(CheckpointError, match=r"'static_table' .* has shape"):
        load_checkpoint(path)


def test_an_older_file_that_gets_a_part_keeps_its_digest(model: ImageVQVAE, tmp_path: Path) -> None:
    """Of tables that are stored whole, as they once were."""
    path = tmp_path / "old.safetensors"
    digest = save_checkpoint(path, model, name="old", training={}, figures={}, packed=False)
    loaded = load_checkpoint(path)
    loaded.model.likelihood = Likelihood(LikelihoodConfig(), "image", 1)
    assert save_again(tmp_path / "new.safetensors", loaded, name="new", parts={"likelihood": {}}) == digest


def test_reading_draws_no_random_numbers_and_leaves_nothing_without_values(path: Path) -> None:
    before = torch.get_rng_state()
    loaded = load_checkpoint(path).model
    assert torch.equal(torch.get_rng_state(), before)
    assert not any(tensor.is_meta for tensor in (*loaded.parameters(), *loaded.buffers()))


def test_describing_a_model_needs_neither_torch_nor_numpy(path: Path) -> None:
    code = (
        "import sys; from vqc.models.files import checkpoint\n"
        "from vqc.models.files.zoo import find_by_name, list_models\n"
        f"print(find_by_name({str(path)!r}).name, checkpoint.read_info({str(path)!r}).parameters, len(list_models()))\n"
        "print(sorted({'torch', 'numpy'} & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.startswith("tiny ")
    assert out.endswith("[]\n")
