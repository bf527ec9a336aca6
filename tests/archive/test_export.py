"""Archives as files of other programs: codes, and what items restore to."""

from __future__ import annotations

import io
import json
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
import soundfile
from archive.conftest import archive, save_pictures
from PIL import Image
from processes import stay_in_this_process

import vqc
from vqc.archive import export
from vqc.archive.create import Source
from vqc.archive.export import export_items
from vqc.archive.reader import Archive, open_archive
from vqc.errors import ContainerError, MissingPackageError, OptionError, OutputError

NAMES = [f"{label}/{n}.png" for label in ("cat", "dog") for n in range(4)]
FORMS = ("npz", "webdataset", "parquet")


@pytest.fixture
def pictures(tmp_path: Path) -> Archive:
    archive(tmp_path / "a.vqca", save_pictures(tmp_path, NAMES))
    return open_archive(tmp_path / "a.vqca")


@pytest.fixture
def mixed(tmp_path: Path) -> Archive:
    """Colour, grey and transparent, of two sizes; one is of several tiles."""
    sources = save_pictures(tmp_path, ["1.png", "2.png"]) + save_pictures(tmp_path, ["3.png"], (300, 280))
    for name, image in {
        "4.png": Image.new("L", (12, 10), 9),
        "5.png": Image.new("RGBA", (12, 10), (1, 2, 3, 4)),
    }.items():
        image.save(tmp_path / name)
        sources.append(Source(tmp_path / name, name))
    archive(tmp_path / "m.vqca", sources)
    return open_archive(tmp_path / "m.vqca")


@pytest.fixture
def sound(tmp_path: Path) -> Archive:
    sources, rng = [], np.random.default_rng(0)
    for name, shape in {"a/1.wav": (3000,), "a/2.wav": (5000, 2), "b/3.wav": (3000,)}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        samples = rng.normal(0, 0.1, shape)
        samples[..., -1] = 0 if len(shape) > 1 else samples[..., -1]  # a silent channel
        soundfile.write(tmp_path / name, samples, 16_000)
        sources.append(Source(tmp_path / name, name, name[0]))
    archive(tmp_path / "s.vqca", sources, "audio", media="audio")
    return open_archive(tmp_path / "s.vqca")


