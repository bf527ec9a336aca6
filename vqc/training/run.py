"""A training run as its folder keeps it, and as options ask for it.

::

    TrainOptions ── open_run ──► Run ── open_data, train_run (see `vqc.training.train`) ──► RUN/model.safetensors
                                  ▲
                   RUN/run.json ──┘ resumed
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch

from vqc._version import __version__
from vqc.atomic import write_atomically
from vqc.data.derived import Progress
from vqc.errors import OptionError, OutputError, TrainingError
from vqc.models.files.header import ModelInfo, codec_digest
from vqc.models.files.zoo import check_name_is_free, find_by_name
from vqc.models.kinds import default_model, kind_named, trainables
from vqc.nn.distributed import own_rank
from vqc.training.loop.distributed import broadcast_bytes
from vqc.training.options import TrainOptions
from vqc.training.recipe import Recipe, recipe_of
from vqc.training.settings import SECTIONS, Settings, read_preset, resolve

RECORD = "run.json"
MODEL_FILE = "model.safetensors"
# Of messages: what presets are for.
_NAMES = {"image": "images", "prior": "a prior", "likelihood": "a likelihood", "sharp": "a sharp decoder"}


@dataclass(frozen=True, kw_only=True)
class Run:
    """The settings of a run, its data and its folder; `run.json` in the folder holds the same."""

    folder: Path
    name: str  # of the model
    settings: Settings
    sources: tuple[str, ...]  # folders, or names of data sets
    start_from: str = ""  # model file whose weights it began with; for a prior also a run folder
    trained_on: str = ""  # for captions

    @property
    def what(self) -> str:
        """image, audio, prior, likelihood or sharp."""
        return trainables()[self.settings.kind].what

    @property
    def recipe(self) -> Recipe:
        """The recipe of its kind."""
        return recipe_of(self.settings.kind)

    def build(self) -> Any:
        """Build the model, untrained; OptionError when its settings make no network."""
        torch.manual_seed(self.settings.loop.seed)
        try:
            return self.recipe.build(self.settings)
        except (ArithmeticError, IndexError, RuntimeError, TypeError, ValueError) as error:  # networks check no configs
            raise OptionError(f"no network can be made with these [model] settings: {error}") from error

    def open_data(self, *, download: bool = False, progress: Progress | None = None) -> Any:
        """Open the data; decode them, the first time."""
        return self.recipe.open_data(self.sources, self.settings, download=download, progress=progress)


def open_run(options: TrainOptions, *, dry_run: bool = False) -> Run:
    """Make the run that options ask for, or read the one that is resumed.

    Raises:
        OptionError: the preset is for another medium or part, or there is no such preset, kind or setting.
        OutputError: the folder holds another run, unless it is a `dry_run`, or the model's name is taken.
        TrainingError: there is no run to resume.
    """
    run = _resumed_run(options) if options.resume else _new_run(options)
    if run.what != options.what:
        made, asked = _NAMES.get(run.what, run.what), _NAMES.get(options.what, options.what)
        raise OptionError(
            f"presets of the kind {run.settings.kind} are for {made}, not for {asked}; "
            f"use vqc train {run.what}, or another preset"
        )
    if not (options.resume or dry_run) and (run.folder / RECORD).exists():
        raise OutputError(
            f"{run.folder} holds a run already; add --resume to go on with it, or choose another --run-dir"
        )
    if options.add and not options.resume:
        check_name_is_free(run.name, replace=options.force)
    return run


def _new_run(options: TrainOptions) -> Run:
    codec = find_by_name(options.model) if options.is_part else None
    preset = options.preset or _default_preset(options, codec)
    tables: Mapping[str, Any] = read_preset(preset)
    name = options.output.stem if options.output else Path(preset).stem
    if codec is not None:
        tables, name = _for_codec(codec, tables), codec.name
    return Run(
        folder=options.run_dir or Path("runs") / Path(preset).stem,
        name=options.name or name,
        settings=resolve(tables, options.changes(), where=f"the preset {preset}"),
        sources=options.data,
        start_from=_warm_start_path(options),
    )


def _resumed_run(options: TrainOptions) -> Run:
    assert options.run_dir is not None, "the options are checked"
    run = read_run(options.run_dir, options.changes())
    return replace(run, sources=options.data or run.sources, name=options.name or run.name)


def _default_preset(options: TrainOptions, codec: ModelInfo | None) -> str:
    if codec is not None:
        return kind_named(codec.kind).preset_of(options.what)
    return kind_named(default_model("image" if options.what == "image" else "audio")).presets[0]


def _for_codec(codec: ModelInfo, tables: Mapping[str, Any]) -> Mapping[str, Any]:
    """The tables of a preset of a part, completed by the codec that it is for."""
    known = trainables().get(tables.get("kind", ""))
    if known is None or not known.is_part:
        return tables  # which is refused later
    of_codec = {"codec": str(codec.path.resolve()), "codec_digest": codec_digest(codec.path)}
    return {**tables, "task": {**tables.get("task", {}), **of_codec}}


def _warm_start_path(options: TrainOptions) -> str:
    """The model file, or for a prior also the run folder, whose weights a run begins with; empty for none."""
    if not options.start_from:
        return ""
    if options.what == "prior" and Path(options.start_from).is_dir():
        return str(Path(options.start_from).resolve())
    return str(find_by_name(options.start_from).path)


def read_run(folder: Path, changes: Mapping[str, Any] = MappingProxyType({})) -> Run:
    """Read the run in a folder, on several ranks that of rank 0; TrainingError when there is none."""
    file = folder / RECORD
    data = broadcast_bytes(file.read_bytes() if own_rank() == 0 and file.is_file() else b"")
    try:
        record = json.loads(data)
        tables = {key: record[key] for key in ("kind", *SECTIONS)}
        fields = {key: record[key] for key in ("name", "start_from", "trained_on")}
        sources = tuple(record["sources"])
    except (ValueError, KeyError, TypeError):
        raise TrainingError(f"{folder} holds no run to go on with; its {RECORD} is missing or damaged") from None
    settings = resolve(tables, changes, where=str(file))
    return Run(folder=folder, settings=settings, sources=sources, **fields)


def write_run(run: Run, dataset: Any) -> None:
    """Write run.json, for resuming, figures and the curious."""
    batch = int(getattr(run.settings.task, "batch_size", 1)) * run.settings.loop.accumulate
    record = {
        "name": run.name,
        **run.settings.as_dict(),
        "sources": [_absolute(source) for source in run.sources],
        "start_from": run.start_from,
        "trained_on": run.trained_on,
        "examples": run.recipe.examples,
        "examples_per_epoch": len(dataset.training),
        "batch_size": batch,
        "validation_examples": len(dataset.validation),
        "skipped": len(dataset.skipped),
        "vqc": __version__,
        "torch": torch.__version__,
    }
    write_atomically(run.folder / RECORD, json.dumps(record, indent=1).encode(), overwrite=True)


def _absolute(source: str) -> str:
    """A folder by its whole path, so that a run can be resumed from elsewhere; names stay names."""
    return str(Path(source).resolve()) if Path(source).exists() else source
