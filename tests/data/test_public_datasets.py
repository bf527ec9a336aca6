"""Sets by name: downloaded only when asked, whole or not at all, and every way it can fail is a sentence.

The real packages are not needed here: small modules stand in for them that behave alike.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import soundfile
from PIL import Image

from vqc.data.datasets import open_audio, open_images
from vqc.data.public_datasets import AUDIO_SETS, IMAGE_SETS
from vqc.errors import OutputError, TrainingError


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "cache" / "vqc" / "datasets"


class FakeImages:
    """As torchvision's sets are: a class that looks for its files, gets them when asked to, and is then a sequence."""

    downloads = 0
    count = 40

    def __init__(self, root: str, *, download: bool = False, **arguments: Any) -> None:
        self.file = Path(root) / "fake-set" / "data.bin"
        if download:
            type(self).downloads += 1
            self.file.parent.mkdir(exist_ok=True)
            self.file.write_bytes(b"archive")
        if not self.file.exists():
            raise RuntimeError("Dataset not found. You can use download=True to download it")
        assert arguments.get("split", "train") in ("train", "val"), "the test part is not asked for"
        assert arguments.get("train", True)
        self.first = 100 if arguments.get("split") == "val" else 0

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, row: int) -> tuple[Image.Image, int]:
        if row == 5:
            raise OSError("broken data stream")
        return Image.new("L", (3, 2), self.first + row), 0


Install = Callable[..., type]


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Install:
    """Puts a stand-in for a package's set in place, and returns its class."""

    def install(package: str, kind: str, base: type) -> type:
        made = type(kind, (base,), {"downloads": 0})
        module, datasets = ModuleType(package), ModuleType(f"{package}.datasets")
        setattr(datasets, kind, made)
        monkeypatch.setitem(sys.modules, package, module)
        monkeypatch.setitem(sys.modules, f"{package}.datasets", datasets)
        return made

    return install


def test_image_sets_are_downloaded_only_when_asked_and_once(install: Install, cache: Path) -> None:
    kind: Any = install("torchvision", "CIFAR10", FakeImages)
    with pytest.raises(TrainingError, match=r"CIFAR-10 is not in .*datasets; add --download to get it"):
        open_images(["cifar10"])
    assert kind.downloads == 0
    pack = open_images(["cifar10"], download=True)
    assert kind.downloads == 1
    assert (cache / "fake-set" / "data.bin").is_file()
    assert [path.name for path in cache.iterdir()] == ["fake-set"], "nothing is left of the download"
    assert len(pack.names) == 39
    assert [name for name, _ in pack.skipped] == ["CIFAR-10/training/5"]
    assert pack.image(0).shape == (2, 3, 3), "gray ones come in colour"
    assert open_images(["CIFAR_10"], download=True).digest == pack.digest
    assert kind.downloads == 1
    assert pack.validation, "taken by hash"


