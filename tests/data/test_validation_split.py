"""What is held out stays held out: whatever files come later, and never a speaker on both sides."""

from __future__ import annotations

import pytest

from vqc.data.data_source import DataItem
from vqc.data.validation_split import is_held_out, split, split_key
from vqc.errors import TrainingError


def items(*names: str, part: str | None = None) -> list[DataItem]:
    return [DataItem(name, split_key(name), part) for name in names]  # type: ignore[arg-type]


NAMES = [f"class{i % 7}/{i}.png" for i in range(2_000)]


def test_one_key_in_twenty_is_held_out() -> None:
    held = sum(is_held_out(name) for name in NAMES)
    assert held == pytest.approx(100, abs=30)
    assert sum(is_held_out(name, 0.5) for name in NAMES) == pytest.approx(1_000, abs=70)
    assert all(is_held_out(name, 0.5) for name in NAMES if is_held_out(name)), (
        "a larger share holds out more, not others"
    )


def test_the_hash_is_the_same_on_every_machine_and_in_every_version() -> None:
    assert [name for name in NAMES[:85] if is_held_out(name)] == ["class2/30.png", "class6/83.png", "class0/84.png"]


def test_adding_files_moves_none_of_the_others() -> None:
    before, after = items(*NAMES[::2]), items(*NAMES)
    held_before = {before[i].name for i in split(before)[1]}
    held_after = {after[i].name for i in split(after)[1]}
    assert held_before == held_after & {item.name for item in before}


def test_no_speaker_is_on_both_sides() -> None:
    names = [f"train/{speaker}/1/{speaker}-1-{i:04}.flac" for speaker in range(100) for i in range(5)]
    found = items(*names)
    sides = [{names[i].split("/")[1] for i in side} for side in split(found)]
    assert not sides[0] & sides[1]
    assert len(sides[0]) + len(sides[1]) == 100
    assert len(sides[1]) >= 2


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("train-clean-100/19/198/19-198-0001.flac", "speaker 19"),
        ("dev/84/121123/84_121123_000007_000001.wav", "speaker 84"),
        ("wav48/p225/p225_001_mic1.flac", "speaker p225"),
        ("bed/00176480_nohash_0.wav", "speaker 00176480"),
        ("LJ001-0001.wav", "LJ001-0001.wav"),
        ("2024-05-06.jpg", "2024-05-06.jpg"),
        ("a/cafe\u0301.wav", "a/café.wav"),
    ],
)
def test_the_key_is_the_speaker_where_the_name_tells_it(name: str, key: str) -> None:
    assert split_key(name) == key


def test_a_validation_part_is_kept_and_the_other_sets_are_split_by_hash() -> None:
    own = [*items("val/a.png", part="validation"), *items("train/b.png", part="training"), *items("c.png")]
    training, validation = split(own)
    assert (training, validation) == ([1, 2], [0])
    training, validation = split(own, items(*NAMES[:85]))
    assert validation == [0, 3 + 30, 3 + 83, 3 + 84]
    assert sorted(training + validation) == list(range(88))


def test_small_sets_hold_out_one() -> None:
    small = items("a.png", "b.png", "c.png", part="training")
    training, validation = split(small)
    assert len(validation) == 1
    assert sorted(training + validation) == [0, 1, 2]
    training, validation = split(items(NAMES[30], NAMES[83]))
    assert len(training) == len(validation) == 1, "both would be held out"


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (items("1/19-1-0001.flac", "1/19-1-0002.flac"), "all of it is speaker 19; give more data"),
        (items("val/a.png", part="validation"), "validation part with nothing to train on; give the folder above"),
    ],
)
def test_what_cannot_be_split_is_refused(found: list[DataItem], words: str) -> None:
    with pytest.raises(TrainingError, match=words):
        split(found)


def test_a_set_marked_as_training_stays_whole_beside_one_with_a_validation_part() -> None:
    own = [DataItem(f"own/{i}", f"{i}", "validation" if i == 3 else "training") for i in range(9)]
    extra = [DataItem(f"extra/{i}", f"extra {i}", "training") for i in range(200)]
    assert split(own, extra)[1] == [3]
    assert len(split(extra)[1]) > 1, "alone, the hash takes its share"
    unmarked = [DataItem(f"more/{i}", f"more {i}") for i in range(200)]
    assert len(split(own, unmarked)[1]) > 1
