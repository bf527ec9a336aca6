"""`vqc eval convert`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vqc.cli.options import (
    Pitch,
    ReportOptions,
    model_option,
    pitch_of,
    takes,
)
from vqc.errors import OptionError
from vqc.option_fields import option

if TYPE_CHECKING:
    from vqc.evaluation.conversion.study import ConversionStudy, Row
    from vqc.evaluation.conversion.trials import Trial
    from vqc.metrics.intervals import Interval

NOBODY = "none"  # as a model: the baselines alone
DECIMALS = {"to_target": 3, "to_source": 3, "dnsmos": 2, "pitch_correlation": 2, "pitch_error": 1}


@dataclass(frozen=True, kw_only=True)
class ConvertOptions(ReportOptions):
    """The options of `vqc eval convert`."""

    data: Annotated[str, typer.Option("--data", metavar="DATA", help="Folder of speech to convert, or LibriSpeech.")]
    model: Annotated[str, model_option("Name or file; none for the baselines alone.")] = "voice"
    split: str | None = option(None, "--split", "Folder in the data, such as test-other.", "PART")
    targets: str | None = option(None, "--targets", "Folder of those to sound like. [default: the data]", "FOLDER")
    voices: str = option("", "--voices", "Of whom, such as 19,26,27. [default: everybody]", "NAMES")
    by_name: bool = option(False, "--by-name", "Name the voice to the model instead of a reference.")
    pitch: Pitch = option(
        "target", "--pitch", "target, keep, or semitones up or down.", "HOW", type=str, parse=pitch_of
    )
    n: int = option(60, "-n", "Conversions.", "N", least=2, panel="Measuring")
    seconds: float = option(10.0, "--seconds", "Of the reference of a voice.", "S", least=1, panel="Measuring")
    clips: Path | None = option(None, "--clips", "Write what was made as WAV files.", "FOLDER")


@takes(ConvertOptions)
def convert(options: ConvertOptions) -> None:
    """Measure how well a model gives speech another voice, before judges from outside."""
    from vqc.cli.console import print_json, warn
    from vqc.cli.progress import ProgressBar
    from vqc.evaluation.conversion.judges import Panel
    from vqc.evaluation.conversion.model_converter import open_converter
    from vqc.evaluation.conversion.study import study_conversion
    from vqc.evaluation.conversion.trials import plan_trials, readable
    from vqc.evaluation.phonemes.study import speech_folder
    from vqc.evaluation.phonemes.utterances import find_utterances
    from vqc.user_folders import user_cache

    model = None
    if options.model != NOBODY:
        model = open_converter(options.model, by_name=options.by_name, pitch=options.pitch)
    folder = speech_folder(options.data, options.split)
    others = speech_folder(options.targets, None) if options.targets else folder
    voices = [name.strip() for name in options.voices.split(",") if name.strip()]
    (spoken, refused), (known, also) = (readable(find_utterances(path, transcribed=False)) for path in (folder, others))
    refused = list(dict.fromkeys(refused + also))
    trials = plan_trials(spoken, known, speakers=voices, count=options.n, seconds=options.seconds)
    keep = keeper(options)
    with ProgressBar("judging conversions", 1, quiet=options.quiet) as bar:
        study = study_conversion(trials, Panel(user_cache() / "judged"), model, progress=bar.part, keep=keep)
    study = replace(study, left_out=(*study.left_out, *refused))
    if options.json:
        about = {"model": model and model.name, "digest": model and model.digest, "data": folder.name}
        targets = {"targets": sorted({trial.target.speaker for trial in trials}), "reference_seconds": options.seconds}
        print_json(about | targets | study.as_json())
    elif not options.quiet:
        show(study, options)
    for sentence in study.left_out:
        if not options.quiet:
            warn(sentence)


def keeper(options: ConvertOptions) -> Callable[[Trial, str, Any], None] | None:
    """What writes the clips; OptionError when the folder cannot be made."""
    if options.clips is None:
        return None
    from vqc.codec.media import Audio

    folder = options.clips
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OptionError(f"--clips {folder}: {error.strerror or error}") from None

    def keep(trial: Trial, row: str, clip: Any) -> None:
        way = row.replace(" ", "-").replace("'", "")
        path = folder / f"{trial.source.stem}-to-{trial.target.speaker}-{way}.wav"
        Audio(clip.clip(-1, 1)[:, None], 16_000).save(path, overwrite=options.force)

    return keep


HEADERS = (
    "voice", "to target", "to source", "nearer target", "phone errors", "above restored", "DNSMOS", "pitch r",
    "pitch off",
)  # fmt: skip


def show(study: ConversionStudy, options: ConvertOptions) -> None:
    """The tables for people."""
    from vqc.cli.console import print_table
    from vqc.evaluation.conversion.study import CONVERTED

    targets, sources = ({name(trial) for trial in study.trials} for name in (target_of, speaker_of))
    print(
        f"{len(study.trials)} conversions of {len(sources)} speakers to {len(targets)}, "
        f"{options.seconds:g} s of each for reference; means, and what their 95 % intervals reach to either side"
    )
    print_table(list(HEADERS), [cells(study, row) for row in study.rows])
    converted = study.row(CONVERTED)
    margin = study.above_strangers(converted) if converted else None
    if margin:
        print(f"similarity to the target above that of two speakers: {interval(margin, 3)}")


def target_of(trial: Trial) -> str:
    """Whose voice is asked for."""
    return trial.target.speaker


def speaker_of(trial: Trial) -> str:
    """Who speaks in the source."""
    return trial.speaker


def cells(study: ConversionStudy, row: Row) -> list[str]:
    """A line of the table."""
    from vqc.metrics.intervals import estimate_share

    found = {field: interval(row.mean(field), places) for field, places in DECIMALS.items()}
    nearer = row.of("nearer")
    share = estimate_share(nearer) if nearer else None
    return [
        row.name,
        found["to_target"],
        found["to_source"],
        f"{100 * share.share:.0f} % ({100 * share.low:.0f}–{100 * share.high:.0f})" if share else "–",
        interval(row.mean("phone_errors"), 1, 100),
        interval(study.above_restored(row), 1, 100),
        found["dnsmos"],
        found["pitch_correlation"],
        found["pitch_error"],
    ]


def interval(value: Interval | None, places: int, times: float = 1.0) -> str:
    """A mean and what its interval reaches to either side, such as 2.81 ±0.05."""
    return f"{times * value.mean:.{places}f} ±{times * value.half_width:.{places}f}" if value else "–"
