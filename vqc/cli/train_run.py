"""The bodies of `vqc train` and `vqc train export`: they call the library and tell what it does and what it made."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

from vqc.cli.console import duration, print_fields, print_json, warn
from vqc.cli.models import in_words
from vqc.cli.progress import ProgressBar
from vqc.cli.train_plan import plan_as_dict, plan_in_words, print_settings
from vqc.errors import MissingPackageError, OutputError, TrainingError

if TYPE_CHECKING:
    from vqc.training.loop.callbacks import Callback
    from vqc.training.loop.distributed import Ranks
    from vqc.training.options import TrainOptions
    from vqc.training.run import Run
    from vqc.training.train import Trained

SHORT_DIGEST = 12


def run_training(options: TrainOptions, *, dry_run: bool, json: bool, quiet: bool) -> None:
    """Train as asked, and print what came of it."""
    from vqc.training.loop.distributed import join
    from vqc.training.run import RECORD, open_run
    from vqc.training.train import train_run

    with join() as ranks:
        show = ranks.first and not quiet
        run = open_run(options, dry_run=dry_run)
        if show and not dry_run:
            warn_of_missing_figures()
        data = open_data(run, options, show=show)
        run = replace(run, trained_on=data.description)
        if dry_run:
            show_plan(run, data, ranks, options, json=json, quiet=quiet)
            return
        if show:
            warn(f"training {run.name}; its settings are in {run.folder / RECORD}, and --dry-run prints them")
        phase = partial(show_phase, show=show)
        trained = train_run(run, data, options, ranks=ranks, callbacks=() if quiet else (display(),), phase=phase)
    if ranks.first:
        finish(run, data, trained, json=json, quiet=quiet)


def open_data(run: Run, options: TrainOptions, *, show: bool) -> Any:
    """Open the data; the first time with a progress bar, always with the notes on what was left out."""
    with ProgressBar("decoding", 1, quiet=not show) as bar:
        data = run.open_data(download=options.download, progress=bar.at)
    for note in data.notes if show else ():
        warn(note)
    return data


@contextmanager
def show_phase(text: str, *, show: bool) -> Iterator[Callable[[int, int], None]]:
    """Tell of work besides training: in words, as a bar where stderr is a terminal, and how long it took."""
    begin = time.monotonic()
    if show:
        warn(text)
    with ProgressBar(text, 1, quiet=not show) as bar:
        yield bar.at
    seconds = time.monotonic() - begin
    if show and seconds >= 1:
        warn(f"that took {duration(seconds)}")


def warn_of_missing_figures() -> None:
    """Say before the training what could only be mended before its end."""
    from vqc.training.plots.draw import require_matplotlib

    try:
        require_matplotlib()
    except MissingPackageError as error:
        warn(f"the run will be without figures: {error}")


def display() -> Callback:
    """Make the display of a run: live in a terminal that can redraw, plain lines elsewhere."""
    from rich.console import Console

    from vqc.cli.train_display import TrainDisplay
    from vqc.cli.train_lines import TrainLines

    redraws = sys.stderr is not None and sys.stderr.isatty() and not Console(stderr=True).is_dumb_terminal
    return TrainDisplay() if redraws else TrainLines()


def finish(run: Run, data: Any, trained: Trained, *, json: bool, quiet: bool) -> None:
    """Draw the figures and say what to do next."""
    if trained.model_file is None:
        again = f"vqc train {run.what} --resume --run-dir {quote(str(run.folder))}"
        warn(f"stopped at step {trained.outcome.step:,}; go on with: {again}")
        raise SystemExit(130)
    if not quiet:
        draw_figures(run, data, trained.model_file)
    seconds = {
        "start": trained.start_seconds,
        "training": trained.outcome.seconds,
        "finish": trained.finish_seconds,
    }
    report(run, trained.model_file, trained.digest, trained.figures, seconds, json=json, quiet=quiet)


def draw_figures(run: Run, data: Any, model_file: Path) -> None:
    """Draw loss, perplexity and reconstructions in the run folder, if matplotlib is installed."""
    from vqc.training.plots.draw import draw_pictures

    try:
        for path in draw_pictures(run, data, model_file):
            warn(f"drew {path}")
    except (MissingPackageError, TrainingError) as error:
        warn(f"no figures: {error}")


def report(
    run: Run,
    path: Path,
    digest: str,
    figures: Mapping[str, Any],
    seconds: Mapping[str, float],
    *,
    json: bool,
    quiet: bool,
) -> None:
    """Print a finished model, and how long each part of the run took, on stdout."""
    from vqc.models.files.header import read_info
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
    sample = Path("photo.png" if read_info(path).media == "image" else "speech.wav")
    fields["time"] = ", ".join(f"{name} {duration(each)}" for name, each in seconds.items())
    known = path.parent == user_models()
    if run.what == "sharp":
        fields["use it"] = f"vqc decompress {sample.stem}.vqc --sharp"
    else:
        fields["use it"] = f"vqc compress {sample} -m {quote(run.name if known else str(path))}"
    if not known:
        fields["keep it"] = f"vqc models add {quote(str(path))}"
    print_fields(fields)


def show_plan(run: Run, data: Any, ranks: Ranks, options: TrainOptions, *, json: bool, quiet: bool) -> None:
    """Print what the run would be, on stdout; the settings go to stderr. All ranks make the steps that are timed."""
    from vqc.training.estimate import estimate_run

    estimate = estimate_run(run, data, ranks, options.device)
    if not ranks.first:
        return
    if json:
        print_json(plan_as_dict(run, data, estimate))
        return
    if not quiet:
        print_settings(run.settings)
    print_fields(plan_in_words(run, data, estimate))


def export_run(folder: Path, output: Path | None, *, force: bool, json: bool, quiet: bool) -> None:
    """Write the model file of a run, and print it."""
    from vqc.training.run import MODEL_FILE, read_run
    from vqc.training.train import export, is_validated

    run = read_run(folder)
    path = output or folder / MODEL_FILE
    if path.exists() and not force:
        raise OutputError(f"{path} exists; give --force to replace it")
    data = run.open_data()
    if not quiet and not is_validated(run):
        warn(f"{folder} has not been validated yet; these are the averaged weights of its last checkpoint")
    begin = time.monotonic()
    phase = partial(show_phase, show=not quiet)
    path, digest, figures = export(run, data, path, overwrite=force, phase=phase)
    report(run, path, digest, figures, {"finish": time.monotonic() - begin}, json=json, quiet=quiet)
