"""The phone recogniser without words, and the errors counted between two hearings."""

from __future__ import annotations

import numpy as np
import pytest

from vqc.evaluation.phonemes.phone_loop import PhoneLoop, phone_errors, phones_in


def test_pauses_are_no_phones() -> None:
    assert phones_in(["SIL", "AH", "+NSN+", "T", "SIL"]) == ["AH", "T"]


@pytest.mark.parametrize(
    ("spoken", "heard", "errors"),
    [
        ("", "", 0),
        ("K AE T", "K AE T", 0),
        ("K AE T", "", 3),
        ("", "K AE T", 3),
        ("K AE T", "K EH T", 1),
        ("K AE T S", "AE T S", 1),
        ("AE T", "K AE T S", 2),
        ("K IH T AH N", "S IH T IH NG", 3),
    ],
)
def test_errors_are_put_in_left_out_or_replaced(spoken: str, heard: str, errors: int) -> None:
    assert phone_errors(spoken.split(), heard.split()) == errors
    assert phone_errors(heard.split(), spoken.split()) == errors


def test_nobody_speaks_in_noise() -> None:
    pytest.importorskip("pocketsphinx")
    noise = np.random.default_rng(0).normal(0, 0.05, 32_000).astype(np.float32)
    assert PhoneLoop()(noise) < 1


def test_what_is_too_loud_is_heard_like_what_is_clipped() -> None:
    pytest.importorskip("pocketsphinx")
    loud = 3 * np.sin(np.arange(16_000) * 0.2).astype(np.float32)
    listener = PhoneLoop()
    assert listener.hear(loud) == listener.hear(loud.clip(-1, 1))
