"""`vqc eval samples`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vqc.cli.options import ReportOptions, model_option, takes
from vqc.cli.outputs import check_new, check_suffix
from vqc.errors import OptionError
from vqc.option_fields import option

if TYPE_CHECKING:
    from vqc.evaluation.drawn.codes import Draw
    from vqc.evaluation.drawn.images import ImageStudy
    from vqc.evaluation.drawn.speech import SpeechStudy
    from vqc.models.files.header import ModelInfo

CLIPS = 16  # of speech in a set, where nothing else is said


@dataclass(frozen=True, kw_only=True)
class SamplesOptions(ReportOptions):
    """The options of `vqc eval samples`."""

    data: Annotated[
        str, typer.Option("--data", metavar="DATA", help="Folder of CIFAR-10, or of speech; or LibriSpeech.")
    ]
    model: Annotated[str, model_option("Name or file, with a prior.")] = "cifar10"
    classifier: Path | None = option(
        None, "--classifier", "Of images, as scripts/reproduce/classifier.py trains it.", "FILE"
    )
    split: str | None = option(None, "--split", "Folder in the data, such as test-other.", "PART")
    n: int | None = option(None, "-n", "Of each set. [default: all images that are held out; 16 clips]", "N", least=2)
    seconds: float = option(5.0, "--seconds", "Of each clip of speech.", "S", least=1)
    seed: int = option(0, "--seed", "The same seed draws the same.", "N", least=0)
    temperature: float = option(1.0, "--temperature", "Below 1 likely codes are drawn more often.", "T")
    top_p: float = option(1.0, "--top-p", "Only the likeliest codes, of this share together.", "P")
    guidance: float = option(1.0, "--guidance", "Of images of a class: above 1, more of what tells it.", "W")
    picture: Path | None = option(None, "--picture", "Drawn images above their nearest training images.", "PNG")


@takes(SamplesOptions)
def samples(options: SamplesOptions) -> None:
    """Measure what a prior draws against the world and against codes drawn without it."""
    from vqc.models.files.zoo import find_by_name

    check_suffix("--picture", options.picture, ".png")
    check_new(options.picture, force=options.force)
    info = find_by_name(options.model)
    (measure_images if info.media == "image" else measure_speech)(info, options)


def measure_images(info: ModelInfo, options: SamplesOptions) -> None:
    """Draw, judge, print; write the picture."""
    from vqc.cli.progress import ProgressBar
    from vqc.drawing.image_rows import draw_image_rows
    from vqc.evaluation.drawn.classifier import load_judge
    from vqc.evaluation.drawn.images import study_images
    from vqc.models.files.checkpoint import load_checkpoint

    if options.classifier is None:
        raise OptionError(
            "images are judged by a classifier; scripts/reproduce/classifier.py CIFAR10 FILE trains one, "
            "then give --classifier FILE"
        )
    judge = load_judge(options.classifier)
    model: Any = load_checkpoint(info.path).model
    with ProgressBar(f"drawing from {info.name}", 1, quiet=options.quiet) as bar:
        study = study_images(model, Path(options.data), judge, count=options.n, how=how_of(options), progress=bar.part)
    if options.picture:
        nearest = study.nearest
        caption = (
            f"{info.name}: drawn images, below each the nearest of all training images; "
            f"root mean squared distance {nearest.rms.mean():.0f} levels, "
            f"of held-out images, restored, {study.held_out_rms:.0f}"
        )
        draw_image_rows([nearest.images, nearest.training], options.picture, caption).save(overwrite=options.force)
    show(study, info, options, IMAGE_HEADERS)


def measure_speech(info: ModelInfo, options: SamplesOptions) -> None:
    """Draw, judge, print."""
    from vqc.cli.progress import ProgressBar
    from vqc.data.benchmarks import open_benchmark
    from vqc.evaluation.drawn.speech import study_speech
    from vqc.models.files.checkpoint import load_checkpoint

    if options.picture:
        raise OptionError(f"--picture shows images; {info.name} is a model for audio")
    data = open_benchmark(options.data, "audio", split=options.split)
    model: Any = load_checkpoint(info.path).model
    with ProgressBar(f"drawing from {info.name}", 1, quiet=options.quiet) as bar:
        study = study_speech(
            model,
            data,
            count=options.n or CLIPS,
            seconds=options.seconds,
            how=how_of(options),
            progress=bar.part,
        )
    show(study, info, options, SPEECH_HEADERS)


def how_of(options: SamplesOptions) -> Draw:
    """How codes are drawn; OptionError when that is not possible."""
    from vqc.evaluation.drawn.codes import Draw
    from vqc.sampling.options import SampleOptions

    SampleOptions(
        seed=options.seed,
        temperature=options.temperature,
        top_p=options.top_p,
        guidance=options.guidance,
        label="any",
    )  # which checks them
    return Draw(options.seed, options.temperature, options.top_p, options.guidance)


IMAGE_HEADERS = ("images", "Fréchet distance", "mean gradient", "taken for its class")
SPEECH_HEADERS = ("clips", "Fréchet distance", "phones a second", "DNSMOS")


def show(study: ImageStudy | SpeechStudy, info: ModelInfo, options: SamplesOptions, headers: tuple[str, ...]) -> None:
    """The table for people, or all of it for programs."""
    from vqc.cli.console import print_json, print_table

    if options.json:
        print_json(as_json(study, info, options))
        return
    if options.quiet:
        return
    table = [[row.name, *(shown(name, value) for name, value in list(row._asdict().items())[1:])] for row in study.rows]
    print(f"{info.name}: {study.description}")
    print_table(list(headers), table)


def shown(name: str, value: float | None) -> str:
    """A figure of a row for people."""
    if value is None:
        return "–"
    return f"{100 * value:.1f} %" if name == "taken" else f"{value:.3g}" if name == "frechet" else f"{value:.2f}"


def as_json(study: ImageStudy | SpeechStudy, info: ModelInfo, options: SamplesOptions) -> dict[str, Any]:
    """Everything that was found, but for the pixels."""
    rows = [row._asdict() for row in study.rows]
    return {"model": info.name, "digest": info.digest, **how_of(options)._asdict(), **study.figures, "sets": rows}
