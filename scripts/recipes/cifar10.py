"""Train the bundled model `cifar10` from scratch and write it to vqc/weights.

    python scripts/recipes/cifar10.py --data CIFAR10_FOLDER --run runs/cifar10 --minutes 40

Started again with the same run folder it goes on where it stopped. `--report` measures the 1,000 test rows with the
exported file; nothing else looks at them.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor

from vqc.data.batches import ImageBatches
from vqc.data.splits import Cifar10, UInt8Array, read_cifar10
from vqc.models.image_vqvae import ImageVQVAE, ImageVQVAEConfig
from vqc.training.loop import LoopConfig, Trainer
from vqc.training.reconstruction import ReconstructionTask

LOSSLESS_SHARE = 0.35  # of the images in a batch: fewer in number, but what the model is for


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of CIFAR-10 (see vqc/data/splits.py)")
    parser.add_argument("--run", type=Path, required=True, help="run folder; an existing one is resumed")
    parser.add_argument("--minutes", type=float, default=40.0, help="training time, validation not counted")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(arguments.seed)
    data = read_cifar10(arguments.data)
    task = make_task(data, arguments.batch_size, arguments.seed)
    loop = LoopConfig(minutes=arguments.minutes, learning_rate=arguments.learning_rate, validate_minutes=4.0)
    Trainer(task, loop, arguments.run).run()


def make_task(data: Cifar10, batch_size: int, seed: int) -> ReconstructionTask:
    """The paper model on 32x32 images, lossless and compressed ones mixed."""
    sets, shares = [data.train], [1.0]
    if len(data.train_compressed):
        sets, shares = [data.train, data.train_compressed], [LOSSLESS_SHARE, 1 - LOSSLESS_SHARE]
    model = ImageVQVAE(ImageVQVAEConfig()).to(memory_format=torch.channels_last)  # quicker on CPUs
    return ReconstructionTask(
        model,
        ImageBatches(sets, shares, batch_size=batch_size, seed=seed, max_shift=2),
        as_batches(data.validation),
        variance=float((data.train / 255).var()),
    )


def as_batches(images: UInt8Array, size: int = 100) -> list[Tensor]:
    """Images in [0, 1], [B, 3, H, W] each."""
    return [torch.from_numpy(images[i : i + size]).float() / 255 for i in range(0, len(images), size)]


if __name__ == "__main__":
    main()
