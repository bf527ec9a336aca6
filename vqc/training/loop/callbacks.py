"""Who watches a run beside the user: TensorBoard."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from vqc._distribution import install_command
from vqc.errors import TrainingError
from vqc.training.loop.task import Outcome, RunPlan

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

LOOP_FIGURES = {"lr", "gradient_norm", "steps_per_second", "data_share"}  # of the loop; the others are the task's


class TensorBoardLog:
    """Writes all figures to RUN/tensorboard, for `tensorboard --logdir RUN`.

    Raises:
        TrainingError: tensorboard is not installed.
    """

    def __init__(self) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise TrainingError(
                f"TensorBoard logs need tensorboard, which is not installed; run: {install_command('tensorboard')}"
            ) from None
        self._make_writer = SummaryWriter
        self._writer: SummaryWriter | None = None

    def started(self, plan: RunPlan) -> None:
        # Steps after the checkpoint at which a run goes on are logged again; TensorBoard is to forget the old ones.
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
