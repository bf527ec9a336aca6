"""Training from data to model file.

::

    settings + data ──► initialise ──► loop ──► export ──► RUN/model.safetensors
                             ▲           │
                             └─ resume ──┘
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from safetensors.torch import load_file
from torch import Tensor

from vqc._version import __version__
from vqc.atomic import write_atomically
from vqc.data.batches import Shard
from vqc.data.derived import Progress
from vqc.errors import TrainingError
from vqc.models.files.checkpoint import load_checkpoint
from vqc.models.files.zoo import add_model
from vqc.training.history import read_history, thinned
from vqc.training.loop.callbacks import Callback, Outcome, TensorBoardLog
from vqc.training.loop.distributed import Ranks, broadcast_number, join
from vqc.training.loop.run_folder import RunFolder, with_prefix
from vqc.training.loop.trainer import Trainer
from vqc.training.options import TrainOptions
from vqc.training.parts.frozen_codec import FrozenCodec
from vqc.training.run import MODEL_FILE, RECORD, Run, open_run, write_run
from vqc.training.stages import stage

BEST = "best.safetensors"
Phase = Callable[[str], AbstractContextManager[Progress]]  # is entered with a text for as long as that work takes


@contextmanager
def unwatched(text: str) -> Iterator[Progress]:
    """A phase whose progress nobody looks at."""
    yield lambda done, total: None


class Trained(NamedTuple):
    """The result of a run. Seconds are of this session; those of a new run's start are among its minutes."""

    outcome: Outcome
    model_file: Path | None  # None when it was interrupted, and on other ranks than the first
    digest: str
    figures: Mapping[str, Any]  # on validation data: quality_1: {rate, quality}, …
    start_seconds: float = 0.0  # until the first step
    finish_seconds: float = 0.0  # from the last step to the model file


def train(options: TrainOptions, *, callbacks: Sequence[Callback] = ()) -> Trained:
    """Train a codec, or a part of one, and write its model file.

    ::

        trained = vqc.train(vqc.TrainOptions("image", data=("photos",), minutes=120, name="mine", add=True))
        vqc.compress_file("photo.jpg", "photo.vqc", model="mine")

    Ctrl-C ends a run after its step. `resume=True` continues it from there, or after any other interruption from its
    last checkpoint. Under torchrun each process calls this, and together they train one model.

    Args:
        options: what to train, on what, for how long.
        callbacks: hear of losses and validations; see `vqc.training.loop.callbacks.Callback`.

    Raises:
        OptionError: the preset is for something else, or its settings cannot be used.
        OutputError: the run folder holds another run, or a file cannot be written.
        TrainingError: the data cannot be trained on, there is no run to resume, or the loss is not finite.
    """
    with join() as ranks:
        run = open_run(options)
        data = run.open_data(download=options.download)
        run = replace(run, trained_on=data.description)
        return train_run(run, data, options, ranks=ranks, callbacks=callbacks)


def train_run(
    run: Run,
    data: Any,
    options: TrainOptions,
    *,
    ranks: Ranks,
    callbacks: Sequence[Callback] = (),
    phase: Phase = unwatched,
) -> Trained:
    """Start or resume a run until its time is up or it is interrupted, and write the model file.

    Starting values before the first step and tables after the last are told as a `phase` each. The first count among
    the minutes of the run: where they use them up, the model is finished without a step.
    """
    begin = time.monotonic()
    model = run.build()
    resumed = bool(broadcast_number((run.folder / "state.safetensors").exists()))
    if not resumed:
        _initialise(run, model, data, phase)
    task = run.recipe.make_task(model, data, run.settings, Shard(ranks.rank, ranks.world))
    callbacks = (*callbacks, *_asked_for(options)) if ranks.first else ()
    trainer = Trainer(task, run.settings.loop, run.folder, callbacks=callbacks, device=ranks.device(options.device))
    if ranks.first:  # only now: a run whose state does not fit these settings keeps its record
        write_run(run, data)
    start_seconds = time.monotonic() - begin
    if not resumed:
        trainer.spend(start_seconds)
    outcome = trainer.run()
    if outcome.interrupted or not ranks.first:
        return Trained(outcome, None, "", {}, start_seconds)
    begin = time.monotonic()
    path, digest, figures = export(run, data, options.output, overwrite=options.force, phase=phase)
    if options.add:
        path = add_model(path, replace=options.force).path
    return Trained(outcome, path, digest, figures, start_seconds, time.monotonic() - begin)


def export(
    run: Run, data: Any, output: Path | None = None, *, overwrite: bool = False, phase: Phase = unwatched
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
        exported = run.recipe.export(model, data, run.settings)
    exported = exported._replace(history=_history(run.folder))
    state = json.loads((run.folder / "state.json").read_text(encoding="utf-8"))
    training = {
        "data": run.trained_on,
        "steps": state["step"],
        "minutes": round(state["seconds"] / 60, 1),
        "seed": run.settings.loop.seed,
        "version": __version__,
    }
    if run.start_from:
        training["start"] = run.recipe.describe(run.start_from)
    kept = run.folder / MODEL_FILE
    digest = run.recipe.save(kept, exported, run.name, training)
    if output is not None and output.resolve() != kept.resolve():
        write_atomically(output, kept.read_bytes(), overwrite=overwrite)
    return output or kept, digest, exported.figures


def restored_samples(run: Run, data: Any, model_file: Path) -> tuple[list[Tensor], list[Tensor]]:
    """Validation signals and what the finished model restores of them, at its default quality; none for a prior."""
    signals = run.recipe.samples(data, run.settings)
    if not signals:
        return [], []
    model: Any = load_checkpoint(model_file).model
    codec, quality = FrozenCodec(model), model.default_quality
    return signals, [codec.decode(codec.encode(x, quality), quality) for x in signals]


def is_validated(run: Run) -> bool:
    """Whether a run has best weights, or only those of a checkpoint."""
    return (run.folder / BEST).exists()


def _weights(run: Run) -> dict[str, Tensor]:
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


def _initialise(run: Run, model: Any, data: Any, phase: Phase) -> None:
    text = f"starting from the weights of {run.start_from}" if run.start_from else "placing the starting values"
    with phase(text) as progress, stage(run.recipe.initialise_loops, progress):
        if run.start_from:
            run.recipe.warm_start(model, run.start_from, data, run.settings)
        else:
            run.recipe.initialise(model, data, run.settings)
    model.requires_grad_(True)


def _asked_for(options: TrainOptions) -> list[Callback]:
    """Callbacks that options name."""
    return [TensorBoardLog()] if options.tensorboard else []
