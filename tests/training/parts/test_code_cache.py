"""Cached codes: the streams that files would hold, encoded once for each model, set and quality."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from tiny_priors import draw_model, draw_prior

from vqc.codec.audio_io import Recording
from vqc.codec.open import codec_with
from vqc.codec.stream_coder import StreamCoder
from vqc.data.image_files import Picture
from vqc.format.container import read_container, split_streams
from vqc.models.base import AudioModel, ImageModel
from vqc.models.files.checkpoint import load_checkpoint, save_checkpoint
from vqc.training.parts.code_cache import CodeStreams, digest_for_codes, open_codes, piece_of

MODEL, OTHER_MODEL = "a" * 64, "b" * 64


class Images:
    """Noise around a colour that grows with the number of the image."""

    digest = "images"
    training, validation = [0, 3, 1], [2]
    shapes = ((20, 33), (9, 6), (1, 1), (20, 33))

    def image(self, i: int) -> NDArray[np.uint8]:
        noise = np.random.default_rng(i).integers(0, 120, (*self.shapes[i], 3))
        return (40 * i + noise).clip(0, 255).astype(np.uint8)


class Mirrored(Images):
    digest = "mirrored images"

    def image(self, i: int) -> NDArray[np.uint8]:
        return super().image(i)[:, ::-1]


class Recordings:
    digest = "recordings"
    training, validation = [1], [0]

    def waveform(self, i: int) -> NDArray[np.float32]:
        noise = np.random.default_rng(i).standard_normal((70_003, 500)[i])
        return (0.1 * noise).astype(np.float32).clip(-1, 1)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "vqc" / "codes-4"


@pytest.fixture
def calls(image_model: ImageModel, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The batch sizes the image model was given."""
    sizes: list[int] = []
    encode = image_model.encode

    def counted(image: Any, quality: int) -> Any:
        sizes.append(len(image))
        return encode(image, quality)

    monkeypatch.setattr(image_model, "encode", counted)
    return sizes


@pytest.mark.parametrize(("kind", "asks"), [("photo", True), ("speech", False)])
def test_codes_that_a_prior_has_a_say_in_are_kept_apart(kind: str, asks: bool, tmp_path: Path) -> None:
    digests = set[str]()
    for seed in range(2):
        model, path = draw_model(kind), tmp_path / f"{seed}.safetensors"
        prior = draw_prior(model)
        torch.manual_seed(seed)
        for weight in prior.parameters():
            weight.data += 0.1 * torch.rand_like(weight)
        model.attach_prior(prior)
        save_checkpoint(path, model, name="m", training={}, figures={})
        digests.add(digest_for_codes(load_checkpoint(path)))
    assert len(digests) == 1 + asks


def as_written(model: ImageModel | AudioModel, quality: int, streams: CodeStreams) -> list[bytes]:
    """What a file would hold of these streams."""
    coder = StreamCoder(model, quality)
    return [coder.write(streams[i][None], "static") for i in range(len(streams))]


@pytest.mark.parametrize("quality", [1, 2])
def test_streams_are_those_of_image_files(image_model: ImageModel, quality: int) -> None:
    data = Images()
    data.shapes = ((9, 6), (9, 6), (1034, 15), (1, 1))  # the third has two tiles, the second of them mostly padding
    codes = open_codes(image_model, MODEL, data, quality)
    for part, items in ((codes.training, data.training), (codes.validation, data.validation)):
        files = [
            codec_with(image_model, b"digest").compress(Picture(data.image(i), None), quality=quality, entropy="static")
            for i in items
        ]
        streams = [s for f in files for s in split_streams(read_container(f).body, 2 if items == [2] else 1)]
        assert as_written(image_model, quality, part) == streams
    assert codes.validation.values.tolist() == [3 * 1024 * 15, 3 * 10 * 15]  # padding is no pixel


def test_streams_are_those_of_audio_files(audio_model: AudioModel) -> None:
    data = Recordings()
    codes = open_codes(audio_model, MODEL, data, 1)
    for i, part in ((0, codes.validation), (1, codes.training)):
        waveform = data.waveform(i)
        file = codec_with(audio_model, b"digest").compress(Recording([waveform[:, None]], 8000), entropy="static")
        assert as_written(audio_model, 1, part) == split_streams(read_container(file).body, len(part))
        assert part.values.sum() == len(waveform)
    assert len(codes.validation) == 2


