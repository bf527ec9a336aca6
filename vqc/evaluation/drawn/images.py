"""Images drawn from a prior, judged by a classifier that knows nothing of codecs.

::

    held-out rows ───────────────────────────────► features ─┐
    drawn │ drawn of each class │ order-0 │ restored │ training ─► features ─┴─ Fréchet distance, class, gradients

All sets have as many images as are held out, since the distance depends on that number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from vqc.data.cifar10 import is_cifar10, read_cifar10, read_labels
from vqc.data.data_source import evenly_spaced
from vqc.errors import OptionError
from vqc.evaluation.drawn.classifier import Judge
from vqc.evaluation.drawn.codes import DRAW, Draw, order_0_codes, prior_codes, restored
from vqc.metrics.frechet import frechet_distance
from vqc.models.base import CodecModel

SIDE = 32  # pixels, of all images here
SHOWN = 16  # drawn images whose nearest training image is looked for
_LUMA = np.array([0.299, 0.587, 0.114])

Images = NDArray[np.uint8]
Progress = Callable[[float], None]


class Row(NamedTuple):
    """One set of images."""

    name: str
    frechet: float | None  # distance to the held-out images in the classifier's features
    gradient: float  # mean size of the gradient of luma, in levels a pixel
    taken: float | None  # share that the classifier takes for the class that they are of


class Nearest(NamedTuple):
    """Images beside their nearest training images."""

    images: Images  # [N, 32, 32, 3]
    training: Images  # [N, 32, 32, 3]: of each the one with the least squared error
    rms: NDArray[np.float64]  # [N], in levels


@dataclass(frozen=True, kw_only=True)
class ImageStudy:
    """What is found of a model's drawn images."""

    rows: tuple[Row, ...]
    images: int  # of each set
    accuracy: float  # of the classifier on the held-out images
    nearest: Nearest  # of drawn images
    held_out_rms: float  # median distance of held-out images, restored, to their nearest training images

    @property
    def description(self) -> str:
        """What the table is of, and what it does not show."""
        return (
            f"{self.images:,} images in each set; the classifier is right on {100 * self.accuracy:.1f} % of all held "
            f"out; to the nearest training image {self.nearest.rms.mean():.1f} levels for drawn images, "
            f"{self.held_out_rms:.1f} for held-out ones"
        )

    @property
    def figures(self) -> dict[str, Any]:
        """What is not in the rows, without pixels."""
        return {
            "images": self.images,
            "accuracy": self.accuracy,
            "nearest_rms": self.nearest.rms.tolist(),
            "held_out_rms": self.held_out_rms,
        }


class _Rows(NamedTuple):
    """The images of CIFAR-10 that a study is made of, with the classes of some."""

    training: Images
    everything: Images  # all training images, those after JPEG too
    held_out: Images
    held_out_classes: NDArray[np.int64]


def study_images(
    model: CodecModel, folder: Path, judge: Judge, *, count: int | None = None, how: Draw = DRAW, progress: Progress
) -> ImageStudy:
    """Measure what the prior of an image model draws against images that nobody trained on.

    Args:
        folder: of CIFAR-10: see `vqc.data.cifar10`.
        count: images of each set; by default as many as are held out.
        how: codes are drawn from the prior; those of class i with the i-th seed from there.
        progress: called with the share that is done.

    Raises:
        OptionError: the model has no prior, or the folder is not CIFAR-10.
    """
    if model.prior is None:
        raise OptionError("the model has no prior to draw from; vqc train prior makes one")
    rows = _read(folder, judge, count)
    sets = list(_sets(model, rows, judge, how))
    target = judge(rows.held_out).features
    found, drawn = [], rows.held_out
    for number, (name, make, classes) in enumerate(sets):
        images = make()
        said = judge(images)
        same = images is rows.held_out
        distance = None if same else frechet_distance(said.features, target)
        taken = None if classes is None else float(np.mean(said.classes == classes))
        found.append(Row(name, distance, mean_gradient(images), taken))
        if name in ("drawn", "drawn of a class"):
            drawn = images  # the last of them
        progress((number + 1) / len(sets))
    chosen = drawn[evenly_spaced(range(len(drawn)), SHOWN)]
    seen = _restored(model, rows.held_out[evenly_spaced(range(len(drawn)), 100)])
    return ImageStudy(
        rows=tuple(found),
        images=len(rows.held_out),
        accuracy=judge.accuracy,
        nearest=nearest_images(chosen, rows.everything),
        held_out_rms=float(np.median(nearest_images(seen, rows.everything).rms)),
    )


