"""The figures of a run: loss and perplexity over the epochs, and runs laid over each other.

Everything is drawn from what is in the run folders (`metrics.jsonl`, `run.json`), at the end of a run or years later.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from vqc.drawing.curves import SMOOTHED_FROM, Line, Panel, draw_panels
from vqc.drawing.style import RUNS, TRAINING, VALIDATION, house_style, save_figure
from vqc.training.history import History, read_history

TITLES = {
    "loss": "Loss",
    "mse": "Mean squared error",
    "l1": "Mean absolute error",
    "mel": "Mel distance",
    "stft": "Spectral distance",
    "psnr": "PSNR in dB",
    "snr": "Signal-to-noise ratio in dB",
    "bits_per_code": "Bits per code",
    "bits_per_dim": "Bits per dimension",
    "saving_percent": "Percent below the static tables",
    "perplexity": "Perplexity of the codes",
    "score": "Validation score (lower is better)",
}
COMPARED = 4  # panels of a comparison at most


def draw_run(run_dir: Path, folder: Path | None = None) -> list[Path]:
    """Write losses.png, and perplexity.png if the run logged a perplexity, to `folder` (RUN/figures if not given).

    Raises:
        TrainingError: the folder has no history (see `read_history`).
        MissingPackageError: matplotlib is not installed.
    """
    history, folder = read_history(run_dir), folder or run_dir / "figures"
    caption, drawn = " ".join([describe(history), *_explanation([history])]), []
    with house_style():
        for name, panels in {"losses": loss_panels(history), "perplexity": perplexity_panels(history)}.items():
            if panels:
                figure = draw_panels(panels, _x_label([history]), caption)
                drawn.append(save_figure(figure, folder / f"{name}.png", caption))
    return drawn


def compare_runs(run_dirs: Sequence[Path], path: Path) -> Path:
    """Write one figure with the losses, validation figures and perplexities of several runs laid over each other.

    Raises:
        TrainingError: a folder has no history (see `read_history`).
        MissingPackageError: matplotlib is not installed.
    """
    histories = _told_apart([read_history(run_dir) for run_dir in run_dirs], run_dirs)
    caption = "\n".join([*map(describe, histories), *_explanation(histories)])
    panels = [
        Panel(
            _title(key),
            [_line(h, key, h.name, RUNS[i % len(RUNS)], histories) for i, h in owners],
            key.endswith("perplexity"),
        )
        for key in _keys_to_compare(histories)
        if (owners := [(i, h) for i, h in enumerate(histories) if h.curve(key).values])
    ]
    with house_style():
        return save_figure(draw_panels(panels, _x_label(histories), caption), path, caption)


def plot(runs: Sequence[Path], output: Path | None = None) -> list[Path]:
    """What `vqc train plot` does: draw the figures of every run again, and a comparison if there are several.

    Without an output folder the figures of a run go to RUN/figures and the comparison to the first run's; with one
    everything goes there, each of several runs into a folder of its own.

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
    return [*drawn, compare_runs(runs, (output or runs[0] / "figures") / "comparison.png")]


def describe(history: History) -> str:
    """One sentence: what the run was trained on, and how long."""
    epochs, minutes = history.epochs(history.steps), history.minutes
    length = [f"{epochs:.3g} epochs" if epochs is not None else "", f"{minutes:.0f} minutes" if minutes else ""]
    details = ", ".join(filter(None, length))
    steps = f"{history.steps:,} steps" + (f" ({details})" if details else "")
    return f"{history.name}: trained on {history.trained_on}, {steps}."


def loss_panels(history: History) -> list[Panel]:
    """The training loss, what training and validation both measure, and the validation score if it is another one."""
    keys = history.keys()
    shared = [key for key in _ranked(keys) if f"val_{key}" in keys and "perplexity" not in key]
    if "mse" in shared:  # says the same as its decibels, and is what training lowers
        shared = [key for key in shared if key not in {"psnr", "snr"}]
    shared = shared[:2]
    singles = [key for key in ("loss", "val_score") if key.removeprefix("val_") not in shared]
    if any(history.curve("val_score") == history.curve(f"val_{key}") for key in shared):
        singles = [key for key in singles if key != "val_score"]
    panels = {key: _panel(history, [key, f"val_{key}"]) for key in shared}
    panels |= {key: _panel(history, [key]) for key in singles if history.curve(key).values}
    order = ["loss", *(key for key in shared if key != "loss"), "val_score"]
    return [panels[key] for key in order if key in panels]


def perplexity_panels(history: History) -> list[Panel]:
    """Perplexity in training and validation, below the size of the codebook, a curve of its own if that changed."""
    keys = [key for key in ("perplexity", "val_perplexity") if history.curve(key).values]
    if not keys:
        return []
    panel = _panel(history, keys)._replace(from_zero=True)
    sizes = history.curve("codebook_size").values
    if len(set(sizes)) > 1:
        line = _line(history, "codebook_size", "K, codes", RUNS[2], [history])
        return [panel._replace(lines=[*panel.lines, line._replace(noisy=False)])]
    return [panel._replace(level=(sizes[-1], f"K = {sizes[-1]:,.0f} codes") if sizes else None)]


def _panel(history: History, keys: Sequence[str]) -> Panel:
    lines = []
    for key in keys:
        validation = key.startswith("val_")
        label, colour = ("validation", VALIDATION) if validation else ("training", TRAINING)
        lines.append(_line(history, key, label, colour, [history]))
    return Panel(_title(keys[0]).removesuffix(" in training"), lines)


def _line(history: History, key: str, label: str, colour: str, together: Sequence[History]) -> Line:
    steps, values = history.curve(key)
    in_epochs = _x_label(together) == "epoch"
    x = [history.epochs(step) or 0.0 for step in steps] if in_epochs else steps
    return Line(label, colour, x, values, noisy=not key.startswith("val_"))


def _x_label(histories: Sequence[History]) -> str:
    return "epoch" if all(history.epochs(1) is not None for history in histories) else "step"


def _title(key: str) -> str:
    bare = key.removeprefix("val_")
    title = TITLES.get(bare, bare.replace("_", " ").capitalize())
    return title if bare == "score" else f"{title} in {'training' if bare == key else 'validation'}"


def _ranked(keys: set[str]) -> list[str]:
    """Figures of training, those that have a title first."""
    order = list(TITLES)
    names = [key for key in keys if not key.startswith("val_") and key not in {"step", "minutes"}]
    return sorted(names, key=lambda key: (order.index(key) if key in order else len(order), key))


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
