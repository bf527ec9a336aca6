"""What those see who do not sit at the terminal."""

from __future__ import annotations

import sys
import types
from pathlib import Path

import pytest

from vqc.errors import TrainingError
from vqc.training.loop.callbacks import Outcome, RunPlan, TensorBoardLog

ROW = {"step": 1050, "minutes": 0.1234567, "loss": 12345.678, "lr": 0.0003, "data_share": 0.01}
VALIDATION = {"step": 1050, "minutes": 0.12, "val_score": -2.5}


def watch(callback: TensorBoardLog, run_dir: Path, start: int = 0) -> None:
    callback.started(RunPlan(2000, None, start, run_dir))
    callback.logged(ROW)
    callback.validated(VALIDATION, best=True)
    callback.validated({**VALIDATION, "step": 2000}, best=False)
    callback.ended(Outcome(2000, 120.0, -2.5, interrupted=False))


class Writer:
    """Remembers what TensorBoard would be told."""

    made: list[Writer]

    def __init__(self, folder: str, purge_step: int | None) -> None:
        self.folder, self.purge_step, self.scalars, self.open = folder, purge_step, {}, True
        Writer.made.append(self)

    def add_scalar(self, tag: str, value: float, step: int) -> None:
        assert self.open
        self.scalars[tag, step] = value

    def flush(self) -> None: ...

    def close(self) -> None:
        self.open = False


@pytest.mark.parametrize(("start", "purged"), [(0, None), (1000, 1001)])
def test_tensorboard_hears_every_figure_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, start: int, purged: int | None
) -> None:
    Writer.made = []
    module = types.SimpleNamespace(SummaryWriter=Writer)
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)
    watch(TensorBoardLog(), tmp_path, start)
    (writer,) = Writer.made
    assert (writer.folder, writer.purge_step, writer.open) == (str(tmp_path / "tensorboard"), purged, False)
    assert writer.scalars == {
        ("training/loss", 1050): 12345.678,
        ("loop/lr", 1050): 0.0003,
        ("loop/data_share", 1050): 0.01,
        ("validation/score", 1050): -2.5,
        ("validation/score", 2000): -2.5,
    }


def test_without_tensorboard_one_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(TrainingError, match=r"pip install 'vqc-codec\[tensorboard\]'"):
        TensorBoardLog()
