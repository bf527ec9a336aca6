"""What `vqc train` does once its options are read: prepare, show, train, and say what came of it."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from vqc.cli.console import duration, print_fields, print_json, warn
from vqc.cli.models import in_words
from vqc.cli.progress import ProgressBar
from vqc.cli.train import OF_CODECS
from vqc.cli.train_plan import plan_as_dict, plan_in_words, print_settings
from vqc.errors import MissingPackageError, OptionError, OutputError, TrainingError

if TYPE_CHECKING:
    from vqc.models.files.header import ModelInfo
    from vqc.training.loop.callbacks import Callback
    from vqc.training.loop.distributed import Ranks
    from vqc.training.run import Run, Trained
    from vqc.training.settings import Settings

SHORT_DIGEST = 12
WHAT = {"image": "images", "prior": "a prior", "likelihood": "a likelihood", "sharp": "a sharp decoder"}


@dataclass(frozen=True, kw_only=True)
class Request:
    """The options of `vqc train image`, `audio`, `prior`, `likelihood` and `sharp`."""

    media: Literal["image", "audio", "prior", "likelihood", "sharp"]
    model: str  # the codec that a prior, likelihood or sharp decoder is for
    data: tuple[str, ...]
    download: bool
    preset: str  # "": that of the run that is gone on with
    overrides: tuple[str, ...]
    folder: Path | None
    resume: bool
    start: str
    output: Path | None
    name: str | None
    add: bool
    device: str
    tensorboard: bool
    dry_run: bool
    force: bool
    json: bool
    quiet: bool


def run_training(request: Request) -> None:
    """Train as asked, and print what came of it."""
    from vqc.training.loop.distributed import join
    from vqc.training.run import RECORD

    with join() as ranks:
        show = ranks.first and not request.quiet
        run = resumed_run(request) if request.resume else new_run(request)
        if show and not request.dry_run:
            warn_of_missing_figures()
        pack = open_data(run, request, show=show)
        run = replace(run, trained_on=pack.description)
        if request.dry_run:
            dry_run(run, pack, ranks, request)
            return
        if show:
            warn(f"training {run.name}; its settings are in {run.folder / RECORD}, and --dry-run prints them")
        trained = train_and_watch(run, pack, ranks, request)
    if ranks.first:
        finish(run, pack, trained, request)


def new_run(request: Request) -> Run:
    """A run that begins."""
    from vqc.models.files.zoo import find_by_name, refuse_taken
    from vqc.training.run import Run, exists
    from vqc.training.settings import read_preset, resolve

    preset = request.preset or default_preset(request)
    tables = read_preset(preset)
    name = request.name or (request.output.stem if request.output else Path(preset).stem)
    if request.media in OF_CODECS:
        codec = find_by_name(request.model)
        tables = for_codec(codec, tables)
        name = request.name or codec.name
    settings = resolve(tables, request.overrides, where=f"the preset {preset}")
    check_media(settings, request)
    folder = request.folder or Path("runs") / Path(preset).stem
    if exists(folder) and not request.dry_run:
        raise OutputError(f"{folder} holds a run already; add --resume to go on with it, or choose another --run-dir")
    if request.add:
        refuse_taken(name, replace=request.force)
    return Run(folder=folder, name=name, settings=settings, sources=request.data, start=start_of(request))


def resumed_run(request: Request) -> Run:
    """A run that goes on, with the settings that were changed for it."""
    from vqc.training.run import read_run

    assert request.folder is not None
    run = read_run(request.folder, request.overrides)
    check_media(run.settings, request)
    return replace(run, sources=request.data or run.sources, name=request.name or run.name)


def default_preset(request: Request) -> str:
    """The preset that is begun with when none is named."""
    from vqc.models.files.zoo import find_by_name
    from vqc.models.kinds import default_model, kind_named

    if request.media == "image" or request.media == "audio":
        return kind_named(default_model(request.media)).presets[0]
    return kind_named(find_by_name(request.model).kind).preset_of(request.media)


def for_codec(codec: ModelInfo, tables: Mapping[str, Any]) -> dict[str, Any]:
    """A preset of a part, such as a prior, made out for a trained model."""
    from vqc.models.files.header import codec_digest
    from vqc.models.parts import trainables

    known = trainables().get(tables.get("kind", ""))
    if known is None or not known.is_part:
        return dict(tables)  # which `resolve` or `check_media` refuses
    of_codec = {"codec": str(codec.path.resolve()), "codec_digest": codec_digest(codec.path)}
    return {**tables, "task": {**tables.get("task", {}), **of_codec}}


def start_of(request: Request) -> str:
    """The model file, or for a prior also the run folder, whose weights a run begins with; empty for none."""
    from vqc.models.files.zoo import find_by_name

    if not request.start or (request.media == "prior" and Path(request.start).is_dir()):
        return request.start and str(Path(request.start).resolve())
    return str(find_by_name(request.start).path)


def check_media(settings: Settings, request: Request) -> None:
    """OptionError when a preset is for another medium."""
    media = media_of(settings.kind)
    if media != request.media:
        made, wanted = WHAT.get(media, media), WHAT.get(request.media, request.media)
        raise OptionError(
            f"presets of the kind {settings.kind} are for {made}, not for {wanted}; "
            f"use vqc train {media}, or another preset"
        )


def media_of(kind: str) -> str:
    """image, audio, prior, likelihood or sharp."""
    from vqc.models.parts import trainables

    return trainables()[kind].what


def open_data(run: Run, request: Request, *, show: bool) -> Any:
    """The decoded data; the first time with a progress bar, always with the notes on what was left out."""
    with ProgressBar("decoding", 1, quiet=not show) as bar:
        pack = run.open_data(download=request.download, progress=bar.at)
    for note in pack.notes if show else ():
        warn(note)
    return pack


def train_and_watch(run: Run, pack: Any, ranks: Ranks, request: Request) -> Trained:
    """Run the loop with its callbacks."""
    from vqc.training.run import train

    return train(
        run,
        pack,
        ranks=ranks,
        device=device_of(ranks, request),
        output=request.output,
        overwrite=request.force,
        callbacks=callbacks(request) if ranks.first else (),
        phase=partial(phase, show=ranks.first and not request.quiet),
    )


@contextmanager
def phase(text: str, *, show: bool) -> Iterator[Callable[[int, int], None]]:
    """What comes on top of training: in words, as a bar where stderr is a terminal, and how long it took."""
    begun = time.monotonic()
    if show:
        warn(text)
    with ProgressBar(text, 1, quiet=not show) as bar:
        yield bar.at
    seconds = time.monotonic() - begun
    if show and seconds >= 1:
        warn(f"that took {duration(seconds)}, besides the time of training")


def warn_of_missing_figures() -> None:
    """Say before the training what could only be mended before its end."""
    from vqc.training.plots.draw import require_matplotlib

    try:
        require_matplotlib()
    except MissingPackageError as error:
        warn(f"the run will be without figures: {error}")


def device_of(ranks: Ranks, request: Request) -> str:
    """Where this process computes; OptionError when a machine has fewer GPUs than processes."""
    from vqc.devices import find_device

    device = find_device(request.device)
    return find_device(f"cuda:{ranks.local_rank}") if device == "cuda" else device


def callbacks(request: Request) -> list[Callback]:
    """Who watches: a live display in a terminal, plain lines elsewhere, TensorBoard if asked for."""
    watching: list[Callback] = []
    if not request.quiet:
        from vqc.cli.train_display import watcher

        watching.append(watcher())
    if request.tensorboard:
        from vqc.training.loop.callbacks import TensorBoardLog

        watching.append(TensorBoardLog())
    return watching


def finish(run: Run, pack: Any, trained: Trained, request: Request) -> None:
    """Draw the figures, add the model if asked to, say what to do next."""
    if trained.model_file is None:
        again = f"vqc train {request.media} --resume --run-dir {run.folder}"
        warn(f"stopped at step {trained.outcome.step:,}; go on with: {again}")
        raise SystemExit(130)
    path = trained.model_file
    if not request.quiet:
        draw_figures(run, pack, trained.model_file)
    if request.add:
        from vqc.models.files.zoo import add_model

        path = add_model(path, replace=request.force).path
    seconds = {
        "start": trained.start_seconds,
        "training": trained.outcome.seconds,
        "finish": trained.finish_seconds,
    }
    report(run, path, trained.digest, trained.figures, pack.media, seconds, json=request.json, quiet=request.quiet)


def draw_figures(run: Run, pack: Any, model_file: Path) -> None:
    """Loss, perplexity and reconstructions as pictures in the run folder, if matplotlib is installed."""
    from vqc.training.plots.draw import draw_pictures

    try:
        for path in draw_pictures(run, pack, model_file):
            warn(f"drew {path}")
    except (MissingPackageError, TrainingError) as error:
        warn(f"no figures: {error}")


def report(
    run: Run,
    path: Path,
    digest: str,
    figures: Mapping[str, Any],
    media: str,
    seconds: Mapping[str, float],
    *,
    json: bool,
    quiet: bool,
) -> None:
    """What a finished model is, and how long each part of the run took, on stdout."""
    from vqc.user_folders import user_models

    if json:
        print_json(
            {"model": str(path), "name": run.name, "digest": digest, "figures": dict(figures), "seconds": dict(seconds)}
        )
        return
    if quiet:
        return
    fields = {"model": str(path), "digest": digest[:SHORT_DIGEST]}
    fields |= {name.replace("_", " "): in_words(row) for name, row in figures.items()}
    sample = "photo.png" if media == "image" else "speech.wav"
    fields["time"] = ", ".join(f"{name} {duration(each)}" for name, each in seconds.items())
    known = path.parent == user_models()
    if media_of(run.settings.kind) == "sharp":
        fields["use it"] = f"vqc decompress {Path(sample).stem}.vqc --sharp"
    else:
        fields["use it"] = f"vqc compress {sample} -m {run.name if known else path}"
    if not known:
        fields["keep it"] = f"vqc models add {path}"
    print_fields(fields)


def dry_run(run: Run, pack: Any, ranks: Ranks, request: Request) -> None:
    """Print what the run would be, on stdout; the settings go to stderr. All ranks make the steps that are timed."""
    from vqc.data.batches import Shard
    from vqc.training.estimate import estimate, time_steps
    from vqc.training.loop.trainer import Trainer

    model = run.build()
    cost = estimate(run.build()) if request.media not in OF_CODECS else None
    task = run.recipe.make_task(model, pack, run.settings, Shard(ranks.rank, ranks.world))
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(task, run.settings.loop, Path(folder), device=device_of(ranks, request))
        step = time_steps(trainer)
    if not ranks.first:
        return
    parameters = sum(p.numel() for p in model.parameters())
    if request.json:
        print_json(plan_as_dict(run, pack, cost, step, parameters))
        return
    if not request.quiet:
        print_settings(run.settings)
    print_fields(plan_in_words(run, pack, cost, step, parameters, request.media))


def export_run(folder: Path, output: Path | None, *, force: bool, json: bool, quiet: bool) -> None:
    """The body of `vqc train export`."""
    from vqc.training.run import MODEL_FILE, export, is_validated, read_run

    run = read_run(folder)
    path = output or folder / MODEL_FILE
    if path.exists() and not force:
        raise OutputError(f"{path} exists; give --force to replace it")
    pack = run.open_data()
    if not quiet and not is_validated(run):
        warn(f"{folder} has not been validated yet; these are the averaged weights of its last checkpoint")
    begun = time.monotonic()
    path, digest, figures = export(run, pack, path, overwrite=force, phase=partial(phase, show=not quiet))
    seconds = {"finish": time.monotonic() - begun}
    report(run, path, digest, figures, pack.media, seconds, json=json, quiet=quiet)
