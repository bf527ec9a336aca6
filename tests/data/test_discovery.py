"""Folders of any layout: what is in them, what their subfolders mean, and what is wrong in a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest
from folders import made

from vqc.data.discovery import find_media
from vqc.errors import TrainingError
from vqc.format.shapes import Media


def parts(folder: Path, media: Media = "image") -> dict[str, str | None]:
    found = find_media(folder, media)
    return {item.name.removeprefix(f"{folder.name}/"): item.part for item in found.items}


def test_files_are_found_at_any_depth_in_order_of_name(tmp_path: Path) -> None:
    made(tmp_path, "b.png", "a/z.JPG", "c/d/e.webp", "notes.txt", ".hidden.png", ".git/x.png", "__MACOSX/b.png")
    found = find_media(tmp_path, "image")
    names = ["a/z.JPG", "b.png", "c/d/e.webp"]
    assert [item.name for item in found.items] == [f"{tmp_path.name}/{name}" for name in names]
    assert found.paths == [tmp_path / name for name in names]
    assert [item.key for item in found.items] == names, "where the folder lies and its name decide nothing"
    assert found.notes == ()


def test_linked_folders_are_read_once(tmp_path: Path) -> None:
    made(tmp_path, "real/a.png", "data/b.png")
    (tmp_path / "data" / "more").symlink_to(tmp_path / "real")
    (tmp_path / "data" / "loop").symlink_to(tmp_path / "data")
    assert list(parts(tmp_path / "data")) == ["b.png", "more/a.png"]


def test_a_librispeech_tree_trains_on_train_and_never_reads_test(tmp_path: Path) -> None:
    train = [f"train-clean-100/{s}/1/{s}-1-0000.flac" for s in (19, 26)]
    made(tmp_path, *train, "dev-clean/84/1/84-1-0000.flac", "test-other/367/1/367-1-0000.flac", "SPEAKERS.TXT")
    assert parts(tmp_path, "audio") == {
        "dev-clean/84/1/84-1-0000.flac": "validation",
        train[0]: "training",
        train[1]: "training",
    }
    assert find_media(tmp_path, "audio").notes == (
        f"{tmp_path}/test-other is left out, as test data is never trained on (1 audio file)",
    )
    above = made(tmp_path.parent / "above", "readme")
    (above / "LibriSpeech").symlink_to(tmp_path)
    assert [name for name in parts(above, "audio") if "test" in name] == []


@pytest.mark.parametrize(
    ("folder", "part"),
    [
        ("train", "training"), ("Training", "training"), ("train2017", "training"), ("train-other-500", "training"),
        ("val", "validation"), ("valid", "validation"), ("Validation", "validation"), ("val_large", "validation"),
        ("dev", "validation"), ("dev-clean", "validation"), ("devel", None), ("valley", None), ("trainA", "training"),
        ("testament", None), ("testaments", None), ("trainspotting", None), ("contest", None), ("Devon", None),
    ],
)  # fmt: skip
def test_names_of_folders_tell_the_part(folder: str, part: str | None, tmp_path: Path) -> None:
    assert parts(made(tmp_path, f"{folder}/train.png")) == {f"{folder}/train.png": part}


@pytest.mark.parametrize("folder", ["Test", "tests", "testing", "test-clean", "test2007", "testA", "nested/test"])
def test_test_folders_are_left_out_and_named(folder: str, tmp_path: Path) -> None:
    made(tmp_path, "a.png", f"{folder}/b.png", f"{folder}/deep/c.png", f"{folder}/cover.flac")
    found = find_media(tmp_path, "image")
    assert found.paths == [tmp_path / "a.png"]
    assert found.notes == (f"{tmp_path}/{folder} is left out, as test data is never trained on (2 images)",)


def test_the_data_folder_may_be_called_anything(tmp_path: Path) -> None:
    assert parts(made(tmp_path / "test", "a.png", "test.png")) == {"a.png": None, "test.png": None}


def test_folders_without_such_media_are_refused_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="is missing; give the folder"):
        find_media(tmp_path / "nowhere", "image")
    with pytest.raises(TrainingError, match="holds no images to train on, it is empty"):
        find_media(tmp_path, "image")
    made(tmp_path, "a.txt", "b.mp4")
    with pytest.raises(TrainingError, match=r"no audio files to train on, none of its 2 files .* \.flac"):
        find_media(tmp_path, "audio")
    with pytest.raises(TrainingError, match="is a file; give the folder"):
        find_media(tmp_path / "a.txt", "image")
    made(tmp_path, "test/a.flac")
    with pytest.raises(TrainingError, match="no audio files to train on, none of its 3 files"):
        find_media(tmp_path, "audio")
    made(tmp_path, "a.flac", "b.flac")
    with pytest.raises(TrainingError, match="holds 2 audio files and no images; train on it with vqc train audio"):
        find_media(tmp_path, "image")


def test_folders_that_mix_kinds_are_refused_but_a_few_covers_are_not(tmp_path: Path) -> None:
    made(tmp_path, *(f"{i}.mp3" for i in range(150)), "cover1.jpg", "cover2.jpg", "cover3.jpg")
    assert len(find_media(tmp_path, "audio").items) == 150
    made(tmp_path, "cover4.jpg")
    with pytest.raises(TrainingError, match=r"mixes 4 images and 150 audio files; give a folder of audio files alone"):
        find_media(tmp_path, "audio")
