"""Archives: items come back as they would from files of their own, whatever was cut, killed or added."""

from __future__ import annotations

import pickle
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
import soundfile
from archive.conftest import archive, save_pictures
from golden.cases import FOLDER
from PIL import Image
from processes import stay_in_this_process

import vqc
from vqc.archive import create
from vqc.archive.create import ArchiveOptions, Chunk, Source, archive_files
from vqc.archive.extract import extract, targets_of
from vqc.archive.reader import Archive, open_archive
from vqc.archive.verify import verify_archive
from vqc.archive.writer import append_to_archive, create_archive
from vqc.codec.batches import BatchCompressor
from vqc.codec.open import open_codec
from vqc.data.image_files import Picture
from vqc.errors import ArchiveWarning, ContainerError, MediaError, OptionError, OutputError
from vqc.format.archive import ArchiveHeader, Item
from vqc.format.container import read_container
from vqc.models.files import zoo

NAMES = ["a/1.png", "a/2.png", "b/ż 蛙.png", "3.png", "a/x/4.png"]


def failures(chunks: list[Chunk]) -> list[str]:
    return [name for chunk in chunks for name, _ in chunk.failures]


@pytest.mark.parametrize("model", ["image", "image-prior", "photo", "photo-prior", "photo-stepped-prior", "maps"])
@pytest.mark.parametrize("entropy", ["auto", "static", "none"])
def test_items_are_the_files_that_compress_makes(tmp_path: Path, model: str, entropy: str) -> None:
    sources = save_pictures(tmp_path, NAMES, (40, 22))
    assert not failures(archive(tmp_path / "set.vqca", sources, model, entropy=entropy))
    with open_archive(tmp_path / "set.vqca") as opened:
        assert opened.names == NAMES
        assert [item.label for item in opened] == ["a", "a", "b", "", "a"]
        for source, item in zip(sources, opened, strict=True):
            picture = np.asarray(Image.open(source.path))
            alone = vqc.compress(picture, model=FOLDER / f"{model}.safetensors", entropy=opened.header.entropy)
            assert item.to_vqc() == alone
            restored = item.decode()
            expected = vqc.decompress(alone)
            assert isinstance(restored, vqc.Image)
            assert isinstance(expected, vqc.Image)
            assert np.abs(restored.array.astype(int) - expected.array).max() <= 1  # floats of another batch
        everything = opened.codes(range(len(opened)))
        assert all(np.array_equal(codes, opened[n].codes) for n, codes in enumerate(everything))
        assert everything[0].dtype == np.int64


def test_the_bytes_do_not_depend_on_processes_or_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stay_in_this_process(monkeypatch)
    sources = save_pictures(tmp_path, [f"{n:02}.png" for n in range(7)])
    with patch.object(create, "CHUNK_ITEMS", 3):
        archive(tmp_path / "one.vqca", sources, "image-prior")
        archive(tmp_path / "two.vqca", sources, "image-prior", workers=2)
        assert (tmp_path / "one.vqca").read_bytes() == (tmp_path / "two.vqca").read_bytes()
    archive(tmp_path / "three.vqca", sources, "image-prior")
    one, three = Archive(tmp_path / "one.vqca"), Archive(tmp_path / "three.vqca")
    assert [item.to_vqc() for item in one] == [item.to_vqc() for item in three]


def test_shapes_and_modes_may_be_mixed(tmp_path: Path) -> None:
    sources = save_pictures(tmp_path, ["1.png", "2.png"]) + save_pictures(tmp_path, ["3.png", "4.png"], (70, 30))
    gray, clear = Image.new("L", (12, 10), 9), Image.new("RGBA", (12, 10), (1, 2, 3, 4))
    for name, image in {"gray.png": gray, "clear.png": clear, "large.png": Image.new("RGB", (300, 280))}.items():
        image.save(tmp_path / name)
        sources.append(Source(tmp_path / name, name))
    archive(tmp_path / "set.vqca", sources, "image-prior")
    shapes = [np.asarray(item.decode().to_pil()).shape for item in open_archive(tmp_path / "set.vqca")]  # type: ignore[union-attr]
    assert shapes == [(10, 12, 3)] * 2 + [(30, 70, 3)] * 2 + [(10, 12), (10, 12, 4), (280, 300, 3)]


def test_sound_has_codes_of_one_channel_or_several(tmp_path: Path) -> None:
    rng, sources = np.random.default_rng(0), []
    for name, shape in {"a.wav": (3000, 1), "b.wav": (3000, 1), "stereo.wav": (2000, 2)}.items():
        soundfile.write(tmp_path / name, rng.normal(0, 0.1, shape), 8000)
        sources.append(Source(tmp_path / name, name))
    soundfile.write(tmp_path / "silent.wav", np.zeros(900), 8000)
    sources.append(Source(tmp_path / "silent.wav", "silent.wav"))
    archive(tmp_path / "set.vqca", sources, "audio-prior", media="audio")
    opened = open_archive(tmp_path / "set.vqca")
    assert opened.media == "audio"
    assert [codes.ndim for codes in opened.codes([0, 1, 2, 3])] == [2, 2, 3, 2]
    assert (opened["silent.wav"].codes == -1).all()
    assert all(vqc.decompress(item.to_vqc()).samples.shape == item.decode().samples.shape for item in opened)  # type: ignore[union-attr]
    two = opened.codes([0, 1])
    assert np.array_equal(opened[1].codes, two[1])