def test_parts_are_kept_apart_and_in_order(image_model: ImageModel) -> None:
    codes = open_codes(image_model, MODEL, Images(), 1)
    assert codes.training.items.tolist() == [0, 3, 1]
    assert codes.validation.items.tolist() == [2]
    assert codes.training.grids.tolist() == [[5, 9], [5, 9], [3, 2]]
    assert codes.training[2].shape == (3, 3, 2)


def test_codes_are_made_once_for_each_model_set_and_quality(image_model: ImageModel, calls: list[int]) -> None:
    first = open_codes(image_model, MODEL, Images(), 1)
    assert calls == [2, 1, 1]  # images of one size together
    again = open_codes(image_model, MODEL, Images(), 1)
    assert calls == [2, 1, 1]
    assert all(np.array_equal(first.training[i], again.training[i]) for i in range(3))
    open_codes(image_model, OTHER_MODEL, Images(), 1)
    assert len(calls) == 6
    open_codes(image_model, MODEL, Images(), 2)
    assert len(calls) == 9
    other = Images()
    other.digest = "more images"
    open_codes(image_model, MODEL, other, 1)
    assert len(calls) == 12


def test_views_are_other_codes_of_the_same_training_items(image_model: ImageModel, audio_model: AudioModel) -> None:
    codes = open_codes(image_model, MODEL, Images(), 1, views=6)
    plain = open_codes(image_model, MODEL, Images(), 1)
    assert codes.training.items.tolist() == [0] * 6 + [3] * 6 + [1] * 6
    assert codes.validation.items.tolist() == [2]
    assert np.array_equal(codes.training[0], plain.training[0])
    mirrored = open_codes(image_model, MODEL, Mirrored(), 1)
    assert np.array_equal(codes.training[1], mirrored.training[0])
    assert len({codes.training[view].tobytes() for view in range(6)}) == 6
    assert {codes.training[view].shape for view in range(6)} == {plain.training[0].shape}
    sounds = open_codes(audio_model, MODEL, Recordings(), 1, views=3).training
    assert sounds.values[0] == 500 > sounds.values[1] > 500 - 8


def test_codes_that_are_not_whole_are_made_again(image_model: ImageModel, calls: list[int], cache: Path) -> None:
    whole = open_codes(image_model, MODEL, Images(), 1)
    expected = np.array(whole.training[2])
    del whole
    (folder,) = cache.glob("[!.]*")
    for damage in (lambda p: p.write_bytes(p.read_bytes()[:-2]), lambda p: p.unlink()):
        damage(folder / "training.bin")
        calls.clear()
        assert np.array_equal(open_codes(image_model, MODEL, Images(), 1).training[2], expected)
        assert calls
    assert list(cache.glob("[!.]*")) == [folder]


def test_of_several_that_begin_at_once_one_encodes(image_model: ImageModel, calls: list[int]) -> None:
    together = Barrier(3)

    def attempt(_: int) -> int:
        together.wait(30)
        return len(open_codes(image_model, MODEL, Images(), 1).training)

    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(attempt, range(3))) == [3, 3, 3]
    assert calls == [2, 1, 1]


def test_an_encoder_that_fails_leaves_nothing(
    image_model: ImageModel, monkeypatch: pytest.MonkeyPatch, cache: Path
) -> None:
    def fail(image: Any, quality: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(image_model, "encode", fail)
    with pytest.raises(KeyboardInterrupt):
        open_codes(image_model, MODEL, Images(), 1)
    assert [path.suffix for path in cache.iterdir()] == [".lock"]


def test_pieces_of_large_images_stand_for_them(image_model: ImageModel) -> None:
    """One square of each view, of another place at each quality, and not all of them cut from the same size."""
    data = Images()
    data.shapes = ((40, 64), (50, 33), (64, 40), (40, 64))
    codes = {q: open_codes(image_model, MODEL, data, q, views=6, piece=16) for q in (1, 2)}
    assert codes[1].training.grids.tolist() == [[4, 4]] * 18
    assert codes[1].validation.grids.tolist() == [[4, 4]]
    assert len({stream.tobytes() for stream in (codes[1].training[i] for i in range(18))}) == 18
    assert codes[1].training.values.tolist() == [3 * 16 * 16] * 18
    seen = [piece_of(data.image(0), 16, 0, view, 1) for view in range(6)]
    files = [codec_with(image_model, b"digest").compress(Picture(s, None), quality=1, entropy="static") for s in seen]
    assert as_written(image_model, 1, codes[1].training)[:6] == [
        split_streams(read_container(f).body, 1)[0] for f in files
    ]
    other = [piece_of(data.image(0), 16, 0, view, 2) for view in range(6)]
    assert not any(np.array_equal(a, b) for a, b in zip(seen, other, strict=True))
