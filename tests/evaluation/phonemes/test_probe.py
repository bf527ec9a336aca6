"""The map from codes to phones: most frequent on one half, scored on the other, context that falls back."""

from __future__ import annotations

import numpy as np
import pytest

from vqc.evaluation.phonemes.phone_classes import CLASSES, SILENCE
from vqc.evaluation.phonemes.probe import LEAST_HEARD, AlignedCodes, CodeMap, align_codes, split_speakers

A, B, C = 0, 1, 2


def utterance(codes: list[int], classes: list[int], speaker: str = "1") -> AlignedCodes:
    return align_codes(speaker, np.array(codes), 100, np.array(classes))


def test_a_code_stands_for_its_most_frequent_phone() -> None:
    learnt = CodeMap([utterance([0, 0, 0, 1, 1], [A, A, B, SILENCE, SILENCE])], 3, "single")
    score = learnt.score([utterance([0, 0, 1, 2], [A, B, SILENCE, A])])
    assert learnt.codes.tolist() == [A, SILENCE, learnt.majority]  # code 2 was never heard
    assert score.accuracy == pytest.approx(3 / 4 if learnt.majority == A else 2 / 4)
    assert score.accuracy_speech == pytest.approx(2 / 3 if learnt.majority == A else 1 / 3)
    assert score.confusion.sum() == score.frames == 4
    assert score.confusion[B, A] == 1


def test_chance_and_majority_are_those_of_the_frequencies() -> None:
    learnt = CodeMap([utterance([0] * 4, [A, A, A, B])], 1, "single")
    score = learnt.score([utterance([0] * 4, [A, B, B, C])])
    assert score.majority == 1 / 4
    assert score.chance == pytest.approx(1 / 4 * 3 / 4 + 2 / 4 * 1 / 4)


def test_pairs_tell_what_codes_alone_cannot() -> None:
    """The phone is that of the code before: no single code can tell it."""
    codes = np.random.default_rng(0).integers(0, 4, 4_000)
    classes = np.concatenate([[0], codes[:-1]])
    both = [AlignedCodes("1", codes[part], np.concatenate([[-1], codes])[:-1][part], classes[part])
            for part in (slice(0, 2_000), slice(2_000, None))]  # fmt: skip
    assert CodeMap(both[:1], 4, "single").score(both[1:]).accuracy < 0.4
    assert CodeMap(both[:1], 4, "pair").score(both[1:]).accuracy > 0.99


def test_a_pair_that_was_hardly_heard_falls_back_to_its_code() -> None:
    often = [utterance([1, 0], [A, A])] * 10
    rare = [utterance([2, 0], [A, B])]
    few, enough = (CodeMap(often + rare * n, 3, "pair") for n in (LEAST_HEARD - 1, LEAST_HEARD))
    asked = [utterance([2, 0], [A, B])]
    assert few.score(asked).confusion[B, A] == 1
    assert enough.score(asked).confusion[B, B] == 1


@pytest.mark.parametrize("rate", [50.0, 100.0, 250.0, 12.5])
def test_each_10_ms_takes_the_code_in_its_middle(rate: float) -> None:
    codes = np.arange(int(rate) + 1)  # of a second and more
    found = align_codes("1", codes, rate, np.zeros(100, np.int64)).codes
    assert found.tolist() == [int((t + 0.5) / 100 * rate) for t in range(100)]


def test_phones_beyond_the_last_code_are_left_out() -> None:
    assert len(align_codes("1", np.zeros(3, np.int64), 100, np.zeros(9, np.int64)).codes) == 3


def test_halves_share_no_speaker() -> None:
    assert split_speakers(["b", "a", "c", "a", "d"]) == (["a", "c"], ["b", "d"])
    assert split_speakers(["a", "a"]) == (["a"], [])


def test_random_codes_score_what_the_majority_does() -> None:
    generator = np.random.default_rng(1)
    classes = generator.choice(3, 20_000, p=[0.5, 0.3, 0.2])
    parts = [utterance(generator.integers(0, 8, 20_000).tolist(), classes.tolist()) for _ in range(2)]
    score = CodeMap(parts[:1], 8, "single").score(parts[1:])
    assert score.accuracy == pytest.approx(score.majority) == pytest.approx(0.5, abs=0.02)
    assert len(CLASSES) == len(score.confusion)