_Set = tuple[str, Callable[[], Images], NDArray[np.int64] | None]  # name, how it is made, classes


def _sets(model: CodecModel, rows: _Rows, judge: Judge, how: Draw) -> Iterator[_Set]:
    """The sets in the order of the table."""
    count, quality = len(rows.held_out), model.default_quality
    side = SIDE // int(getattr(model, "downsampling_factor", 1))
    grid = (side, side)

    def drawn() -> Images:
        return _pixels(restored(model, prior_codes(model, quality, count, grid, how), quality))

    def of_classes() -> Images:
        parts = [prior_codes(model, quality, n, grid, how._replace(seed=how.seed + i), i) for i, n in enumerate(counts)]
        return _pixels(restored(model, torch.cat(parts), quality))

    def order_0() -> Images:
        return _pixels(restored(model, order_0_codes(model, quality, count, grid, how.seed), quality))

    yield "held out", lambda: rows.held_out, rows.held_out_classes
    yield "held out, restored", lambda: _restored(model, rows.held_out), rows.held_out_classes
    yield "training", lambda: rows.training, None
    yield "training, restored", lambda: _restored(model, rows.training), None
    yield "order-0", order_0, None
    yield "drawn", drawn, None
    prior: Any = model.prior
    names = prior.classes
    if names:
        if set(names) != set(judge.classes):
            raise OptionError("the classifier knows other classes than the prior; train one on the same data")
        counts = [count // len(names) + (i < count % len(names)) for i in range(len(names))]
        yield "drawn of a class", of_classes, np.repeat([judge.classes.index(name) for name in names], counts)


def _read(folder: Path, judge: Judge, count: int | None) -> _Rows:
    if not is_cifar10(folder):
        raise OptionError(f"{folder} is not CIFAR-10; images that are drawn are measured against its test images")
    data, names = read_cifar10(folder), read_labels(folder).test
    everything, held_out = (
        np.ascontiguousarray(images.transpose(0, 2, 3, 1))
        for images in (np.concatenate([data.train, data.train_compressed]), data.test)
    )
    if not set(names) <= set(judge.classes):
        raise OptionError(f"{folder} does not tell the classes of its images")
    kept = evenly_spaced(range(len(held_out)), count or len(held_out))
    training = evenly_spaced(range(len(data.train)), len(kept))
    classes = np.array([judge.classes.index(names[i]) for i in kept])
    return _Rows(everything[training], everything, held_out[kept], classes)


def mean_gradient(images: Images) -> float:
    """Mean over pixels of the size of the gradient of luma, by differences to the right and down, in levels."""
    luma = images @ _LUMA  # [N, h, w]
    right, down = (np.diff(luma, axis=axis) for axis in (2, 1))
    return float(np.hypot(right[:, :-1], down[:, :, :-1]).mean())


def nearest_images(images: Images, training: Images) -> Nearest:
    """Find the training image that is nearest to each in squared error over all pixels."""
    rows, others = (x.reshape(len(x), -1).astype(np.float32) for x in (images, training))
    squares = (rows**2).sum(1)[:, None] + (others**2).sum(1) - 2 * rows @ others.T  # [N, M]
    chosen = squares.argmin(1)
    errors = np.maximum(squares[np.arange(len(rows)), chosen], 0) / rows.shape[1]
    return Nearest(images, training[chosen], np.sqrt(errors.astype(np.float64)))


@torch.inference_mode()
def _restored(model: CodecModel, images: Images) -> Images:
    """What the model restores of images, as files of them hold it."""
    quality, signals = model.default_quality, torch.from_numpy(images.transpose(0, 3, 1, 2).astype(np.float32) / 255)
    codes = [model.encode_as_files_do(piece, quality) for piece in torch.split(signals, 250)]
    return _pixels(restored(model, torch.cat(codes), quality))


def _pixels(signals: torch.Tensor) -> Images:
    """Pixels [N, H, W, 3] of signals [N, 3, H, W] in [0, 1]."""
    levels = (signals.clamp(0, 1) * 255).round().to(torch.uint8)
    return np.ascontiguousarray(levels.permute(0, 2, 3, 1).cpu().numpy())
