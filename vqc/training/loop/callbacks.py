"""Callbacks of a run: their interface, and TensorBoard."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from vqc._distribution import needs_extra
from vqc.errors import TrainingError

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

LOOP_FIGURES = {"lr", "gradient_norm", "steps_per_second", "data_share"}  # of the loop; the others are the task's


class RunPlan(NamedTuple):
    """The limits of a run, as it starts."""

    steps: int  # at most
    minutes: float | None  # of training, validation not counted; None: the steps decide
    start_step: int  # 0, or where the run is resumed
    run_dir: Path


class Outcome(NamedTuple):
    """How far a run came."""

    step: int
    seconds: float  # of training, those of earlier sessions included
    best: float  # lowest score of a validation; infinite before the first
    interrupted: bool  # by Ctrl-C, SIGTERM or an exception: there is more to do


class Callback(Protocol):
    """Hears of a run on rank 0. `started` and `ended` come once each, `ended` whatever happens.

    Rows hold "step" and "minutes". A row of training also holds "loss", the figures of the task by their names and
    "gradient_norm" (means over the batches since the last row, of those that had them), "lr", "steps_per_second" and
    "data_share" (of the time since the last row, spent waiting for batches). A row of validation holds the figures of
    `Task.validate` with "val_" before their names.
    """

    def started(self, plan: RunPlan) -> None:
        """Before the first step."""

    def logged(self, row: Mapping[str, float]) -> None:
        """Figures of the training steps since the last row."""

    def validated(self, row: Mapping[str, float], best: bool) -> None:
        """Figures of a validation, and whether its score is the best so far."""

    def ended(self, outcome: Outcome) -> None:
        """After the last step."""


class TensorBoardLog:
    """Writes all figures to RUN/tensorboard, for `tensorboard --logdir RUN`.

    Raises:
        TrainingError: tensorboard is not installed.
    """

    def __init__(self) -> None:
        with needs_extra("tensorboard", "TensorBoard logs need tensorboard, which is not installed", TrainingError):
            from torch.utils.tensorboard import SummaryWriter
        self._make_writer = SummaryWriter
        self._writer: SummaryWriter | None = None

    def started(self, plan: RunPlan) -> None:
        # Steps after the checkpoint of a resumed run are logged again; TensorBoard is to forget the old ones.
        again = plan.start_step + 1 if plan.start_step else None
        self._writer = self._make_writer(str(plan.run_dir / "tensorboard"), purge_step=again)

    def logged(self, row: Mapping[str, float]) -> None:
        self._write({f"{'loop' if name in LOOP_FIGURES else 'training'}/{name}": row[name] for name in row}, row)

    def validated(self, row: Mapping[str, float], best: bool) -> None:
        self._write({f"validation/{name.removeprefix('val_')}": row[name] for name in row}, row)
        if self._writer is not None:
            self._writer.flush()

    def ended(self, outcome: Outcome) -> None:
        if self._writer is not None:
            self._writer.close()

    def _write(self, figures: Mapping[str, float], row: Mapping[str, float]) -> None:
        for tag, value in figures.items():
            if self._writer is not None and tag.split("/")[1] not in {"step", "minutes"}:
                self._writer.add_scalar(tag, value, int(row["step"]))
