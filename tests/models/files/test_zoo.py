"""Models are found by name, by file and by digest, bundled ones before the user's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from vqc.errors import ModelNotFoundError, ModelWarning, OutputError
from vqc.models.files import zoo
from vqc.models.files.checkpoint import save_checkpoint
from vqc.models.kinds import default_model
from vqc.models.vqvae.image import ImageVQVAE, ImageVQVAEConfig
from vqc.user_folders import user_models

CONFIG = ImageVQVAEConfig(widths=(2, 3), residual_width=2, residual_layers=1, codebook_size=8, codebook_dim=2)


@pytest.fixture
def digests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Two bundled models and two of the user's, one of which has the name of a bundled one."""
    bundled, user = tmp_path / "weights", tmp_path / "data" / "vqc" / "models"
    bundled.mkdir()
    user.mkdir(parents=True)
    monkeypatch.setattr(zoo, "BUNDLED_FOLDER", bundled)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    torch.manual_seed(0)
    digests = {}
    for key, folder, name in [("a", bundled, "a"), ("b", bundled, "b"), ("c", user, "c"), ("twin", user, "a")]:
        model = ImageVQVAE(CONFIG)
        digests[key] = save_checkpoint(folder / f"{key}.safetensors", model, name=name, training={}, figures={})
    return digests


def test_bundled_models_come_first(digests: dict[str, str]) -> None:
    assert [info.digest for info in zoo.list_models()] == [digests[key] for key in ("a", "b", "c", "twin")]
    assert zoo.find_by_name("a").digest == digests["a"]
    assert zoo.find_by_name("c").digest == digests["c"]


def test_models_are_found_by_the_first_bytes_of_their_digest(digests: dict[str, str]) -> None:
    for digest in digests.values():
        assert zoo.find_by_digest(bytes.fromhex(digest)[:6]).digest == digest


def test_a_model_that_is_not_here_is_named_with_those_that_are(digests: dict[str, str]) -> None:
    with pytest.raises(ModelNotFoundError, match=r"'z'.*models at hand: a, b, c"):
        zoo.find_by_name("z")
    with pytest.raises(ModelNotFoundError, match=f"0102030405ff.*b \\({digests['b'][:12]}\\)"):
        zoo.find_by_digest(bytes.fromhex("0102030405ff"))
    with pytest.raises(ModelNotFoundError, match=r"no model file .*z\.safetensors"):
        zoo.find_by_name("somewhere/z.safetensors")


@pytest.mark.parametrize("kind", ["text", "pipe", "folder", "dangling link"])
def test_a_file_that_is_no_model_is_named_and_left_out(digests: dict[str, str], tmp_path: Path, kind: str) -> None:
    path = user_models() / "broken.safetensors"
    if kind == "text":
        path.write_bytes(b"not a model")
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to(tmp_path / "nowhere")
    with pytest.warns(ModelWarning, match=r"left out of the models: .*broken\.safetensors"):
        assert [info.digest for info in zoo.list_models()] == [digests[key] for key in ("a", "b", "c", "twin")]


def test_a_damaged_copy_does_not_hide_a_good_one(digests: dict[str, str]) -> None:
    good = user_models() / "c.safetensors"
    damaged = bytearray(good.read_bytes())
    damaged[-1] ^= 1  # a weight: the header is as it was
    (user_models() / "a-copy-of-c.safetensors").write_bytes(damaged)
    for find in (
        lambda: zoo.load_model("c"),
        lambda: zoo.load_model_by_digest(bytes.fromhex(digests["c"])[:6]),
    ):
        with pytest.warns(ModelWarning, match=r"a-copy-of-c\.safetensors do not match their digest"):
            assert find().info.path == good


def test_names_that_cannot_be_those_of_files_are_refused() -> None:
    for name in ("a/b", "..", "-x", "a\x1b[31m", "a\nb", " a", "", "a" * 81, "a:b", "a\u202eb"):
        with pytest.raises(OutputError, match="cannot be the name of a file"):
            zoo.check_name_is_free(name)
    zoo.check_name_is_free("Größe 2 (最終)")


def test_a_model_is_read_once(digests: dict[str, str], tmp_path: Path) -> None:
    by_name = zoo.load_model("b")
    assert zoo.load_model(tmp_path / "weights" / "b.safetensors") is by_name
    assert zoo.load_model_by_digest(bytes.fromhex(digests["b"])[:6]) is by_name


def test_media_have_their_default_models() -> None:
    assert (default_model("image"), default_model("audio")) == ("photo", "speech")