def arrays_of(path: Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as held:
        return dict(held)


def restored(opened: Archive) -> list[np.ndarray]:
    """What all items restore to, read as they are exported: together, which may decide a last bit."""
    media = opened.decode(range(len(opened)))
    return [one.array if isinstance(one, vqc.Image) else one.samples.squeeze() for one in media]


def taken_apart(arrays: dict[str, np.ndarray], name: str) -> list[np.ndarray]:
    """The arrays of each item of those that lie flat."""
    shapes = [tuple(int(side) for side in row if side) for row in arrays["shapes"]]
    ends = np.cumsum([np.prod(shape) for shape in shapes])
    return [part.reshape(shape) for part, shape in zip(np.split(arrays[name], ends[:-1]), shapes, strict=True)]


def files_in(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as tar:
        return {entry.name: file.read() for entry in tar if (file := tar.extractfile(entry))}


def test_arrays_of_codes(pictures: Archive, tmp_path: Path) -> None:
    export_items(pictures, tmp_path / "a.npz", "npz")
    arrays = arrays_of(tmp_path / "a.npz")
    assert np.array_equal(arrays["codes"], np.stack(pictures.codes(range(8))))
    assert arrays["codes"].dtype == np.uint16
    assert [str(arrays["label_names"][n]) for n in arrays["labels"]] == [item.label for item in pictures]
    assert arrays["names"].tolist() == NAMES


def test_arrays_of_pixels(pictures: Archive, tmp_path: Path) -> None:
    export_items(pictures, tmp_path / "a.npz", "npz", decode=True)
    arrays = arrays_of(tmp_path / "a.npz")
    assert np.array_equal(arrays["image"], np.stack(restored(pictures)))
    assert (arrays["image"].dtype, arrays["image"].shape) == (np.uint8, (8, 10, 12, 3))


def test_arrays_of_several_shapes_lie_flat(mixed: Archive, sound: Archive, tmp_path: Path) -> None:
    for number, opened in enumerate((mixed, sound)):
        for decode, name in {False: "codes", True: opened.media}.items():
            target = tmp_path / f"{number}-{name}.npz"
            export_items(opened, target, "npz", decode=decode)
            expected = restored(opened) if decode else opened.codes(range(len(opened)))
            assert all(map(np.array_equal, taken_apart(arrays_of(target), name), expected))
            assert len(arrays_of(target)["names"]) == len(expected)
    arrays = arrays_of(tmp_path / "1-codes.npz")
    assert arrays["sample_rates"].tolist() == [16_000] * 3
    assert arrays["codes"].min() == -1


def test_an_archive_without_items(pictures: Archive, tmp_path: Path) -> None:
    data = (tmp_path / "a.vqca").read_bytes()
    (tmp_path / "none.vqca").write_bytes(data[: pictures._map.places[0].start])
    opened = Archive(tmp_path / "none.vqca")
    export_items(opened, tmp_path / "none.npz", "npz")
    assert arrays_of(tmp_path / "none.npz")["codes"].shape == (0,)
    export_items(opened, tmp_path / "none.tar", "webdataset", decode=True)
    assert files_in(tmp_path / "none.tar") == {}


def test_a_tar_of_codes(pictures: Archive, tmp_path: Path) -> None:
    export_items(pictures, tmp_path / "a.tar", "webdataset")
    held = files_in(tmp_path / "a.tar")
    assert len(held) == 24
    assert np.array_equal(np.load(io.BytesIO(held["000005.codes.npy"])), pictures[5].codes)
    assert (held["000005.cls"], json.loads(held["000005.json"])["name"]) == (b"1", "dog/1.png")


def test_a_tar_of_images(mixed: Archive, tmp_path: Path) -> None:
    export_items(mixed, tmp_path / "a.tar", "webdataset", decode=True)
    held = files_in(tmp_path / "a.tar")
    for number, expected in enumerate(restored(mixed)):
        with Image.open(io.BytesIO(held[f"{number:06}.png"])) as image:
            assert np.array_equal(np.asarray(image), expected)
    export_items(mixed, tmp_path / "b.tar", "webdataset", decode=True, suffix=".jpg")
    with Image.open(io.BytesIO(files_in(tmp_path / "b.tar")["000000.jpg"])) as image:
        assert image.format == "JPEG"


def test_a_tar_of_sound(sound: Archive, tmp_path: Path) -> None:
    for suffix in (".wav", ".flac"):
        export_items(sound, tmp_path / f"{suffix}.tar", "webdataset", decode=True, suffix=suffix)
        held = files_in(tmp_path / f"{suffix}.tar")
        for number, expected in enumerate(restored(sound)):
            samples, rate = soundfile.read(io.BytesIO(held[f"{number:06}{suffix}"]))
            assert rate == 16_000
            assert np.abs(samples - expected).max() <= 2.0**-15
    with pytest.raises(OutputError, match="mp3 files have sample rates of"):
        soundfile.write(tmp_path / "rare.wav", np.zeros(3000), 17_000)
        archive(tmp_path / "r.vqca", [Source(tmp_path / "rare.wav", "rare.wav")], "audio", media="audio")
        export_items(open_archive(tmp_path / "r.vqca"), tmp_path / "r.tar", "webdataset", decode=True, suffix=".mp3")
    assert not (tmp_path / "r.tar").exists()


def test_a_table_of_codes(pictures: Archive, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    export_items(pictures, tmp_path / "a.parquet", "parquet")
    table = parquet.read_table(tmp_path / "a.parquet")
    assert table.column("name").to_pylist() == NAMES
    assert np.array_equal(table.column("codes").to_pylist()[3], pictures[3].codes)
    assert json.loads(table.schema.metadata[b"huggingface"])["info"]["features"]["label"]["names"] == ["cat", "dog"]


def test_tables_of_media(mixed: Archive, sound: Archive, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    for opened, suffix in ((mixed, ".png"), (sound, ".wav")):
        export_items(opened, tmp_path / f"{suffix}.parquet", "parquet", decode=True)
        export_items(opened, tmp_path / f"{suffix}.tar", "webdataset", decode=True)
        table, tar = parquet.read_table(tmp_path / f"{suffix}.parquet"), files_in(tmp_path / f"{suffix}.tar")
        features = json.loads(table.schema.metadata[b"huggingface"])["info"]["features"]
        assert features[opened.media] == {"_type": opened.media.capitalize()}
        for item, value in zip(opened, table.column(opened.media).to_pylist(), strict=True):
            assert value == {"bytes": tar[f"{item.index:06}{suffix}"], "path": item.name[:-4] + suffix}
    with pytest.raises(OptionError, match="of one channel and of several"):
        export_items(sound, tmp_path / "codes.parquet", "parquet")


def test_a_table_without_its_package(pictures: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingPackageError, match=r"pip install 'vqc-codec\[parquet\]'"):
        export_items(pictures, tmp_path / "a.parquet", "parquet")
    assert not (tmp_path / "a.parquet").exists()
    with pytest.raises(OptionError, match="choose one of parquet"):
        export_items(pictures, tmp_path / "a", "zip")


def test_formats_are_of_files_alone(pictures: Archive, tmp_path: Path) -> None:
    for form, decode in (("npz", True), ("webdataset", False)):
        with pytest.raises(OptionError, match="it needs --decode, and not --to npz"):
            export_items(pictures, tmp_path / "a", form, decode=decode, suffix=".png")


@pytest.mark.parametrize("form", ["npz", "webdataset"])
@pytest.mark.parametrize("decode", [False, True])
def test_files_do_not_depend_on_processes_or_chunks(
    mixed: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str, decode: bool
) -> None:
    stay_in_this_process(monkeypatch)
    done: list[int] = []
    export_items(mixed, tmp_path / "whole", form, decode=decode)
    monkeypatch.setattr(export, "_TOGETHER", 2)
    monkeypatch.setattr(export, "_VALUES_TOGETHER", 300 * 280)
    export_items(mixed, tmp_path / "one", form, decode=decode)
    export_items(mixed, tmp_path / "two", form, decode=decode, workers=2, progress=done.append)
    assert done == [2, 3, 5]
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    if not decode:  # whose last bits depend on what is decoded together
        assert (tmp_path / "one").read_bytes() == (tmp_path / "whole").read_bytes()


@pytest.mark.parametrize("form", FORMS)
def test_nothing_is_left_of_a_damaged_archive(pictures: Archive, tmp_path: Path, form: str) -> None:
    if form == "parquet":
        pytest.importorskip("pyarrow.parquet")
    data = bytearray((tmp_path / "a.vqca").read_bytes())
    data[pictures._entry(3).start] ^= 1
    (tmp_path / "bad.vqca").write_bytes(data)
    with pytest.raises(ContainerError, match=r"cat/3\.png in the archive is damaged"):
        export_items(open_archive(tmp_path / "bad.vqca"), tmp_path / "out", form, decode=True)
    assert not (tmp_path / "out").exists()
