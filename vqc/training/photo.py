"""Training of the `photo` model: its pixels, the start from a linear transform and k-means, task and validation."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from vqc.data.images import read_image
from vqc.errors import TrainingError
from vqc.models.photo import BLOCK, MEAN_CODES, MEANS, PhotoModel
from vqc.training.loop import Losses

Pixels = NDArray[np.uint8]
HOLD_OUT = 20  # every 20th photo, sorted by name, is for validation


class PhotoData:
    """Photos end to end in one memory-mapped uint8 array."""

    def __init__(self, folder: Path) -> None:
        self.pixels: Pixels = np.load(folder / "pixels.npy", mmap_mode="r")
        self.sizes: NDArray[np.int64] = np.load(folder / "sizes.npy")
        ends = np.cumsum(self.sizes.prod(1) * 3)
        self.starts = ends - self.sizes.prod(1) * 3
        self.validation = list(range(0, len(self.sizes), HOLD_OUT))
        self.training = [i for i in range(len(self.sizes)) if i % HOLD_OUT]

    def photo(self, i: int) -> Pixels:
        """One photo, uint8 [H, W, 3]."""
        height, width = self.sizes[i].tolist()
        start = int(self.starts[i])
        return self.pixels[start : start + height * width * 3].reshape(height, width, 3)

    def crop(self, side: int, generator: np.random.Generator) -> Tensor:
        """A random crop of a training photo, [3, side, side] in [0, 1]: half are shrunk by up to two, half mirrored.

        Shrinking hides what JPEG did to the photo.
        """
        photo = self.photo(self.training[generator.integers(len(self.training))])
        room = min(photo.shape[:2]) / side
        shrink = min(room, generator.uniform(1.0, 2.0)) if generator.random() < 0.5 and room > 1 else 1.0
        source = min(round(side * shrink), *photo.shape[:2])
        top, left = (int(generator.integers(n - source + 1)) for n in photo.shape[:2])
        crop = torch.from_numpy(photo[top : top + source, left : left + source].astype(np.float32) / 255)
        image = crop.permute(2, 0, 1)
        if source != side:
            image = F.interpolate(image[None], (side, side), mode="bicubic", antialias=True)[0].clamp(0, 1)
        return image.flip(2) if generator.random() < 0.5 else image

    def crops(self, count: int, side: int, generator: np.random.Generator) -> Tensor:
        """Random crops [count, 3, side, side], channels last in memory."""
        stacked = torch.stack([self.crop(side, generator) for _ in range(count)])
        return stacked.contiguous(memory_format=torch.channels_last)

    def whole(self, photos: list[int], limit: int | None = None) -> Iterator[Tensor]:
        """Photos [1, 3, H, W] in [0, 1], sides cut to multiples of 16, and around the centre to `limit` if given."""
        for i in photos:
            photo = self.photo(i)
            sides = [min(n, limit or n) // BLOCK * BLOCK for n in photo.shape[:2]]
            top, left = ((n - s) // 2 for n, s in zip(photo.shape[:2], sides, strict=True))
            cut = photo[top : top + sides[0], left : left + sides[1]]
            yield torch.from_numpy(cut.astype(np.float32) / 255).permute(2, 0, 1)[None]


def prepare_photos(photos: Path, folder: Path) -> None:
    """Decode a folder of photos once into `folder`; TrainingError when there are none."""
    files = sorted(p for p in photos.iterdir() if p.suffix.lower() in {".jpg", ".jpeg", ".png"})
    if len(files) < HOLD_OUT:
        raise TrainingError(f"{photos} holds {len(files)} photos; training needs at least {HOLD_OUT}")
    pictures = (read_image(file).pixels for file in files)
    decoded = [p if p.ndim == 3 else np.repeat(p[..., None], 3, 2) for p in pictures]
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "sizes.npy", np.array([p.shape[:2] for p in decoded], dtype=np.int64))
    np.save(folder / "pixels.npy", np.concatenate([p.reshape(-1) for p in decoded]))


@torch.no_grad()
def initialise(model: PhotoModel, data: PhotoData, *, seed: int = 0, crops: int = 700) -> None:
    """Make the model a good linear codec: KLT, prediction by least squares, then ECVQ by k-means at each quality.

    The components of rank 0, 1 and 3 are the mean of a block in three colour directions on photographs.
    """
    generator = np.random.default_rng(seed)
    images = [data.crops(1, 256, generator) - 0.5 for _ in range(crops)]
    blocks = torch.cat(
        [F.pixel_unshuffle(255 * x, BLOCK).permute(0, 2, 3, 1).reshape(-1, 3, BLOCK, BLOCK) for x in images]
    )
    model.transform.fit_klt(blocks, first=(0, 1, 3))
    coefficients = torch.cat([255 * model.transform.analyse(x) for x in images])
    scaled = coefficients / model.transform.scale[None, :, None, None]
    model.prediction.fit_linear(list(scaled[:, :MEANS]), list(scaled[:, MEANS:]))
    for level in range(model.qualities):
        levels = torch.tensor([level])
        latents = coefficients / model.steps[level]
        means = model.mean_values(model.mean_codes(latents))
        rest = latents[:, MEANS:] - model.predicted(means, levels)
        rows = rest.permute(0, 2, 3, 1).flatten(0, 2)
        chosen = torch.from_numpy(generator.permutation(len(rows))[:50_000])
        model.quantizer.fit(rows[chosen], level, iterations=8, seed=seed)


class RatePoint(NamedTuple):
    """One quality on validation photos."""

    bits_per_pixel_ideal: float
    psnr: float  # mean over photos, dB
    lagrangian: float  # bits a block, distortion included


@torch.no_grad()
def rate_distortion(model: PhotoModel, images: list[Tensor]) -> list[RatePoint]:
    """Order-0 information content and PSNR at each quality; the mean colours at the entropy of their residuals."""
    points = []
    for level in range(model.qualities):
        levels = torch.tensor([level])
        psnr, bits, squares, blocks = [], 0.0, 0.0, 0
        counts = np.zeros((MEANS, MEAN_CODES), dtype=np.int64)
        for image in images:
            result = model(image, levels)
            symbols = model.to_symbols(result.means[0].numpy())
            for g in range(MEANS):
                counts[g] += np.bincount(symbols[g].ravel(), minlength=MEAN_CODES)
            count = symbols[0].size
            error = 255**2 * float((result.image.clamp(0, 1) - image).square().mean())
            psnr.append(10 * math.log10(255**2 / max(error, 1e-9)))
            squares += error * count * 3 * BLOCK**2
            bits += float(result.bits[0]) * count
            blocks += count
        bits += float(sum(-(c[c > 0] * np.log2(c[c > 0] / c.sum())).sum() for c in counts))
        cost = squares / blocks / model.config.lambdas[level] + bits / blocks
        points.append(RatePoint(bits / blocks / BLOCK**2, float(np.mean(psnr)), cost))
    return points


@dataclass(frozen=True, kw_only=True)
class PhotoTaskConfig:
    """How batches are drawn and errors weighed."""

    side: int = 256
    crops: int = 2  # of each of the two qualities in a step
    commitment_weight: float = 0.7
    level_balance: float = 0.25  # loss of a level is weighed by λ to this power
    validation_photos: int = 12
    validation_side: int = 384
    seed: int = 0


class PhotoTask:
    """Distortion in bits plus commitment; two qualities a step, all of them in turn."""

    def __init__(self, model: PhotoModel, data: PhotoData, config: PhotoTaskConfig) -> None:
        self.model, self.data, self.config = model, data, config
        lambdas = torch.tensor(model.config.lambdas)
        self.inverse = 255**2 / lambdas
        self.weight = (lambdas / 1000) ** config.level_balance
        photos = data.validation[:: max(1, len(data.validation) // config.validation_photos)]
        self.held_out = list(data.whole(photos, config.validation_side))

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        """Crops [B, 3, side, side] and their levels [B]."""
        config = self.config
        generator = np.random.default_rng((config.seed, step))
        pairs = -(-self.model.qualities // 2)
        order = np.random.default_rng((config.seed, 1, step // pairs)).permutation(self.model.qualities)
        first = 2 * (step % pairs)
        levels = torch.from_numpy(order[first : first + 2]).repeat_interleave(config.crops)
        return self.data.crops(len(levels), config.side, generator), levels

    def loss(self, batch: tuple[Tensor, Tensor], step: int) -> Losses:
        """Per colour sample: squared error / λ + commitment, weighed by level."""
        image, levels = batch
        result = self.model(image, levels)
        distortion = (result.image - image).square().mean((1, 2, 3)) * self.inverse[levels] * 3 * BLOCK**2
        cost = distortion + self.config.commitment_weight * result.commitment
        total = (cost * self.weight[levels]).mean() / 100
        logged = {
            "distortion": distortion.detach().mean(),
            "commitment": result.commitment.detach().mean(),
            "bits": result.bits.mean(),
        }
        return Losses(total, logged)

    def validate(self) -> Mapping[str, float]:
        """Rate and PSNR of each quality; the score is the mean log of the Lagrangians."""
        points = rate_distortion(self.model, self.held_out)
        figures = {f"bpp_{q + 1}": p.bits_per_pixel_ideal for q, p in enumerate(points)}
        figures |= {f"psnr_{q + 1}": p.psnr for q, p in enumerate(points)}
        return figures | {"score": float(np.mean([math.log2(p.lagrangian) for p in points]))}
