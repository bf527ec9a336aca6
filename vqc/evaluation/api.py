"""The Python interface of the measurements: a model on data, in one call."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from vqc.data.benchmarks import Benchmark, media_of_data, open_benchmark
from vqc.data.derived import Progress
from vqc.data.formats import SUFFIXES
from vqc.errors import OptionError
from vqc.evaluation.baselines import choose_baselines
from vqc.evaluation.evaluate import EvaluationOptions
from vqc.evaluation.evaluate import evaluate as run_evaluation
from vqc.evaluation.measure import MeasureOptions
from vqc.evaluation.results import Evaluation
from vqc.metrics.catalogue import choose_metrics
from vqc.models.files.header import ModelInfo
from vqc.models.files.zoo import find_by_name
from vqc.models.kinds import default_model
from vqc.scheduling.workers import Workers
from vqc.storage.places import at_hand
from vqc.storage.urls import is_url


def evaluate(
    data: str | os.PathLike[str],
    *,
    model: str | os.PathLike[str] | None = None,
    qualities: Sequence[int] | Literal["all"] | None = None,
    against: Sequence[str] = (),
    metrics: Sequence[str] | None = None,
    entropy: str = "auto",
    effort: int | None = None,
    sharp: bool = False,
    split: str | None = None,
    limit: int | None = None,
    download: bool = False,
    examples: int = 0,
    jobs: int = 1,
    progress: Progress | None = None,
) -> Evaluation:
    """Measure a model on files, and other codecs on the same ones at the same sizes, as `vqc eval` does.

    Args:
        data: a file, a folder, a URL of either, or "kodak", "cifar10" or "LibriSpeech".
        model: name or path; by default the one for such data.
        qualities: of the model, or "all"; by default its own choice.
        against: names of other codecs, such as "jpeg" or "opus", or "all". Absent ones are named in `Evaluation.notes`.
        metrics: such as "psnr" or "pesq_wb"; all that can be computed here by default.
        entropy: "auto" (the smallest of the others), "prior", "static" or "none".
        effort: of the encoder; the model's own by default.
        sharp: restore with the model's sharp decoder.
        split: part of the data: "test", "validation", "test-other", …
        limit: at most so many items, evenly spaced.
        download: get named data that is not here.
        examples: how many items to keep with what became of them, for `vqc.evaluation.report`.
        jobs: processes.
        progress: called with how many items are done, and how many there are.

    Raises:
        OptionError: there is no such data, model, quality, codec or metric.
        MediaError: nothing of it can be read.
        ModelNotFoundError, CheckpointError: the model is not there, or damaged.
        TrainingError, OutputError: named data is not here and not to be downloaded, or that fails.
    """
    with data_at_hand(os.fspath(data), None if split else limit) as name:
        info = find_by_name(model_for(name) if model is None else model)
        benchmark = open_benchmark(name, info.media, split=split, download=download).at_most(limit)
        request = evaluation_of(
            info,
            benchmark,
            qualities=_chosen(qualities, info),
            against=",".join(against),
            metrics=None if metrics is None else ",".join(metrics) or "none",
            entropy=entropy,
            effort=effort,
            sharp=sharp,
            examples=examples,
            workers=jobs,
        )
        return run_evaluation(request, progress)


@contextmanager
def data_at_hand(name: str, most: int | None) -> Iterator[str]:
    """The name of data that is on this machine: what a URL names is copied, at most so many files, and removed again.

    Raises:
        MissingPackageError, MediaError: there is nothing at the URL, or it cannot be got.
    """
    if not is_url(name):
        yield name
        return
    with at_hand(name, {suffix for suffixes in SUFFIXES.values() for suffix in suffixes}, most) as here:
        yield here


def _chosen(qualities: Sequence[int] | Literal["all"] | None, info: ModelInfo) -> tuple[int, ...]:
    """The qualities to measure; OptionError for what the model does not have."""
    if qualities is None:
        return (info.default_quality,)
    known = range(1, info.qualities + 1)
    chosen = tuple(known) if qualities == "all" else tuple(sorted({*qualities}))
    if not chosen or any(quality not in known for quality in chosen):
        raise OptionError(f"qualities {qualities}: those of the model {info.name} are 1 to {info.qualities}")
    return chosen


def model_for(data: str) -> str:
    """Return the model for data whose model is not named; OptionError when there is no such data."""
    media, small = media_of_data(data)
    return "cifar10" if small else default_model(media)


def evaluation_of(
    info: ModelInfo,
    data: Benchmark,
    *,
    qualities: tuple[int, ...],
    against: str,
    metrics: str | None,
    entropy: str,
    effort: int | None,
    sharp: bool,
    examples: int,
    workers: Workers | int,
    files: int | None = None,
) -> EvaluationOptions:
    """What to measure of a model, names with commas between resolved to codecs and metrics that are here.

    Raises:
        OptionError: there is no such codec or metric.
    """
    codecs, left_out = choose_baselines(against, info.media)
    measured, absent = choose_metrics(metrics, info.media)
    plan = MeasureOptions(
        media=info.media,
        model=str(Path(info.path)),
        qualities=qualities,
        entropy=entropy,
        metrics=measured,
        against=codecs,
        effort=effort,
        sharp=sharp,
    )
    default = info.default_quality if info.default_quality in qualities else qualities[len(qualities) // 2]
    return EvaluationOptions(
        plan=plan,
        data=data,
        workers=workers,
        files=files,
        examples=examples,
        example_qualities=tuple(sorted({qualities[len(qualities) // 4], default})),
        notes=(*absent, *left_out),
    )
