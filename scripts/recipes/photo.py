"""Make `vqc/weights/photo.safetensors` from scratch, or go on with a run.

    python scripts/recipes/photo.py prepare --run runs/photo --data PHOTOS
    python scripts/recipes/photo.py start   --run runs/photo
    python scripts/recipes/photo.py train   --run runs/photo --minutes 90
    python scripts/recipes/photo.py export  --run runs/photo --output vqc/weights/photo.safetensors

`start` fits the linear transform and the first dictionaries; exported alone it is already a codec. A run that was
stopped goes on when `train` is started again with the same folder; `train --start FILE` begins a new run with the
weights and dictionaries of a model file. Every 20th photo, sorted by name, is held out for validation.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import torch
import typer
from safetensors.torch import load_file, save_file
from torch import Tensor

from vqc.models.checkpoint import load_checkpoint, save_checkpoint
from vqc.models.photo import PhotoConfig, PhotoModel
from vqc.training.loop import LoopConfig, Trainer
from vqc.training.photo import PhotoData, PhotoTask, PhotoTaskConfig, initialise, prepare_photos, rate_distortion
from vqc.training.photo_export import refit, sample_images, without_idle_groups
from vqc.training.tables import fill_static_tables

app = typer.Typer(add_completion=False, help=__doc__)
Run = Annotated[Path, typer.Option(help="Run folder.")]


@app.command()
def prepare(run: Run, data: Annotated[Path, typer.Option(help="Folder of photos.")]) -> None:
    """Decode all photos to one array."""
    prepare_photos(data, run)


@app.command()
def start(run: Run, threads: int = 1, seed: int = 0) -> None:
    """Fit the linear transform, the prediction from mean colours and the dictionaries: a few minutes."""
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    model = PhotoModel(PhotoConfig()).eval()
    initialise(model, PhotoData(run), seed=seed)
    save_file({k: v.contiguous() for k, v in model.state_dict().items()}, run / "start.safetensors")


@app.command()
def train(
    run: Run,
    minutes: Annotated[float, typer.Option(help="Length of the whole run; the schedule fits it.")] = 90,
    learning_rate: float = 8e-4,
    start: Annotated[Path | None, typer.Option(help="Model file to begin with instead of `start`.")] = None,
    threads: int = 1,
    seed: int = 0,
) -> None:
    """Train until the minutes are used up."""
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    model = PhotoModel(PhotoConfig())
    if start is None:
        model.load_state_dict(load_file(run / "start.safetensors"))
    else:
        shipped = load_checkpoint(start).model.state_dict()
        del shipped["static_table"]  # of fewer code maps: idle ones were dropped
        model.load_state_dict(shipped, strict=False)
        model.quantizer.resume()
    model = model.to(memory_format=torch.channels_last)
    config = LoopConfig(minutes=minutes, learning_rate=learning_rate, validate_minutes=14, gradient_clip=2.0)
    Trainer(PhotoTask(model, PhotoData(run), PhotoTaskConfig(seed=seed)), config, run).run()


@app.command()
def export(
    run: Run,
    output: Annotated[Path, typer.Option(help="Model file to write.")],
    photos: Annotated[int, typer.Option(help="Training photos from which the code tables are counted.")] = 300,
    validation_photos: Annotated[int, typer.Option(help="Validation photos of the figures.")] = 36,
    threads: int = 1,
) -> None:
    """Write the averaged weights of a run with their integer tables, provenance and validation figures."""
    torch.set_num_threads(threads)
    data = PhotoData(run)
    model = PhotoModel(PhotoConfig())
    state: dict[str, float] = {"step": 0, "seconds": 0.0}
    if (run / "state.json").exists():
        tensors = load_file(run / "state.safetensors")
        kept = {k.removeprefix("model."): v for k, v in tensors.items() if k.startswith("model.")}
        kept |= {k.removeprefix("average."): v for k, v in tensors.items() if k.startswith("average.")}
        model.load_state_dict(kept)
        state = json.loads((run / "state.json").read_text(encoding="utf-8"))
    else:
        model.load_state_dict(load_file(run / "start.safetensors"))
    model = shippable(model.eval(), sample_images(data, photos))
    figures = {
        f"quality_{q + 1}": {"bpp": round(p.bits_per_pixel_ideal, 4), "psnr": round(p.psnr, 3)}
        for q, p in enumerate(rate_distortion(model, list(data.whole(data.validation[:validation_photos]))))
    }
    training = {
        "data": "709 photographs (CC0, CC-BY, CC-BY-SA, Unsplash and Pexels licences)",
        "steps": int(state["step"]),
        "minutes": round(state["seconds"] / 60),
        "seed": 0,
    }
    save_checkpoint(output, model, name="photo", training=training, figures=figures, weights="float16")
    print(json.dumps(figures, indent=1))


def shippable(model: PhotoModel, images: list[Tensor]) -> PhotoModel:
    """The model with its dictionaries fitted once more, idle code maps dropped and its integer tables counted."""
    model = without_idle_groups(model, refit(model, images))
    fill_static_tables(model, images)
    return model


if __name__ == "__main__":
    app()
