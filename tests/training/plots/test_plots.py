"""Figures say what was trained on what, and show what was logged."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import matplotlib
import pytest
from PIL import Image

from vqc.drawing.runs import Curve, loss_panels, perplexity_panels
from vqc.drawing.style import STYLE
from vqc.errors import MissingPackageError, OutputError, TrainingError
from vqc.models.files.checkpoint import save_checkpoint
from vqc.models.vqvae.image import ImageVQVAE, ImageVQVAEConfig
from vqc.training.history import read_history
from vqc.training.plots.runs import compare_runs, curves_of, draw_run, plot


def make_run(folder: Path, name: str = "lamps", score: float = 0.1, **run: object) -> Path:
    rows: list[dict[str, float]] = [
        {
            "step": i,
            "minutes": i / 100,
            "loss": 10 / i,
            "mse": 1 / i,
            "psnr": 9.0,
            "perplexity": 40.0,
            "codebook_size": 64,
        }
        for i in range(400, 1201, 400)
    ]
    for step, mse in ((600, 0.2), (1200, 0.1)):
        rows.append(
            {
                "step": step,
                "minutes": 12,
                "val_score": mse * score,
                "val_mse": mse,
                "val_psnr": 9.0,
                "val_perplexity": 50.0,
            }
        )
    rows.sort(key=lambda row: row["step"])
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    record = {"name": name, "trained_on": r"my $\frac{photos}$", "batch_size": 8, "examples_per_epoch": 3200, **run}
    (folder / "run.json").write_text(json.dumps(record))
    return folder


def curves_of_run(folder: Path) -> dict[str, Curve]:
    history = read_history(folder)
    return curves_of(history, in_epochs=history.epochs(1) is not None)


def description(path: Path) -> str:
    with Image.open(path) as image:
        return str(image.info["Description"])


def test_the_figures_of_a_run_say_what_it_was_trained_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)  # would open windows, and keeps every figure alive
    before = {key: matplotlib.rcParams[key] for key in STYLE}
    drawn = [one.save() for one in draw_run(make_run(tmp_path))]
    assert [path.relative_to(tmp_path).as_posix() for path in drawn] == ["figures/losses.png", "figures/perplexity.png"]
    for path in drawn:
        assert description(path) == r"lamps: trained on my $\frac{photos}$, 1,200 steps (3 epochs, 12 minutes)."
    assert {key: matplotlib.rcParams[key] for key in STYLE} == before


def test_a_model_file_has_the_figures_of_its_run(tmp_path: Path) -> None:
    path = tmp_path / "lamps.safetensors"
    history = {"loss": [[10, 3.0], [20, 2.0]], "perplexity": [[10, 4.0], [20, 5.0]], "val_mse": [[20, 0.25]]}
    model = ImageVQVAE(ImageVQVAEConfig(widths=(4, 4), residual_width=4, codebook_size=8, codebook_dim=2))
    save_checkpoint(path, model, name="lamps", training={"data": "photos", "steps": 25}, figures={}, history=history)
    read = read_history(path)
    assert (read.steps, read.curve("perplexity").values, read.curve("val_mse").steps) == (25, [4, 5], [20])
    drawn = [one.save() for one in draw_run(path)]
    assert [file.relative_to(tmp_path).as_posix() for file in drawn] == ["figures/losses.png", "figures/perplexity.png"]
    assert description(drawn[0]) == "lamps: trained on photos, 25 steps."
    save_checkpoint(path, model, name="lamps", training={}, figures={})
    with pytest.raises(TrainingError, match="holds no history"):
        draw_run(path)


def test_runs_of_one_name_are_told_apart_and_each_has_its_caption(tmp_path: Path) -> None:
    runs = [make_run(tmp_path / "a"), make_run(tmp_path / "b", trained_on="music"), make_run(tmp_path / "c", "hats")]
    path = compare_runs(runs, tmp_path / "all.png").save()
    lines = description(path).splitlines()
    assert [line.split(", 1,200 steps")[0] for line in lines[:3]] == [
        rf"{tmp_path}/a: trained on my $\frac{{photos}}$",
        f"{tmp_path}/b: trained on music",
        r"hats: trained on my $\frac{photos}$",
    ]


def test_each_run_has_its_figures_and_several_are_compared(tmp_path: Path) -> None:
    a, b = make_run(tmp_path / "a", "one"), make_run(tmp_path / "b", "two")
    names = ("losses.png", "perplexity.png")
    own = [run / "figures" / name for run in (a, b) for name in names]
    assert [one.path for one in plot([a])] == own[:2]
    assert [one.path for one in plot([a, b])] == [*own, a / "figures/comparison.png"]
    out = tmp_path / "out"
    drawn = plot([a, b], out)
    assert [one.path for one in drawn] == [
        *(out / run / n for run in ("one", "two") for n in names),
        out / "comparison.png",
    ]
    assert not out.exists(), "nothing is written yet"
    drawn[0].save()
    with pytest.raises(OutputError, match="exists already"):
        drawn[0].save()
    drawn[0].save(overwrite=True)


def test_training_and_validation_share_a_panel_where_they_measure_the_same(tmp_path: Path) -> None:
    loss, mse, score = loss_panels(curves_of_run(make_run(tmp_path)))
    assert [(line.label, line.y) for line in loss.lines] == [("training", [10 / 400, 10 / 800, 10 / 1200])]
    assert [(line.label, line.x) for line in mse.lines] == [("training", [1, 2, 3]), ("validation", [1.5, 3])]  # epochs
    assert [line.y for line in score.lines] == [[0.1 * 0.2, 0.1 * 0.1]]


def test_a_score_that_repeats_another_figure_is_not_drawn_again(tmp_path: Path) -> None:
    assert len(loss_panels(curves_of_run(make_run(tmp_path, score=1.0)))) == 2


def test_the_perplexity_stands_below_the_number_of_codes(tmp_path: Path) -> None:
    (panel,) = perplexity_panels(curves_of_run(make_run(tmp_path)))
    assert panel.level == (64, "K = 64 codes")
    assert len(panel.lines) == 2
    assert [line.y for line in panel.lines] == [[40.0] * 3, [50.0] * 2]


def test_a_codebook_that_grows_is_drawn_as_it_grew(tmp_path: Path) -> None:
    rows = [{"step": i, "loss": 1.0, "perplexity": 3.0, "codebook_size": 4.0 * i} for i in (1, 2, 3)]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (panel,) = perplexity_panels(curves_of_run(tmp_path))
    assert panel.level is None
    assert [line.y for line in panel.lines] == [[3.0] * 3, [4.0, 8.0, 12.0]]


@pytest.mark.parametrize("draw", [draw_run, lambda run: compare_runs([run], run / "x.png"), lambda run: plot([run])])
def test_without_matplotlib_one_sentence_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, draw: Callable[[Path], object]
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingPackageError, match=r"pip install 'vqc-codec\[eval\]'"):
        draw(make_run(tmp_path))
