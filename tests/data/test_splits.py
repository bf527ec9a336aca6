"""Training sets: what is test only stays out of training, and batches are functions of (seed, step)."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image

from vqc.data import splits
from vqc.data.batches import ImageBatches, WaveformBatches
from vqc.errors import MediaError, TrainingError


def png(value: int, side: int = 4) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (side, side), (value, 0, 0)).save(out, "png")
    return out.getvalue()


def test_cifar10_test_rows_are_never_trained_on(tmp_path: Path) -> None:
    images = np.zeros((4_000, 2, 2, 3), dtype=np.uint8)
    images[:, 0, 0, 0], images[:, 0, 0, 1] = np.arange(4_000) // 256, np.arange(4_000) % 256
    np.savez(tmp_path / "lossless_4000.npz", images=images)
    data = splits.read_cifar10(tmp_path)
    rows = [(256 * part[:, 0, 0, 0].astype(int) + part[:, 1, 0, 0]).tolist() for part in data]
    assert rows == [list(range(2_700)), [], list(range(2_700, 3_000)), list(range(3_000, 4_000))]


def test_cifar10_of_the_official_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(splits, "CIFAR10_BATCH_ROWS", 300)
    image = np.arange(3 * 32 * 32, dtype=np.uint16).astype(np.uint8)
    for number, name in enumerate([f"data_batch_{i}.bin" for i in range(1, 6)] + ["test_batch.bin"]):
        row = np.concatenate([[7], image + np.uint8(number)]).astype(np.uint8)
        (tmp_path / name).write_bytes(np.tile(row, 300).tobytes())
    data = splits.read_cifar10(tmp_path)
    assert [len(part) for part in data] == [500, 0, 1_000, 300]
    assert np.array_equal(data.test[0], (image + np.uint8(5)).reshape(3, 32, 32))
    (tmp_path / "data_batch_3.bin").write_bytes(b"short")
    with pytest.raises(TrainingError, match=r"data_batch_3\.bin has 5 bytes"):
        splits.read_cifar10(tmp_path)


def test_compressed_images_come_from_the_zip_in_order(tmp_path: Path) -> None:
    np.savez(tmp_path / "lossless_4000.npz", images=np.zeros((4_000, 4, 4, 3), dtype=np.uint8))
    with zipfile.ZipFile(tmp_path / "jpeg_train.zip", "w") as archive:
        archive.writestr("b/1.png", png(2))
        archive.writestr("a/1.png", png(1))
        archive.writestr("readme.txt", "no image")
    assert splits.read_cifar10(tmp_path).train_compressed[:, 0, 0, 0].tolist() == [1, 2]


def test_missing_or_unreadable_data_is_named(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="CIFAR-10 folder"):
        splits.read_cifar10(tmp_path)
    with pytest.raises(TrainingError, match="holds no file"):
        splits.read_image_folder(tmp_path)
    (tmp_path / "x.png").write_bytes(b"no image")
    with pytest.raises(MediaError, match=r"cannot read the image .*x\.png"):
        splits.read_image_folder(tmp_path)
    (tmp_path / "x.flac").write_bytes(b"no sound")
    with pytest.raises(MediaError, match=r"cannot read the audio file .*x\.flac"):
        splits.read_utterances(splits.audio_files(tmp_path), 16_000)


def test_folders_are_read_in_order_of_name(tmp_path: Path) -> None:
    for name, value in [("b.png", 2), ("a/z.png", 1), ("c.PNG", 3)]:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(png(value, side=value))
    found = splits.read_image_folder(tmp_path)
    assert [(name, image.shape) for name, image in found] == [
        ("a/z.png", (3, 1, 1)), ("b.png", (3, 2, 2)), ("c.PNG", (3, 3, 3))
    ]  # fmt: skip


def test_held_out_items_are_every_nth() -> None:
    train, validation = splits.hold_out(10, 4)
    assert (train, validation) == ([1, 2, 3, 5, 6, 7, 9], [0, 4, 8])


def test_utterances_of_a_tree_are_mono_and_of_one_rate(tmp_path: Path) -> None:
    folder = tmp_path / "19" / "198"
    folder.mkdir(parents=True)
    stereo = np.stack([np.full(100, 0.5), np.full(100, -0.25)], 1)
    soundfile.write(folder / "19-198-0001.flac", stereo, 16_000)
    (waveform,) = splits.read_utterances(splits.audio_files(tmp_path), 16_000)
    np.testing.assert_allclose(waveform, 0.125, atol=1e-4)
    with pytest.raises(TrainingError, match="16000 samples a second, training needs 8000"):
        splits.read_utterances(splits.audio_files(tmp_path), 8_000)


def test_image_batches_depend_on_seed_and_step_alone() -> None:
    images = np.random.default_rng(0).integers(0, 256, (50, 3, 8, 8), dtype=np.uint8)

    def batch(seed: int, step: int) -> torch.Tensor:
        return ImageBatches([images], [1.0], batch_size=6, seed=seed, max_shift=2)(step)

    torch.manual_seed(5)
    first = batch(1, 7)
    torch.manual_seed(6)
    assert torch.equal(batch(1, 7), first)
    assert not torch.equal(batch(1, 8), first)
    assert not torch.equal(batch(2, 7), first)


def test_image_batches_mix_sets_by_share_and_flip_half() -> None:
    dark, light = np.zeros((5, 3, 4, 4), dtype=np.uint8), np.full((90, 3, 4, 4), 255, dtype=np.uint8)
    light[..., 0] = 102  # the left column
    batch = ImageBatches([dark, light], [0.25, 0.75], batch_size=2_000, seed=0)(0)
    from_light = batch[batch.amax((1, 2, 3)) == 1]
    assert len(from_light) == pytest.approx(1_500, abs=100)
    left = from_light[:, 0, 0, 0]
    assert sorted(left.unique().tolist()) == pytest.approx([0.4, 1.0])
    assert int((left < 0.5).sum()) == pytest.approx(len(left) / 2, abs=100)


def test_waveform_batches_are_cuts_of_the_utterances() -> None:
    long, short = np.arange(1, 1_001, dtype=np.float32), -np.arange(1, 11, dtype=np.float32)
    batches = WaveformBatches([long, short], length=40, batch_size=400, seed=0)
    batch = batches(3)
    assert torch.equal(batch, batches(3))
    padded = np.concatenate([short, np.zeros(30, dtype=np.float32)])
    cuts = [row for row in batch.numpy() if row[0] > 0]
    assert all(np.array_equal(row, padded) for row in batch.numpy() if row[0] < 0)
    assert 380 < len(cuts) < 400, "utterances count by their length"
    assert all(np.array_equal(row, long[int(row[0]) - 1 :][:40]) for row in cuts)
    assert max(row[0] for row in cuts) > 900
