"""Make `vqc/weights/speech.safetensors` from scratch, or go on with a run.

    python scripts/recipes/speech.py prepare --run runs/speech --data LIBRISPEECH/train-clean-100 [--data FOLDER ...]
    python scripts/recipes/speech.py train   --run runs/speech --minutes 90
    python scripts/recipes/speech.py export  --run runs/speech --output vqc/weights/speech.safetensors

A run that was stopped goes on when it is started again with the same folder; `train --start FILE` begins a new run
with the weights and dictionaries of a model file. Every twentieth LibriSpeech speaker is held out for validation.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import numpy as np
import soundfile
import soxr
import torch
import typer
from safetensors.torch import load_file

from vqc.data.splits import audio_files
from vqc.models.checkpoint import load_checkpoint, save_checkpoint
from vqc.models.speech import SAMPLE_RATE, SpeechConfig, SpeechModel
from vqc.nn.pitch import PITCH_HOP, track_pitch
from vqc.training.loop import LoopConfig, Trainer
from vqc.training.speech import RateLevels, RateTargets, SpeechData, SpeechTask, initialise, score_qualities
from vqc.training.speech_export import calibrate, spoken
from vqc.training.tables import fill_static_tables

LEVELS = RateLevels(
    envelope_lambda=(10.5, 6.5, 3.6, 4.0, 3.0, 2.5, 2.0, 1.5),
    waveform_scale=(1, 1, 1, 3.2, 4.2, 5.6, 7.0, 12.0),  # the first three carry no waveform
)
TARGETS = RateTargets(
    envelope=(455, 580, 850, 820, 750, 780, 850, 900),
    waveform=(0, 0, 0, 520, 1250, 2050, 2750, 5100),
)
_SEGMENT = 1000 * PITCH_HOP  # 20 s: the pitch of many segments is tracked at once

app = typer.Typer(add_completion=False, help=__doc__)
Run = Annotated[Path, typer.Option(help="Run folder.")]


@app.command()
def prepare(run: Run, data: Annotated[list[Path], typer.Option(help="Folder of speech; may be repeated.")]) -> None:
    """Decode all files to one 16 kHz array and track its pitch."""
    torch.set_num_threads(1)
    run.mkdir(parents=True, exist_ok=True)
    waves, names = [], []
    for folder in data:
        for path in audio_files(folder):
            samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
            mono = soxr.resample(samples.mean(1), rate, SAMPLE_RATE) if rate != SAMPLE_RATE else samples.mean(1)
            mono = mono[: len(mono) // PITCH_HOP * PITCH_HOP]
            waves.append((mono.clip(-1, 1) * 32767).astype(np.int16))
            names.append((f"{folder.name}/{path.relative_to(folder)}", len(mono)))
    joined = np.concatenate(waves)
    pitch = []
    for start in range(0, len(joined), 32 * _SEGMENT):
        part = joined[start : start + 32 * _SEGMENT].astype(np.float32) / 32768
        padded = np.pad(part, (0, -len(part) % _SEGMENT)).reshape(-1, _SEGMENT)
        pitch.append(track_pitch(torch.from_numpy(padded)).numpy().reshape(-1)[: len(part) // PITCH_HOP])
    np.save(run / "waves.npy", joined)
    np.save(run / "pitch.npy", np.concatenate(pitch).astype(np.uint8))
    (run / "meta.json").write_text(json.dumps(names), encoding="utf-8")


@app.command()
def train(
    run: Run,
    minutes: Annotated[float, typer.Option(help="Length of the whole run; the schedule fits it.")] = 90,
    learning_rate: float = 1.5e-3,
    start: Annotated[Path | None, typer.Option(help="Model file to begin with instead of k-means.")] = None,
    threads: int = 1,
    seed: int = 0,
) -> None:
    """Train until the minutes are used up."""
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    data = SpeechData(run)
    if start is None:
        model = SpeechModel(SpeechConfig())
    else:
        loaded = load_checkpoint(start).model
        assert isinstance(loaded, SpeechModel)
        model = loaded.requires_grad_(True)
        model.envelope_vq.resume()
        model.waveform_vq.resume()
    if start is None and not (run / "state.json").exists():
        initialise(model, data, LEVELS, seed=seed)
    config = LoopConfig(minutes=minutes, learning_rate=learning_rate, validate_minutes=12, ema_decay=0.997)
    Trainer(SpeechTask(model, data, TARGETS, seed=seed), config, run).run()


@app.command()
def export(
    run: Run,
    output: Annotated[Path, typer.Option(help="Model file to write.")],
    utterances: Annotated[int, typer.Option(help="Training utterances from which the tables are counted.")] = 320,
) -> None:
    """Write the best weights of a run with their integer tables, provenance and validation figures."""
    data = SpeechData(run)
    model = SpeechModel(SpeechConfig())
    model.load_state_dict(load_file(run / "best.safetensors"))
    model.eval()
    calibrate(model, spoken(data, utterances // 4), TARGETS)
    fill_static_tables(model, spoken(data, utterances, seed=2))
    state = json.loads((run / "state.json").read_text(encoding="utf-8"))
    training = {
        "data": "LibriSpeech train-clean-100 (part), speechocean762",
        "license": "trained on CC BY 4.0 and free data; weights MIT",
        "steps": state["step"],
        "minutes": round(state["seconds"] / 60),
        "seed": 0,
    }
    figures = score_qualities(model, data)
    save_checkpoint(output, model, name="speech", training=training, figures=figures, weights="float16")
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    app()
