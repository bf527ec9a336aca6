"""The history of a training in its run folder: the lines of `metrics.jsonl`, and the data by `run.json`.

A model file keeps a thinned copy of it, which reads as a history as well.

A line of metrics.jsonl is a JSON object with "step"; validation lines hold "val_…" figures, the others are training.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

from vqc.errors import TrainingError
from vqc.models.files.header import ModelInfo, read_info

Row = Mapping[str, float]
BOOKKEEPING = frozenset({"step", "minutes", "lr", "gradient_norm", "steps_per_second", "data_share"})
UNKNOWN_DATA = "data that the run folder does not name"


class Curve(NamedTuple):
    """A figure over the run, without the points that are not finite."""

    steps: list[float]
    values: list[float]


@dataclass(frozen=True, kw_only=True)
class History:
    """The logged figures of one run, in the order of the steps."""

    name: str
    trained_on: str
    training: Sequence[Row]
    validation: Sequence[Row]
    examples_per_step: float | None = None
    examples_per_epoch: float | None = None
    length: int | None = None  # steps of the whole run, where the rows do not tell

    @property
    def steps(self) -> int:
        """The last step with a figure."""
        return self.length or int(max(rows[-1]["step"] for rows in (self.training, self.validation) if rows))

    @property
    def minutes(self) -> float | None:
        """Training time up to the last step with a figure, if it was logged."""
        last = (*self.training[-1:], *self.validation[-1:])
        return max((row["minutes"] for row in last if "minutes" in row), default=None)

    def epochs(self, steps: float) -> float | None:
        """Number of passes over the training data in a number of steps, if the size of the data is known."""
        if not self.examples_per_step or not self.examples_per_epoch:
            return None
        return steps * self.examples_per_step / self.examples_per_epoch

    def curve(self, key: str) -> Curve:
        """Return the figure `key` over the run: of validation if it begins with "val_", of training otherwise."""
        rows = self.validation if key.startswith("val_") else self.training
        points = [(row["step"], row[key]) for row in rows if math.isfinite(row.get(key, math.nan))]
        return Curve([step for step, _ in points], [value for _, value in points])

    def keys(self) -> set[str]:
        """Names of all figures in any row."""
        return {key for rows in (self.training, self.validation) for row in rows for key in row}


def read_history(run_dir: Path) -> History:
    """The history of a run folder, or of a model file.

    A last line that was cut off while it was written is left out.

    Raises:
        TrainingError: there is no metrics.jsonl in the folder, it holds no row yet, or it is damaged.
        CheckpointError: the file is no model.
    """
    if run_dir.is_file():
        return history_of_model(read_info(run_dir))
    rows = _read_rows(run_dir / "metrics.jsonl")
    run = _read_run(run_dir / "run.json")
    return History(
        name=str(run.get("name") or run_dir.resolve().name),
        trained_on=str(run.get("trained_on") or UNKNOWN_DATA),
        training=[row for row in rows if not is_validation(row)],
        validation=[row for row in rows if is_validation(row)],
        examples_per_step=_positive(run.get("batch_size")),
        examples_per_epoch=_positive(run.get("examples_per_epoch")),
    )


def history_of_model(info: ModelInfo) -> History:
    """The history that a model file keeps of the run it comes from; TrainingError when it keeps none."""
    rows: dict[bool, dict[float, dict[str, float]]] = {True: {}, False: {}}  # whether of validation → step → figures
    for key, points in info.history.items():
        for step, value in points:
            rows[key.startswith("val_")].setdefault(step, {"step": step})[key] = value
    training, validation = ([rows[kind][step] for step in sorted(rows[kind])] for kind in (False, True))
    if not training and not validation:
        raise TrainingError(f"{info.path}: this model holds no history of its training; give its run folder")
    return History(
        name=info.name,
        trained_on=str(info.training.get("data") or UNKNOWN_DATA),
        training=training,
        validation=validation,
        length=info.training.get("steps"),
    )


def thinned(history: History, points: int = 150) -> dict[str, list[list[float]]]:
    """Thin a history for a model file: [[step, value], …] by figure, five digits each.

    Figures of training, which are noisy, become the means of as many equal parts of the run as there are `points` at
    most; of validation figures some are left out if there are more, never the last.
    """
    kept = {}
    for key in sorted(history.keys() - BOOKKEEPING):
        steps, values = history.curve(key)
        parts = [slice(n * i // m, n * (i + 1) // m) for n in [len(steps)] for m in [min(points, n)] for i in range(m)]
        if key.startswith("val_"):
            parts = [slice(part.stop - 1, part.stop) for part in parts]
        if parts:
            kept[key] = [[_rounded(fmean(steps[part])), _rounded(fmean(values[part]))] for part in parts]
    return kept


def is_validation(row: Row) -> bool:
    """Whether a row is one of validation figures."""
    return any(key.startswith("val_") for key in row)


def _read_rows(path: Path) -> list[Row]:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
    except (FileNotFoundError, NotADirectoryError):
        raise TrainingError(
            f"{path.parent}: there is no metrics.jsonl in it; give the folder of a run of vqc train"
        ) from None
    rows: list[Row] = []
    for number, line in enumerate(lines, 1):
        row = _read_row(line)
        if row is not None:
            _append(rows, row)
        elif line.strip() and (number < len(lines) or line.endswith("\n")):
            raise TrainingError(f"{path}: line {number} is damaged; remove that line and try again")
    if not rows:
        raise TrainingError(f"{path}: nothing is logged yet; wait until the run has made its first steps")
    return rows


def _read_row(line: str) -> Row | None:
    try:
        row = json.loads(line)
    except ValueError:
        return None
    step = row.get("step") if isinstance(row, dict) else None
    if not isinstance(step, (int, float)) or not 0 <= step < math.inf:
        return None
    return {key: value for key, value in row.items() if isinstance(value, (int, float))}


def _append(rows: list[Row], row: Row) -> None:
    """Append a row; a resumed run logs the steps after its checkpoint again, and the later rows count."""
    while rows and (
        rows[-1]["step"] > row["step"]
        or (rows[-1]["step"] == row["step"] and is_validation(rows[-1]) == is_validation(row))
    ):
        rows.pop()
    rows.append(row)


def _read_run(path: Path) -> dict[str, Any]:
    """Read run.json; it only explains the figures, so one that is missing or damaged is taken as empty."""
    try:
        run = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return run if isinstance(run, dict) else {}


def _rounded(value: float) -> float:
    return float(f"{value:.5g}")


def _positive(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) and 0 < value < math.inf else None
