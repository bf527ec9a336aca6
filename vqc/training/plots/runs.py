"""The figures of a run: loss and perplexity over the epochs, and runs laid over each other.

Everything is drawn from what is in the run folders (`metrics.jsonl`, `run.json`), at the end of a run or years later.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from vqc.drawing.curves import SMOOTHED_FROM, Line, Panel, draw_panels
from vqc.drawing.runs import TITLES, Curve, loss_panels, perplexity_panels, title_of
from vqc.drawing.style import RUNS, Drawing, house_style
from vqc.training.history import History, read_history

COMPARED = 4  # panels of a comparison at most


def draw_run(run_dir: Path, folder: Path | None = None) -> list[Drawing]:
    """Draw losses.png, and perplexity.png if the run logged a perplexity.

    Args:
        run_dir: folder of a run, or a model file, which keeps the curves of its run.
        folder: where the figures belong; RUN/figures if left out, "figures" beside a model file.

    Raises:
        TrainingError: the folder has no history (see `read_history`).
        MissingPackageError: matplotlib is not installed.
    """
    history, folder = read_history(run_dir), folder or _home(run_dir)
    caption = " ".join([describe(history), *_explanation([history])])
    curves = curves_of(history, in_epochs=_x_label([history]) == "epoch")
    panels = {"losses": loss_panels(curves), "perplexity": perplexity_panels(curves)}
    with house_style():
        return [
            Drawing(folder / f"{name}.png", draw_panels(found, _x_label([history]), caption), caption)
            for name, found in panels.items()
            if found
        ]


def compare_runs(run_dirs: Sequence[Path], path: Path) -> Drawing:
    """Draw the losses, validation figures and perplexities of several runs laid over each other.

    Raises:
        TrainingError: a folder has no history (see `read_history`).
        MissingPackageError: matplotlib is not installed.
    """
    histories = _told_apart([read_history(run_dir) for run_dir in run_dirs], run_dirs)
    caption = "\n".join([*map(describe, histories), *_explanation(histories)])
    in_epochs = _x_label(histories) == "epoch"
    runs = [curves_of(history, in_epochs=in_epochs) for history in histories]
    panels = []
    for key in _keys_to_compare(histories):
        lines = [
            Line(history.name, RUNS[i % len(RUNS)], *curves[key], noisy=not key.startswith("val_"))
            for i, (history, curves) in enumerate(zip(histories, runs, strict=True))
            if key in curves
        ]
        if lines:
            panels.append(Panel(title_of(key), lines, from_zero=key.endswith("perplexity")))
    with house_style():
        return Drawing(path, draw_panels(panels, _x_label(histories), caption), caption)


def plot(runs: Sequence[Path], output: Path | None = None) -> list[Drawing]:
    """Draw the figures of every run, and a comparison if there are several; nothing is written yet.

    Without an output folder the figures of a run belong in RUN/figures and the comparison in the first run's; with one
    all belong there, those of each of several runs in a folder of their own.

    Raises:
        TrainingError: a folder has no history (see `read_history`).
        MissingPackageError: matplotlib is not installed.
    """
    if len(runs) == 1:
        return draw_run(runs[0], output)
    names = [history.name for history in _told_apart([read_history(run) for run in runs], runs)]
    drawn = []
    for run, name in zip(runs, names, strict=True):
        drawn += draw_run(run, output / name.strip("/").replace("/", "-") if output else None)
    return [*drawn, compare_runs(runs, (output or _home(runs[0])) / "comparison.png")]


def describe(history: History) -> str:
    """One sentence: what the run was trained on, and how long."""
    epochs, minutes = history.epochs(history.steps), history.minutes
    length = [f"{epochs:.3g} epochs" if epochs is not None else "", f"{minutes:.0f} minutes" if minutes else ""]
    details = ", ".join(filter(None, length))
    steps = f"{history.steps:,} steps" + (f" ({details})" if details else "")
    return f"{history.name}: trained on {history.trained_on}, {steps}."


def curves_of(history: History, *, in_epochs: bool) -> dict[str, Curve]:
    """Every figure that the run logged, over its steps or epochs."""
    curves = {}
    for key in sorted(history.keys() - {"step", "minutes"}):
        steps, values = history.curve(key)
        if values:
            curves[key] = Curve([history.epochs(step) or 0.0 for step in steps] if in_epochs else steps, values)
    return curves


def _home(run: Path) -> Path:
    return (run.parent if run.is_file() else run) / "figures"


def _x_label(histories: Sequence[History]) -> str:
    return "epoch" if all(history.epochs(1) is not None for history in histories) else "step"


def _keys_to_compare(histories: Sequence[History]) -> list[str]:
    """The training loss and what the validations of most of the runs measure, perplexity last."""
    order = dict.fromkeys(["val_score", *(f"val_{key}" for key in TITLES)])
    keys = [key for key in order if sum(bool(h.curve(key).values) for h in histories) >= min(2, len(histories))]
    # A score that only repeats another figure has the better name there.
    same = [key for key in keys[1:] if all(h.curve(key) == h.curve("val_score") for h in histories)]
    keys = [key for key in keys if key != "val_score" or not same]
    perplexity = "val_perplexity" if "val_perplexity" in keys else "perplexity"
    others = [key for key in keys if key != "val_perplexity"]
    return ["loss", *others[: COMPARED - 2], perplexity]


def _explanation(histories: Sequence[History]) -> list[str]:
    smoothed = any(len(history.training) >= SMOOTHED_FROM for history in histories)
    return ["Thick lines are running means of the thin ones."] if smoothed else []


def _told_apart(histories: Sequence[History], run_dirs: Sequence[Path]) -> list[History]:
    """Runs of one name go by their folders."""
    names = [history.name for history in histories]
    return [
        replace(history, name=str(run_dir)) if names.count(history.name) > 1 else history
        for history, run_dir in zip(histories, run_dirs, strict=True)
    ]
