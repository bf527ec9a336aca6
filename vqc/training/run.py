"""A whole training run: data, model, loop, and the model file at the end.

::

    settings + data ──► start ──► loop ──► finish ──► RUN/model.safetensors
                          ▲         │
                          └ resume ─┘          RUN/run.json says how the run was begun, for `--resume` and captions
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors.torch import load_file

from vqc._version import __version__
from vqc.atomic import write_atomically
from vqc.data.batches import Shard
from vqc.errors import OptionError, TrainingError
from vqc.models.files.checkpoint import load_checkpoint
from vqc.nn.distributed import own_rank
from vqc.training.history import read_history, thinned
from vqc.training.loop.callbacks import Callback, Outcome
from vqc.training.loop.distributed import Ranks, broadcast_bytes, broadcast_number
from vqc.training.loop.run_folder import RunFolder, with_prefix
from vqc.training.loop.trainer import Trainer
from vqc.training.parts.frozen_codec import FrozenCodec
from vqc.training.recipe import Progress, Recipe, recipe_of
from vqc.training.settings import SECTIONS, Settings, resolve
from vqc.training.stages import stage

RECORD = "run.json"
MODEL_FILE = "model.safetensors"
BEST = "best.safetensors"


@dataclass(frozen=True, kw_only=True)
class Run:
    """What a run is made of; `run.json` in its folder is this."""

    folder: Path
    name: str  # of the model
    settings: Settings
    sources: tuple[str, ...]  # folders, or names of data sets
    start: str = ""  # model file whose weights it began with; for a prior also a run folder
    trained_on: str = ""  # for captions

    @property
    def recipe(self) -> Recipe:
        """How models of this kind are trained."""
        return recipe_of(self.settings.kind)

    def build(self) -> Any:
        """The model, untrained; OptionError when its settings make no network."""
        torch.manual_seed(self.settings.loop.seed)
        try:
            return self.recipe.build(self.settings)
        except (ArithmeticError, IndexError, RuntimeError, TypeError, ValueError) as error:  # networks check no configs
            raise OptionError(f"no network can be made with these [model] settings: {error}") from error

    def open_data(self, *, download: bool = False, progress: Progress | None = None) -> Any:
        """The data, decoded once."""
        return self.recipe.open_data(self.sources, self.settings, download=download, progress=progress)


Phase = Callable[[str], AbstractContextManager[Progress]]  # what is being done, for as long as it takes


@contextmanager
def unwatched(text: str) -> Iterator[Progress]:
    """A phase that nobody looks at."""
    yield lambda done, total: None


class Trained(NamedTuple):
    """What came of a run. Seconds are of this session, and come on top of those of training."""

    outcome: Outcome
    model_file: Path | None  # None when it was interrupted
    digest: str
    figures: Mapping[str, Any]
    start_seconds: float = 0.0  # until the first step
    finish_seconds: float = 0.0  # from the last step to the model file


def exists(folder: Path) -> bool:
    """Whether a folder holds a run that can be gone on with."""
    return (folder / RECORD).exists()


def read_run(folder: Path, overrides: Sequence[str] = ()) -> Run:
    """The run in a folder, on several ranks that of rank 0; TrainingError when there is none."""
    file = folder / RECORD
    data = broadcast_bytes(file.read_bytes() if own_rank() == 0 and file.is_file() else b"")
    try:
        record = json.loads(data)
        tables = {key: record[key] for key in ("kind", *SECTIONS)}
        fields = {key: record[key] for key in ("name", "start", "trained_on")}
        sources = tuple(record["sources"])
    except (ValueError, KeyError, TypeError):
        raise TrainingError(f"{folder} holds no run to go on with; its {RECORD} is missing or damaged") from None
    settings = resolve(tables, overrides, where=str(file))
    return Run(folder=folder, settings=settings, sources=sources, **fields)


def write_run(run: Run, pack: Any) -> None:
    """Keep what the run is made of, for `--resume`, figures and the curious."""
    batch = int(getattr(run.settings.task, "batch_size", 1)) * run.settings.loop.accumulate
    record = {
        "name": run.name,
        **run.settings.as_dict(),
        "sources": [_absolute(source) for source in run.sources],
        "start": run.start,
        "trained_on": run.trained_on,
        "examples": run.recipe.examples,
        "examples_per_epoch": len(pack.training),
        "batch_size": batch,
        "validation_examples": len(pack.validation),
        "skipped": len(pack.skipped),
        "vqc": __version__,
        "torch": torch.__version__,
    }
    write_atomically(run.folder / RECORD, json.dumps(record, indent=1).encode(), overwrite=True)


def train(
    run: Run,
    pack: Any,
    *,
    ranks: Ranks,
    device: str,
    output: Path | None = None,
    overwrite: bool = False,
    callbacks: Sequence[Callback] = (),
    phase: Phase = unwatched,
) -> Trained:
    """Begin or go on with a run until its time is up or it is interrupted, and write the model file.

    Starting values before the training and tables after it take their own time, which is told as a `phase` each.
    """
    begun = time.monotonic()
    model = run.build()
    resumed = broadcast_number((run.folder / "state.safetensors").exists())
    if not resumed:
        _start(run, model, pack, phase)
    task = run.recipe.make_task(model, pack, run.settings, Shard(ranks.rank, ranks.world))
    trainer = Trainer(task, run.settings.loop, run.folder, callbacks=callbacks, device=device)
    if ranks.first:  # only now: a run whose state does not fit these settings keeps its record
        write_run(run, pack)
    start_seconds = time.monotonic() - begun
    outcome = trainer.run()
    if outcome.interrupted or not ranks.first:
        return Trained(outcome, None, "", {}, start_seconds)
    begun = time.monotonic()
    path, digest, figures = export(run, pack, output, overwrite=overwrite, phase=phase)
    return Trained(outcome, path, digest, figures, start_seconds, time.monotonic() - begun)


def export(
    run: Run, pack: Any, output: Path | None = None, *, overwrite: bool = False, phase: Phase = unwatched
) -> tuple[Path, str, Mapping[str, Any]]:
    """Write the best weights of a run as a model file; returns its path, its digest and its validation figures.

    Those of a run that has not been validated yet are the averaged weights of its last checkpoint. The file is in the
    run folder, and copied to `output`.

    Raises:
        OutputError: another program has made `output` meanwhile, unless `overwrite`.
        TrainingError: the run has saved no weights yet, or they are of another model.
    """
    model = run.build()
    try:
        model.load_state_dict(_weights(run))
    except RuntimeError:
        raise TrainingError(f"the weights in {run.folder} do not fit the [model] settings in its {RECORD}") from None
    text = "counting tables and measuring the finished model"
    with phase(text) as progress, stage(run.recipe.export_loops, progress):
        exported = run.recipe.export(model, pack, run.settings)
    exported = exported._replace(history=_history(run.folder))
    state = json.loads((run.folder / "state.json").read_text(encoding="utf-8"))
    training = {
        "data": run.trained_on,
        "steps": state["step"],
        "minutes": round(state["seconds"] / 60, 1),
        "seed": run.settings.loop.seed,
        "version": __version__,
    }
    if run.start:
        training["start"] = run.recipe.describe(run.start)
    kept = run.folder / MODEL_FILE
    digest = run.recipe.save(kept, exported, run.name, training)
    if output is not None and output.resolve() != kept.resolve():
        write_atomically(output, kept.read_bytes(), overwrite=overwrite)
    return output or kept, digest, exported.figures


def restored_samples(run: Run, pack: Any, model_file: Path) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """Validation signals and what the finished model restores of them, at its default quality; none for a prior."""
    signals = run.recipe.samples(pack, run.settings)
    if not signals:
        return [], []
    model: Any = load_checkpoint(model_file).model
    codec, quality = FrozenCodec(model), model.default_quality
    return signals, [codec.decode(codec.encode(x, quality), quality) for x in signals]


def is_validated(run: Run) -> bool:
    """Whether there are best weights, or only those of a checkpoint."""
    return (run.folder / BEST).exists()


def _weights(run: Run) -> dict[str, torch.Tensor]:
    if is_validated(run):
        return load_file(run.folder / BEST)
    found = RunFolder(run.folder).load_state()
    if found is None:
        raise TrainingError(
            f"{run.folder} has no weights yet; its first checkpoint is written after "
            f"{run.settings.loop.checkpoint_minutes:g} minutes of training, or when you stop it with Ctrl-C"
        )
    return with_prefix(found[0], "model.") | with_prefix(found[0], "average.")


def _history(folder: Path) -> Mapping[str, Any]:
    try:
        return thinned(read_history(folder))
    except TrainingError:  # a log that is damaged or lost is no reason to go without the model
        return {}


def _start(run: Run, model: Any, pack: Any, phase: Phase) -> None:
    text = f"starting from the weights of {run.start}" if run.start else "placing the starting values"
    with phase(text) as progress, stage(run.recipe.initialise_loops, progress):
        if run.start:
            run.recipe.warm_start(model, run.start, pack, run.settings)
        else:
            run.recipe.initialise(model, pack, run.settings)
    model.requires_grad_(True)


def _absolute(source: str) -> str:
    """A folder by its whole path, so that a run can be resumed from elsewhere; names stay names."""
    return str(Path(source).resolve()) if Path(source).exists() else source
