"""Train the bundled model `cifar10` from scratch and write it to vqc/weights.

    python scripts/recipes/cifar10.py --data CIFAR10_FOLDER --run runs/cifar10 --minutes 45
    python scripts/recipes/cifar10.py --data CIFAR10_FOLDER --report vqc/weights/cifar10.safetensors

Started again with the same run folder it goes on where it stopped; a finished run is exported again. The report
measures the test images, which nothing else looks at.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import cast

import torch
from paper_export import export, measure
from safetensors.torch import load_file
from torch import Tensor

from vqc._version import __version__
from vqc.data.batches import ImageBatches
from vqc.data.cifar10 import Cifar10, read_cifar10
from vqc.data.packs import ImagePack, UInt8Array, open_images
from vqc.models.checkpoint import load_checkpoint
from vqc.models.image_vqvae import ImageVQVAE, ImageVQVAEConfig
from vqc.training.loop import LoopConfig, Trainer
from vqc.training.reconstruction import ReconstructionTask

WEIGHTS = Path(__file__).resolve().parents[2] / "vqc" / "weights" / "cifar10.safetensors"
SOURCE = "CIFAR-10 training images 0-2,699, lossless, and 16,000 others at JPEG quality 75"
OFFICIAL_SOURCE = "CIFAR-10 training images 0-48,999"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of CIFAR-10 (see vqc/data/cifar10.py)")
    parser.add_argument("--run", type=Path, help="run folder; an existing one is resumed")
    parser.add_argument("--report", type=Path, metavar="MODEL", help="measure a model file on the test images")
    parser.add_argument("--minutes", type=float, default=45.0, help="training time, validation not counted")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=WEIGHTS, help="model file to write")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    data = read_cifar10(arguments.data)
    if arguments.report:
        model = cast(ImageVQVAE, load_checkpoint(arguments.report).model)
        print(json.dumps(measure(model, as_batches(data.test)), indent=1))
    elif arguments.run:
        train(arguments, data)
    else:
        parser.error("one of --run and --report is needed")


def train(arguments: argparse.Namespace, data: Cifar10) -> None:
    """Go on with the run until its time is used up, then export its best weights."""
    torch.manual_seed(arguments.seed)
    task = make_task(data, open_images([str(arguments.data)]), arguments.batch_size, arguments.seed)
    loop = LoopConfig(minutes=arguments.minutes, learning_rate=arguments.learning_rate, validate_minutes=4.0)
    trainer = Trainer(task, loop, arguments.run)
    trainer.run()
    task.model.load_state_dict(load_file(arguments.run / "best.safetensors"))
    training = {
        "data": SOURCE if len(data.train_compressed) else OFFICIAL_SOURCE,
        "steps": trainer.step,
        "batch_size": arguments.batch_size,
        "minutes": round(trainer.seconds / 60, 1),
        "seed": arguments.seed,
        "version": __version__,
    }
    export(
        task.model,
        "cifar10",
        training,
        arguments.output,
        training_batches=as_batches(data.train),
        validation_batches=as_batches(data.validation),
    )


def make_task(data: Cifar10, pack: ImagePack, batch_size: int, seed: int) -> ReconstructionTask:
    """The paper model on 32x32 images, lossless and compressed ones mixed."""
    model = ImageVQVAE(ImageVQVAEConfig()).to(memory_format=torch.channels_last)  # quicker on CPUs
    return ReconstructionTask(
        model,
        ImageBatches(pack, batch_size=batch_size, seed=seed, max_shift=2),
        as_batches(data.validation),
        variance=float((data.train / 255).var()),
    )


def as_batches(images: UInt8Array, size: int = 100) -> list[Tensor]:
    """Images in [0, 1], [B, 3, H, W] each."""
    return [torch.from_numpy(images[i : i + size]).float() / 255 for i in range(0, len(images), size)]


if __name__ == "__main__":
    main()