def test_a_decoded_set_needs_no_torchvision(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    install("torchvision", "CIFAR10", FakeImages)
    digest = open_images(["cifar10"], download=True).digest
    monkeypatch.setitem(sys.modules, "torchvision.datasets", None)
    assert open_images(["cifar10"]).digest == digest


def test_a_validation_part_is_used_where_there_is_one(install: Install) -> None:
    kind: Any = install("torchvision", "DTD", FakeImages)
    pack = open_images(["dtd"], download=True)
    assert kind.downloads == 1
    assert [int(pack.image(i)[0, 0, 0]) for i in pack.training] == [i for i in range(40) if i != 5]
    assert [int(pack.image(i)[0, 0, 0]) for i in pack.validation] == [100 + i for i in range(40) if i != 5]


class FakeSpeech:
    """As torchaudio's sets are; reading them would need another package, so nothing asks for more than files."""

    downloads = 0

    def __init__(self, root: str, url: str = "", *, download: bool = False) -> None:
        assert download
        type(self).downloads += 1
        for speaker in range(12):
            folder = Path(root) / "LibriSpeech" / url / str(speaker)
            folder.mkdir(parents=True)
            soundfile.write(folder / f"{speaker}-1-0001.flac", np.full(50 + speaker, 0.5), 16_000)
        (Path(root) / f"{url}.tar.gz").touch()


def test_audio_sets_are_downloaded_only_when_asked_then_read_as_folders(
    install: Install, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind: Any = install("torchaudio", "LIBRISPEECH", FakeSpeech)
    with pytest.raises(TrainingError, match=r"LibriSpeech train-clean-100 is not in .*; add --download"):
        open_audio(["LibriSpeech"], 16_000)
    assert kind.downloads == 0
    pack = open_audio(["LibriSpeech"], 16_000, download=True)
    assert kind.downloads == 1
    assert sorted(pack.lengths.tolist()) == list(range(50, 62))
    assert pack.title == "LibriSpeech train-clean-100"
    monkeypatch.setitem(sys.modules, "torchaudio.datasets", None)
    assert open_audio(["librispeech"], 16_000).digest == pack.digest, "what is there needs no torchaudio"
    elsewhere = open_audio(["librispeech"], 16_000, root=cache)
    assert elsewhere.digest == pack.digest


def test_an_existing_folder_of_that_name_wins(tmp_path: Path) -> None:
    (tmp_path / "cifar10").mkdir()
    for i in range(3):
        Image.new("RGB", (4, 4), (i, 0, 0)).save(tmp_path / "cifar10" / f"{i}.png")
    assert open_images(["cifar10"]).names == [f"cifar10/{i}.png" for i in range(3)]


def test_the_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("torchvision", "torchaudio"):
        monkeypatch.delitem(sys.modules, package, raising=False)
        monkeypatch.setattr(sys, "meta_path", [Missing(package), *sys.meta_path])
    with pytest.raises(TrainingError, match=r"^CIFAR-10 is a set of torchvision, .* pip install 'vqc-codec\[train\]'$"):
        open_images(["cifar10"])
    with pytest.raises(TrainingError, match=r"^YesNo is a set of torchaudio, .* pip install 'vqc-codec\[train\]'$"):
        open_audio(["yesno"], 16_000, download=True)


class Missing:
    """An import finder for which a package does not exist."""

    def __init__(self, package: str, error: Exception | None = None) -> None:
        self.package = package
        self.error = error or ModuleNotFoundError(f"No module named '{package}'", name=package)

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        if name.split(".")[0] == self.package:
            raise self.error


@pytest.mark.parametrize(
    "error",
    [
        OSError("libcudart.so.13: cannot open shared object file\nmore lines"),
        RuntimeError("operator torchvision::nms does not exist"),
        ImportError("undefined symbol: _ZN3c10"),
        ModuleNotFoundError("No module named 'torch._six'", name="torch._six"),
        AttributeError("partially initialized module 'torchvision' has no attribute 'extension'"),
    ],
)
def test_a_package_that_does_not_fit_this_torch_is_told_in_a_sentence(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "torchvision", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Missing("torchvision", error), *sys.meta_path])
    with pytest.raises(TrainingError) as told:
        open_images(["cifar10"])
    first_line = str(error).splitlines()[0]
    assert str(told.value) == (
        f"CIFAR-10 needs torchvision, which does not work here ({first_line}); get the one that fits: "
        "pip install 'vqc-codec[train]'"
    )


def failing(error: Exception) -> type:
    class Failing:
        def __init__(self, root: str, *, download: bool = False, **arguments: Any) -> None:
            if not download:
                raise RuntimeError("Dataset not found.")
            (Path(root) / "half").write_bytes(b"half")
            raise error

    return Failing


@pytest.mark.parametrize(
    "error", [OSError("timed out"), RuntimeError("File not found or corrupted."), ValueError("bad tar"), EOFError()]
)
def test_a_download_that_fails_leaves_nothing_and_is_told(error: Exception, install: Install, cache: Path) -> None:
    install("torchvision", "SVHN", failing(error))
    with pytest.raises(TrainingError, match=f"SVHN cannot be downloaded: {error or 'EOFError'}; check the network"):
        open_images(["svhn"], download=True)
    assert list(cache.iterdir()) == []


def test_a_package_that_a_set_needs_besides_is_named(install: Install) -> None:
    class NeedsMore:
        def __init__(self, **arguments: Any) -> None:
            raise ModuleNotFoundError("No module named 'scipy'", name="scipy")

    install("torchvision", "SVHN", NeedsMore)
    with pytest.raises(TrainingError, match="SVHN needs the package scipy; install it with pip install scipy"):
        open_images(["svhn"])


def test_a_root_that_cannot_be_written_is_named(install: Install, tmp_path: Path) -> None:
    install("torchvision", "CIFAR10", FakeImages)
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"file: cannot be written: File exists; choose another"):
        open_images(["cifar10"], download=True, root=tmp_path / "file")


def test_an_older_package_without_the_set_is_told(install: Install) -> None:
    install("torchvision", "CIFAR10", FakeImages)
    with pytest.raises(TrainingError, match="Imagenette is not in the installed torchvision"):
        open_images(["imagenette"])


def test_unknown_names_are_told_with_the_nearest_known_one() -> None:
    with pytest.raises(TrainingError, match="no folder cifr10 and no set of that name; did you mean cifar10"):
        open_images(["cifr10"])
    with pytest.raises(TrainingError, match=r"no folder qqq .*; give a folder or one of librispeech, "):
        open_audio(["qqq"], 16_000)
    with pytest.raises(TrainingError, match=r"some/where is missing; give the folder of the data"):
        open_images(["some/where"])
    with pytest.raises(TrainingError, match=r"LibriSpeech is a set for another kind .* vqc train audio"):
        open_images(["LibriSpeech"])


def test_names_in_the_tables_are_as_they_are_looked_up() -> None:
    for name in (*IMAGE_SETS, *AUDIO_SETS):
        assert name == "".join(letter for letter in name.lower() if letter.isalnum())
    assert not IMAGE_SETS.keys() & AUDIO_SETS.keys()
