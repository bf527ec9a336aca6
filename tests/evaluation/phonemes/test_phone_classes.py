"""Phones of any aligner as the 41 classes, one each 10 ms."""

from vqc.evaluation.phonemes.phone_classes import CLASSES, OTHER, SILENCE, Segment, class_of, frame_classes


def test_there_are_the_39_phones_silence_and_the_rest() -> None:
    assert len(set(CLASSES)) == 41
    assert (CLASSES[SILENCE], CLASSES[OTHER]) == ("sil", "other")


def test_stress_and_case_do_not_count_and_unknown_names_are_other() -> None:
    assert class_of("AH0") == class_of("AH1") == class_of("ah") == CLASSES.index("AH")
    assert {class_of(name) for name in ("SIL", "sp", "", "<eps>", " sil ")} == {SILENCE}
    assert {class_of(name) for name in ("+SPN+", "spn", "+NSN+", "ʃ", "noise")} == {OTHER}


def test_a_frame_is_what_is_said_in_its_middle() -> None:
    segments = [Segment(0.0, 0.014, "S"), Segment(0.014, 0.036, "IY1")]
    expected = ["S", "IY", "IY", "IY", "sil"]  # the middles are 5, 15, 25, 35 and 45 ms
    assert [CLASSES[c] for c in frame_classes(segments, 0.055)] == expected
    assert len(frame_classes(segments, 0.009)) == 0