def test_only_what_is_asked_for_is_read(tmp_path: Path) -> None:
    sources = save_pictures(tmp_path, [f"{n:02}.png" for n in range(12)])
    with patch.object(create, "CHUNK_ITEMS", 3):
        archive(tmp_path / "set.vqca", sources, entropy="none")
    opened, read = Archive(tmp_path / "set.vqca"), list[int]()
    take = opened._file.read
    with patch.object(opened._file, "read", lambda start, length: read.append(length) or take(start, length)):
        assert opened[10].name == "10.png"
        assert opened[10].codes.shape[1:] == (3, 3)
    assert sum(read) < opened.size / 2
    with pytest.raises(IndexError):
        opened[12]
    with pytest.raises(KeyError):
        opened["nobody"]
    assert opened[-1].name == "11.png"
    assert [item.name for item in opened[3:5]] == ["03.png", "04.png"]
    assert "05.png" in opened
    assert pickle.loads(pickle.dumps(opened))[4].name == "04.png"  # noqa: S301


def test_an_archive_that_is_cut_anywhere_has_its_whole_items(tmp_path: Path) -> None:
    target, cut = tmp_path / "set.vqca", tmp_path / "cut.vqca"
    with patch.object(create, "CHUNK_ITEMS", 2):
        archive(target, save_pictures(tmp_path, NAMES), entropy="static")
    data, whole = target.read_bytes(), list(Archive(target))
    ends = [Archive(target)._entry(item.index).start + item.length for item in whole]
    for length in range(len(data)):
        cut.write_bytes(data[:length])
        try:
            opened = Archive(cut)
        except ContainerError:
            assert length < 18
            continue
        assert [item.name for item in opened] == [i.name for i, end in zip(whole, ends, strict=True) if end <= length]
        assert [item.to_vqc() for item in opened] == [item.to_vqc() for item in whole[: len(opened)]]


def test_what_is_cut_is_gone_on_with(tmp_path: Path) -> None:
    target, sources = tmp_path / "set.vqca", save_pictures(tmp_path, NAMES)
    archive(target, sources)
    data, whole = target.read_bytes(), [item.to_vqc() for item in Archive(target)]
    for length in range(18, len(data), 7):
        target.write_bytes(data[:length])
        if Archive(target).problem:
            with pytest.warns(ArchiveWarning, match="ends within a block"):
                open_archive(target)
        have = set(Archive(target).names)
        archive(target, [source for source in sources if source.name not in have], append=True)
        assert sorted(item.to_vqc() for item in open_archive(target)) == sorted(whole)
        assert not [problem for _, problem in verify_archive(Archive(target)) if problem]


def test_appending_leaves_what_is_there(tmp_path: Path) -> None:
    target, sources = tmp_path / "set.vqca", save_pictures(tmp_path, NAMES)
    archive(target, sources[:2])
    for source in sources[2:]:
        before = target.read_bytes()
        archive(target, [source], append=True)
        assert target.read_bytes().startswith(before)
    assert open_archive(target).names == NAMES
    before = target.read_bytes()
    assert failures(archive(target, sources[:1], append=True)) == ["a/1.png"]  # it is there
    assert target.read_bytes() == before
    assert open_archive(target).names == NAMES


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    archive(tmp_path / "set.vqca", save_pictures(tmp_path, NAMES))
    with append_to_archive(tmp_path / "set.vqca"), pytest.raises(OutputError, match="another program"):
        append_to_archive(tmp_path / "set.vqca")


def test_an_archive_can_be_read_while_it_grows(tmp_path: Path) -> None:
    header = ArchiveHeader(codec=1, entropy="none", quality=1, digest=b"digest")
    archive(tmp_path / "other.vqca", save_pictures(tmp_path, NAMES))
    shape = Archive(tmp_path / "other.vqca")[0].shape
    with create_archive(tmp_path / "set.vqca", header) as writer:
        assert list(open_archive(tmp_path / "set.vqca")) == []
        writer.write([Item("1", "", shape, b"x"), Item("2", "", shape, b"y")])
        assert open_archive(tmp_path / "set.vqca").names == ["1", "2"]
        writer.write([Item("3", "", shape, b"z")])
        assert open_archive(tmp_path / "set.vqca").names == ["1", "2", "3"]
    assert open_archive(tmp_path / "set.vqca").names == ["1", "2", "3"]


