"""Train the paper's speech model `librispeech` from scratch on a LibriSpeech tree.

    python scripts/recipes/librispeech.py --data LibriSpeech/train-clean-100 --run runs/librispeech --minutes 600

Started again with the same run folder it goes on where it stopped; a finished run is exported again. About
every twentieth speaker is held out for validation. The model is not bundled: `--output` says where it goes.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from paper_export import export
from safetensors.torch import load_file
from torch import Tensor

from vqc._version import __version__
from vqc.data.batches import WaveformBatches
from vqc.data.packs import AudioPack, open_audio
from vqc.models.audio_vqvae import AudioVQVAE, AudioVQVAEConfig
from vqc.training.loop import LoopConfig, Trainer
from vqc.training.reconstruction import ReconstructionTask

MAX_VALIDATION_UTTERANCES = 20
CROP = 8_192  # samples of a training item, about half a second


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="LibriSpeech, or a folder of recordings in any tree")
    parser.add_argument("--run", type=Path, required=True, help="run folder; an existing one is resumed")
    parser.add_argument("--output", type=Path, required=True, help="model file to write")
    parser.add_argument("--minutes", type=float, default=600.0, help="training time, validation not counted")
    parser.add_argument("--steps", type=int, default=LoopConfig.steps, help="stop after so many steps at the latest")
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--learning-rate", type=float, default=5e-4)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(arguments.seed)
    train(arguments, AudioVQVAEConfig())


def train(arguments: argparse.Namespace, config: AudioVQVAEConfig) -> None:
    """Go on with the run until its time is used up, then export its best weights."""
    model = AudioVQVAE(config)
    pack = open_audio([str(arguments.data)], model.sample_rate)
    batches = WaveformBatches(pack, length=CROP, batch_size=arguments.batch_size, seed=arguments.seed)
    validation = as_batches(pack, pack.validation[:MAX_VALIDATION_UTTERANCES], model.hop_length)
    variance = float(np.concatenate([pack.waveform(i) for i in pack.training]).var())
    task = ReconstructionTask(model, batches, validation, variance=variance)
    loop = LoopConfig(steps=arguments.steps, minutes=arguments.minutes, learning_rate=arguments.learning_rate)
    trainer = Trainer(task, loop, arguments.run)
    trainer.run()
    model.load_state_dict(load_file(arguments.run / "best.safetensors"))
    training = {
        "data": pack.description,
        "steps": trainer.step,
        "batch_size": arguments.batch_size,
        "minutes": round(trainer.seconds / 60, 1),
        "seed": arguments.seed,
        "version": __version__,
    }
    export(
        model,
        "librispeech",
        training,
        arguments.output,
        training_batches=as_batches(pack, pack.training, model.hop_length),
        validation_batches=validation,
    )


def as_batches(pack: AudioPack, utterances: list[int], hop_length: int) -> list[Tensor]:
    """Utterances one by one, [1, T] each, cut to whole codes."""
    waveforms = map(pack.waveform, utterances)
    return [torch.from_numpy(w[: len(w) // hop_length * hop_length])[None] for w in waveforms]


if __name__ == "__main__":
    main()
