"""CIFAR-10 from files: what is for testing stays out of training, and what is wrong with a file is said."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vqc.data import cifar10
from vqc.data.datasets import open_images
from vqc.errors import TrainingError


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def png(value: int, side: int = 4) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (side, side), (value, 0, 0)).save(out, "png")
    return out.getvalue()


def numbered(count: int, side: int = 2) -> np.ndarray:
    """Images [N, side, side, 3] that hold their number in red and green."""
    images = np.zeros((count, side, side, 3), dtype=np.uint8)
    images[..., 0], images[..., 1] = np.arange(count)[:, None, None] // 256, np.arange(count)[:, None, None] % 256
    return images


def number(image: np.ndarray) -> int:
    return 256 * int(image[0, 0, 0]) + int(image[0, 0, 1])


def zipped(path: Path, files: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)


def test_rows_for_testing_are_never_trained_on(tmp_path: Path) -> None:
    np.savez(tmp_path / "lossless_4000.npz", images=numbered(4_000))
    rows = [[number(image.transpose(1, 2, 0)) for image in part] for part in cifar10.read_cifar10(tmp_path)]
    assert rows == [list(range(2_700)), [], list(range(2_700, 3_000)), list(range(3_000, 4_000))]
    pack = open_images([str(tmp_path)])
    assert [number(pack.image(i)) for i in pack.training] == list(range(2_700))
    assert [number(pack.image(i)) for i in pack.validation] == list(range(2_700, 3_000))
    assert len(pack.names) == 3_000


def test_official_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cifar10, "BATCH_ROWS", 300)
    image = np.arange(3 * 32 * 32, dtype=np.uint16).astype(np.uint8)
    for i, name in enumerate(cifar10.OFFICIAL):
        row = np.concatenate([[7], image + np.uint8(i)]).astype(np.uint8)
        (tmp_path / name).write_bytes(np.tile(row, 300).tobytes())
    data = cifar10.read_cifar10(tmp_path)
    assert [len(part) for part in data] == [500, 0, 1_000, 300]
    assert np.array_equal(data.test[0], (image + np.uint8(5)).reshape(3, 32, 32))
    (tmp_path / "data_batch_3.bin").write_bytes(b"short")
    with pytest.raises(TrainingError, match=r"data_batch_3\.bin has 5 bytes"):
        cifar10.read_cifar10(tmp_path)
    (tmp_path / "data_batch_3.bin").unlink()
    with pytest.raises(TrainingError, match=r"data_batch_3\.bin cannot be read: No such file"):
        cifar10.read_cifar10(tmp_path)


def test_compressed_images_are_two_in_three_of_those_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cifar10, "TEST_ROW", 30)
    monkeypatch.setattr(cifar10, "VALIDATION_ROWS", 10)
    np.savez(tmp_path / "lossless_4000.npz", images=numbered(40, side=4))
    zipped(tmp_path / "jpeg_train.zip", {"b/1.png": png(2), "a/1.png": png(1), "readme.txt": b"no image"})
    assert cifar10.read_cifar10(tmp_path).train_compressed[:, 0, 0, 0].tolist() == [1, 2]
    pack = open_images([str(tmp_path)])
    assert pack.probabilities is not None
    assert dict(zip(pack.training, pack.probabilities, strict=True)) == pytest.approx(
        {**dict.fromkeys(range(20), 0.35 / 20), 20: 0.65 / 2, 21: 0.65 / 2}
    )
    assert [int(pack.image(i)[0, 0, 0]) for i in pack.training[20:]] == [1, 2]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("lossless_4000.npz", b"no archive"),
        ("jpeg_train.zip", b"no archive"),
    ],
)
def test_damaged_files_are_named(tmp_path: Path, name: str, data: bytes) -> None:
    np.savez(tmp_path / "lossless_4000.npz", images=numbered(4_000))
    (tmp_path / name).write_bytes(data)
    with pytest.raises(TrainingError, match=f"{name}.*get it again"):
        cifar10.read_cifar10(tmp_path)


def test_a_zip_with_one_damaged_image_names_it(tmp_path: Path) -> None:
    np.savez(tmp_path / "lossless_4000.npz", images=numbered(4_000))
    zipped(tmp_path / "jpeg_train.zip", {"a/1.png": png(1), "a/2.png": b"no image"})
    with pytest.raises(TrainingError, match=r"a/2\.png"):
        cifar10.read_cifar10(tmp_path)
    with pytest.raises(TrainingError, match="CIFAR-10 folder"):
        cifar10.read_cifar10(tmp_path / "elsewhere")


def test_a_folder_beside_it_is_drawn_in_proportion_to_its_images(tmp_path: Path) -> None:
    folder, charts = tmp_path / "cifar10", tmp_path / "charts" / "train"
    folder.mkdir()
    charts.mkdir(parents=True)
    np.savez(folder / "lossless_4000.npz", images=numbered(4_000))
    zipped(folder / "jpeg_train.zip", {f"a/{i}.png": png(i, 2) for i in range(30)})
    for i in range(10):
        (charts / f"{i}.png").write_bytes(png(i, 2))
    pack = open_images([str(folder), str(charts.parent)])
    assert pack.probabilities is not None
    of_charts = [pack.names[i].startswith("charts") for i in pack.training]
    assert sum(pack.probabilities[of_charts]) == pytest.approx(10 / (2_700 + 30 + 10))
    assert len(pack.validation) == 300, "those of CIFAR-10 alone"


def test_classes_come_with_the_images(tmp_path: Path) -> None:
    labels = np.arange(4_000) % 10
    np.savez(tmp_path / "lossless_4000.npz", images=numbered(4_000), labels=labels)
    zipped(tmp_path / "jpeg_train.zip", {"ship/2.png": png(2, 2), "cat/1.png": png(1, 2), "odd/3.png": png(3, 2)})
    found = cifar10.read_labels(tmp_path)
    assert found.train_compressed == ["cat", "", "ship"]
    assert found.train[:3] == ["airplane", "automobile", "bird"]
    assert list(map(len, found)) == [2_700, 3, 300, 1_000]
    pack = open_images([str(tmp_path)])
    rows = [i for i in range(len(pack.names)) if "jpeg" not in pack.names[i]]
    assert [pack.labels[i] for i in rows] == [cifar10.CLASSES[number(pack.image(i)) % 10] for i in rows]


def test_classes_of_official_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cifar10, "BATCH_ROWS", 300)
    for i, name in enumerate(cifar10.OFFICIAL):
        rows = np.zeros((300, 1 + 3 * 32 * 32), dtype=np.uint8)
        rows[:, 0] = (np.arange(300) + i) % 10
        rows.tofile(tmp_path / name)
    found = cifar10.read_labels(tmp_path)
    assert (found.train[300], found.test[0], len(found.validation)) == ("automobile", "dog", 1_000)


def test_files_without_classes_have_none(tmp_path: Path) -> None:
    np.savez(tmp_path / "lossless_4000.npz", images=numbered(4_000))
    assert set(open_images([str(tmp_path)]).labels) == {""}
