"""What is drawn of a data set, how evenly, and with which probabilities."""

from __future__ import annotations

import numpy as np
import pytest
from tiny_packs import audio_pack

from vqc.data.data_source import evenly_spaced
from vqc.errors import TrainingError
from vqc.training.sampling import draw_items, draw_probabilities, sample_within


def test_items_are_spaced_evenly_from_the_first_on() -> None:
    assert evenly_spaced(range(10), 4) == [0, 2, 5, 7]
    assert evenly_spaced(range(3), 10) == [0, 1, 2]
    assert evenly_spaced([], 2) == []


def test_long_utterances_are_likelier_and_none_comes_twice() -> None:
    dataset = audio_pack([np.zeros(n, np.float32) for n in (100, 100, 200, 700)])
    probabilities = draw_probabilities(dataset, ())
    np.testing.assert_allclose(probabilities, [0.1, 0.2, 0.7])
    assert sorted(draw_items(dataset, 100, probabilities, seed=0)) == dataset.training
    assert len(set(draw_items(dataset, 2, None, seed=1))) == 2
    np.testing.assert_allclose(draw_probabilities(dataset, (5.0,)), probabilities, err_msg="one folder has it all")
    with pytest.raises(TrainingError, match="source_shares"):
        draw_probabilities(dataset, (0.5, 0.5))


def test_starting_values_of_a_short_run_are_made_of_less() -> None:
    assert [sample_within(minutes, 700, 32) for minutes in (None, 90, 60, 30, 3, 0.1)] == [700, 700, 700, 350, 35, 32]
    assert sample_within(3, 20, 32) == 20
