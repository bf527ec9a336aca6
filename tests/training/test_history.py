"""The history of a run is what it logged, however it was cut off or resumed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from vqc.errors import TrainingError
from vqc.training.history import UNKNOWN_DATA, read_history, thinned


def write(folder: Path, *rows: dict[str, Any], tail: str = "") -> Path:
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "metrics.jsonl").write_text(text + tail, encoding="utf-8")
    return folder


def test_training_and_validation_rows_are_told_apart(tmp_path: Path) -> None:
    write(tmp_path, {"step": 1, "loss": 3.0}, {"step": 2, "loss": 2.0}, {"step": 2, "val_score": 5.0})
    history = read_history(tmp_path)
    assert history.curve("loss") == ([1, 2], [3.0, 2.0])
    assert history.curve("val_score") == ([2], [5.0])
    assert history.steps == 2
    assert history.name == tmp_path.name
    assert history.trained_on == UNKNOWN_DATA


@pytest.mark.parametrize("length", range(len('{"step": 3, "loss": 1.0}')))
def test_a_last_line_cut_anywhere_is_left_out(tmp_path: Path, length: int) -> None:
    write(tmp_path, {"step": 1, "loss": 3.0}, tail='{"step": 3, "loss": 1.0}'[:length])
    assert read_history(tmp_path).curve("loss") == ([1], [3.0])


def test_steps_that_were_logged_again_count_once(tmp_path: Path) -> None:
    """Killed at step 3 and resumed from the checkpoint of step 1; the end was validated twice."""
    rows = [{"step": i, "loss": float(i)} for i in (1, 2, 3)] + [{"step": i, "loss": 10.0 * i} for i in (2, 3)]
    write(tmp_path, *rows, {"step": 3, "val_score": 1.0}, {"step": 3, "val_score": 2.0})
    history = read_history(tmp_path)
    assert history.curve("loss") == ([1, 2, 3], [1.0, 20.0, 30.0])
    assert history.curve("val_score") == ([3], [2.0])


def test_curves_hold_finite_figures_only(tmp_path: Path) -> None:
    write(tmp_path, {"step": 1, "mel": 1.0}, {"step": 2}, {"step": 3, "mel": float("nan")}, {"step": 4, "mel": 2.0})
    assert read_history(tmp_path).curve("mel") == ([1, 4], [1.0, 2.0])


def test_epochs_follow_from_what_the_run_says_of_its_data(tmp_path: Path) -> None:
    write(tmp_path, {"step": 50, "loss": 1.0})
    assert read_history(tmp_path).epochs(50) is None
    run = {"name": "a", "trained_on": "b", "examples_per_epoch": 400, "batch_size": 16}
    (tmp_path / "run.json").write_text(json.dumps(run))
    history = read_history(tmp_path)
    assert history.epochs(50) == 2.0
    assert (history.name, history.trained_on) == ("a", "b")


@pytest.mark.parametrize("text", ["{", "[]", '{"name": null, "batch_size": "x"}'])
def test_a_strange_run_json_says_nothing(tmp_path: Path, text: str) -> None:
    (write(tmp_path, {"step": 1, "loss": 1.0}) / "run.json").write_text(text)
    history = read_history(tmp_path)
    assert (history.name, history.epochs(1)) == (tmp_path.name, None)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (None, "there is no metrics.jsonl in it"),
        ("", "nothing is logged yet"),
        ('{"step": 1, "lo', "nothing is logged yet"),
        ('{"step": 1, "lo\n{"step": 2}\n', "line 1 is damaged"),
        ('{"loss": 1}\n', "line 1 is damaged"),
        ("3\n", "line 1 is damaged"),
    ],
)
def test_a_folder_without_a_history_says_so(tmp_path: Path, text: str | None, problem: str) -> None:
    if text is not None:
        (tmp_path / "metrics.jsonl").write_text(text)
    with pytest.raises(TrainingError, match=problem):
        read_history(tmp_path)


def test_a_model_file_keeps_a_curve_of_few_points_with_the_slope_and_the_last_validation(tmp_path: Path) -> None:
    rows = [{"step": i, "loss": 7.0 * i, "lr": 0.1, "data_share": 0.2} for i in range(1, 1001)]
    write(tmp_path, *rows, *({"step": 1000 + i, "val_mse": 1 / i} for i in range(1, 308)))
    kept = thinned(read_history(tmp_path))
    assert set(kept) == {"loss", "val_mse"}
    assert {len(curve) for curve in kept.values()} == {150}
    assert all(value == pytest.approx(7 * step, rel=1e-4) for step, value in kept["loss"])
    assert kept["val_mse"][-1] == [1307, float(f"{1 / 307:.5g}")]
    assert thinned(read_history(tmp_path), points=2)["loss"] == [[250.5, 1753.5], [750.5, 5253.5]]


def test_a_short_run_is_kept_as_it_is(tmp_path: Path) -> None:
    write(tmp_path, {"step": 1, "loss": 3.0}, {"step": 2, "loss": 2.0}, {"step": 2, "val_score": 5.0})
    assert thinned(read_history(tmp_path)) == {"loss": [[1, 3.0], [2, 2.0]], "val_score": [[2, 5.0]]}