def test_an_empty_archive(tmp_path: Path) -> None:
    create_archive(tmp_path / "set.vqca", ArchiveHeader(codec=1, entropy="none", quality=1, digest=b"digest")).close()
    opened = open_archive(tmp_path / "set.vqca")
    assert (len(opened), opened.names, opened.labels, opened.problem) == (0, [], [], "")
    assert opened.codes([]) == []
    assert not list(verify_archive(opened))


def test_a_bad_file_does_not_stop_the_others(tmp_path: Path) -> None:
    sources = save_pictures(tmp_path, NAMES)
    (tmp_path / "broken.png").write_bytes((tmp_path / "3.png").read_bytes()[:60])
    twin = Source(tmp_path / "a/2.png", "a/1.png")
    sources += [Source(tmp_path / "broken.png", "broken.png"), Source(tmp_path / "none.png", "none.png"), twin]
    chunks = archive(tmp_path / "set.vqca", sources)
    assert sorted(failures(chunks)) == ["a/1.png", "broken.png", "none.png"]
    assert open_archive(tmp_path / "set.vqca").names == NAMES


def test_options_that_do_not_fit_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    sources, target = save_pictures(tmp_path, NAMES), tmp_path / "set.vqca"
    for options in ({"quality": 9}, {"entropy": "prior"}, {"rate": vqc.Rate(target_bytes=100)}, {"media": "audio"}):
        with pytest.raises(OptionError):
            archive(target, sources, **options)
    assert not target.exists()
    with pytest.raises(MediaError, match="no such archive"):
        archive(target, sources, append=True)
    archive(target, sources)
    with pytest.raises(OutputError, match="exists already"):
        archive(target, sources)
    archive(target, sources[:1], overwrite=True)
    assert len(open_archive(target)) == 1
    with pytest.raises(vqc.ModelNotFoundError):
        archive_files(target, sources[1:], ArchiveOptions(model=str(FOLDER / "photo.safetensors")), append=True)


def test_a_damaged_item_costs_itself_alone(tmp_path: Path) -> None:
    target = tmp_path / "set.vqca"
    with patch.object(create, "CHUNK_ITEMS", 2):
        archive(target, save_pictures(tmp_path, NAMES))
    opened = Archive(target)
    data, place = bytearray(target.read_bytes()), opened._entry(2)
    data[place.start + 1] ^= 8
    data[opened._map.places[0].start + 5] ^= 8  # in the directory of the first two
    target.write_bytes(data)
    opened = open_archive(target)
    problems = [problem for _, problem in verify_archive(opened) if problem]
    assert len(problems) == 2
    assert "ż 蛙.png" in problems[0]
    assert "items 1 to 2" in problems[1]
    done = list(extract(opened, list(opened.sound()), tmp_path / "out"))
    assert [bool(one.problem) for one in done] == [True, False, False]
    with pytest.raises(ContainerError):
        opened.codes([2])
    assert opened[3].codes.ndim == 3


def test_extracted_files_have_their_names(tmp_path: Path) -> None:
    assert targets_of(["a/x.jpg", "a/x.png", "b.v1.wav", "c"], Path("o"), ".png") == [
        Path("o/a/x.jpg.png"), Path("o/a/x.png.png"), Path("o/b.v1.png"), Path("o/c.png")
    ]  # fmt: skip
    archive(tmp_path / "set.vqca", save_pictures(tmp_path, NAMES))
    opened = open_archive(tmp_path / "set.vqca")
    assert not any(one.problem for one in extract(opened, list(opened), tmp_path / "out"))
    for item in opened:
        assert np.array_equal(np.asarray(Image.open(tmp_path / "out" / item.name)), item.decode().array)  # type: ignore[union-attr]
    assert all(one.problem for one in extract(opened, list(opened), tmp_path / "out"))
    assert all(one.skipped for one in extract(opened, list(opened), tmp_path / "out", skip=True))
    assert not any(one.problem for one in extract(opened, list(opened), tmp_path / "out", suffix=".vqc"))
    assert read_container((tmp_path / "out/a/1.vqc").read_bytes()).header.shape == opened[0].shape


def test_codes_do_not_depend_on_what_else_is_in_a_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the processor would multiply bfloat16, in which they would."""
    monkeypatch.setattr(zoo, "BUNDLED_FOLDER", Path(vqc.__file__).parent / "weights")
    monkeypatch.setenv("VQC_BFLOAT16", "1")
    compressor = BatchCompressor(open_codec("image", "photo", "cpu"), quality=None, entropy="none", rate=vqc.Rate())
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (40, 4, 4, 3), np.uint8).repeat(8, 1).repeat(8, 2)
    prepared = [compressor.prepare(Picture(pixels)) for pixels in noise]
    everything = [one for one in prepared if one is not None]
    whole = compressor.together(everything)
    assert len(whole) == 40
    assert [compressor.together([one])[0] for one in everything[:6]] == whole[:6]
    assert compressor.together(everything[33:]) == whole[33:]
    assert compressor.alone(Picture(noise[7])) == whole[7]
