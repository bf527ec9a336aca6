"""Sharp decoders: they restore the same codes otherwise, and travel with a model without a change to its digest."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tiny_priors import draw_codes, draw_model, draw_perceptual, draw_prior

from vqc.errors import CheckpointError
from vqc.models.base import CodecModel, ImageModel
from vqc.models.files import zoo
from vqc.models.files.checkpoint import load_checkpoint, save_again, save_checkpoint
from vqc.models.files.header import checksum, read_info
from vqc.models.likelihood import Likelihood, LikelihoodConfig

KINDS = ("photo", "speech")
GRIDS = {"photo": (3, 4), "speech": (5,)}


def with_sharp(kind: str) -> CodecModel:
    model = draw_model(kind)
    model.attach_perceptual(draw_perceptual(model))
    return model


def save(path: Path, model: CodecModel, **more: Any) -> str:
    return save_checkpoint(path, model, name="m", training={}, figures={}, weights="float16", **more)


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_codes_are_restored_otherwise(kind: str) -> None:
    model: Any = with_sharp(kind)
    codes = draw_codes(model, 2, GRIDS[kind])
    own = model.decode(codes, 2)
    sharpened = model.with_perceptual_decoder()
    assert not torch.equal(sharpened.decode(codes, 2), own)
    assert torch.equal(model.decode(codes, 2), own), "the model itself stays as it is"
    untrained = draw_model(kind)
    untrained.attach_perceptual(untrained.make_perceptual())
    assert torch.equal(untrained.with_perceptual_decoder().decode(codes, 2), own), (
        "training begins at the model's own decoder"
    )


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_not_the_decoder_is_shared(kind: str) -> None:
    model = with_sharp(kind)
    model.attach_prior(draw_prior(model))
    model.likelihood = Likelihood(LikelihoodConfig(), model.media, model.qualities)
    sharpened = model.with_perceptual_decoder()
    assert sharpened.prior is model.prior
    assert sharpened.static_table is model.static_table
    assert sharpened.likelihood is None, "that is of what the model's own decoder restores"
    assert model.likelihood is not None


def test_a_kind_without_such_a_part_has_none(image_model: ImageModel) -> None:
    with pytest.raises(ValueError, match="image-vqvae can have no sharp decoder"):
        image_model.make_perceptual()


@pytest.mark.parametrize("kind", KINDS)
def test_it_travels_in_the_file_and_is_no_part_of_its_digest(kind: str, tmp_path: Path) -> None:
    model = with_sharp(kind)
    path, figures = tmp_path / "with.safetensors", {"quality_1": {"texture": 0.5}}
    digest = save(path, model, parts={"sharp": {"training": {"steps": 5}, "figures": figures}})
    loaded, info = load_checkpoint(path)
    assert loaded.perceptual is not None
    assert info.perceptual is not None
    assert (info.perceptual["training"], info.perceptual["figures"]) == ({"steps": 5}, figures)
    assert info.perceptual["parameters"] == sum(p.numel() for p in loaded.perceptual.parameters())
    for stored, own in zip(loaded.perceptual.parameters(), model.perceptual.parameters(), strict=True):  # type: ignore[union-attr]
        assert torch.equal(stored, own.half().float())
    assert not loaded.training
    assert not any(p.requires_grad for p in loaded.parameters())
    model.perceptual = None
    without = tmp_path / "without.safetensors"
    assert save(without, model) == digest
    assert read_info(without).parameters == info.parameters
    assert load_checkpoint(without).model.perceptual is None


def test_a_file_that_is_written_again_keeps_it(tmp_path: Path) -> None:
    path, again = tmp_path / "m.safetensors", tmp_path / "again.safetensors"
    save(
        path, with_sharp("photo"), parts={"sharp": {"training": {"steps": 5}, "figures": {"quality_1": {"psnr": 30.0}}}}
    )
    loaded = load_checkpoint(path)
    loaded.model.attach_prior(draw_prior(loaded.model))
    loaded.model.likelihood = Likelihood(LikelihoodConfig(), "image", loaded.model.qualities)
    save_again(again, loaded, name="m", parts={"prior": {"training": {"steps": 1}}})
    assert read_info(again).perceptual == read_info(path).perceptual
    own, kept = ({k: t for k, t in load_file(file).items() if k.startswith("sharp.")} for file in (path, again))
    assert own
    assert own.keys() == kept.keys()
    assert all(torch.equal(own[name], kept[name]) for name in own)
    assert any(name.startswith("likelihood.") for name in load_file(again))


def test_damage_in_its_weights_is_found(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    save(path, with_sharp("photo"))
    raw = path.read_bytes()
    length = int.from_bytes(raw[:8], "little")
    places = {name: entry["data_offsets"] for name, entry in json.loads(raw[8 : 8 + length]).items() if "." in name}
    for name, (start, stop) in list(places.items())[::7]:
        damaged = bytearray(raw)
        damaged[8 + length + (start + stop) // 2] ^= 1
        path.write_bytes(damaged)
        with pytest.raises(CheckpointError, match="sharp decoder" if name.startswith("sharp.") else "the weights in"):
            load_checkpoint(path)


def test_a_kind_that_can_have_none_is_not_read_with_one(tmp_path: Path, small_models: Path) -> None:
    raw = (small_models / "tiny-image.safetensors").read_bytes()
    length = int.from_bytes(raw[:8], "little")
    front = json.loads(raw[8 : 8 + length])
    metadata = front["__metadata__"]
    empty = "4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945"  # SHA-256 of "[]": of no tensors
    metadata["info"] = json.dumps(json.loads(metadata["info"]) | {"sharp": {"digest": empty, "parameters": 1}})
    metadata["check"] = checksum(metadata)
    text = json.dumps(front).encode()
    path = tmp_path / "m.safetensors"
    path.write_bytes(len(text).to_bytes(8, "little") + text + raw[8 + length :])
    with pytest.raises(CheckpointError, match="can have no sharp decoder"):
        load_checkpoint(path)


def test_of_two_files_of_one_codec_that_with_a_sharp_decoder_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    model = draw_model("photo")
    plain, other = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    digest = bytes.fromhex(save_checkpoint(plain, model, name="a", training={}, figures={}))
    zoo.add_model(plain)
    assert zoo.find_by_digest(digest, perceptual=True).name == "a", "whoever wants one says that there is none"
    model.attach_perceptual(draw_perceptual(model))
    save_checkpoint(other, model, name="b", training={}, figures={})
    zoo.add_model(other)
    assert zoo.find_by_digest(digest).name == "a"
    assert zoo.find_by_digest(digest, perceptual=True).name == "b"
    assert zoo.load_model_by_digest(digest, perceptual=True).model.perceptual is not None


def test_a_model_that_was_loaded_is_read_again_once_it_has_one(tmp_path: Path) -> None:
    path, model = tmp_path / "m.safetensors", draw_model("photo")
    save(path, model)
    assert zoo.load_model(path).model.perceptual is None
    model.attach_perceptual(draw_perceptual(model))
    save(path, model)
    assert zoo.load_model(path).model.perceptual is not None
