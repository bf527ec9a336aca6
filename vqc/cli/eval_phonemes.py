"""`vqc eval phonemes`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from vqc.cli.options import ReportOptions, model_option, takes
from vqc.cli.outputs import check_new, check_suffix
from vqc.option_fields import option

if TYPE_CHECKING:
    from vqc.evaluation.phonemes.study import PhonemeStudy
    from vqc.models.files.header import ModelInfo


@dataclass(frozen=True, kw_only=True)
class PhonemeOptions(ReportOptions):
    """The options of `vqc eval phonemes`."""

    data: Annotated[
        str, typer.Option("--data", metavar="DATA", help="Folder of speech with transcripts, or LibriSpeech.")
    ]
    model: Annotated[str, model_option("Name or file, with one codebook.")] = "phones"
    split: str | None = option(None, "--split", "Folder in the data, such as test-other.", "PART")
    alignments: Path | None = option(
        None, "--alignments", "TextGrid or CTM files. [default: align by PocketSphinx]", "FOLDER"
    )
    context: Literal["single", "pair"] = option(
        "single", "--context", "What stands for a phone: single (a code) or pair (two).", "CONTEXT"
    )
    picture: Path | None = option(None, "--picture", "Draw which phones are taken for which.", "PNG")


@takes(PhonemeOptions)
def phonemes(options: PhonemeOptions) -> None:
    """Measure how well the codes of a speech model tell phones."""
    from vqc.cli.console import print_json
    from vqc.cli.progress import ProgressBar
    from vqc.drawing.confusion import draw_confusion
    from vqc.evaluation.phonemes.phone_classes import ARTICULATORY_ORDER, CLASSES
    from vqc.evaluation.phonemes.study import speech_folder, study_phonemes
    from vqc.models.files.checkpoint import load_checkpoint
    from vqc.models.files.zoo import find_by_name

    picture, force = options.picture, options.force
    check_suffix("--picture", picture, ".png")
    check_new(picture, force=force)
    info = find_by_name(options.model)
    folder = speech_folder(options.data, options.split)
    with ProgressBar("phones", 1, quiet=options.quiet) as bar:
        study = study_phonemes(
            load_checkpoint(info.path).model,
            folder,
            alignments=options.alignments,
            context=options.context,
            progress=lambda done, total: bar.part(done / total),
        )
    if picture:
        text = caption(study, info, folder)
        draw_confusion(study.score.confusion, CLASSES, ARTICULATORY_ORDER, picture, text).save(overwrite=force)
    if options.json:
        print_json(as_json(study, info, folder))
    else:
        print_results(study, info)


def caption(study: PhonemeStudy, info: ModelInfo, folder: Path) -> str:
    """Return what the picture shows."""
    return (
        f"{info.name} on {folder.name}: {100 * study.score.accuracy:.1f} % of {study.score.frames:,} frames of 10 ms; "
        f"map of {study.context} codes learnt on {len(study.mapped)} speakers, scored on {len(study.scored)} others"
    )


def as_json(study: PhonemeStudy, info: ModelInfo, folder: Path) -> dict[str, Any]:
    """Everything that was found."""
    from vqc.evaluation.phonemes.phone_classes import CLASSES
    from vqc.evaluation.result_tables import fields_of

    score = fields_of(study.score, "accuracy accuracy_speech chance majority frames")
    plain = "context mapped_frames utterances left_out unknown_words codes_per_second codebook_size codes_used"
    return (
        fields_of(study, plain)
        | score
        | {
            "model": info.name,
            "digest": info.digest,
            "data": folder.name,
            "accuracy_swapped": study.swapped.accuracy,
            "mapped_speakers": study.mapped,
            "scored_speakers": study.scored,
            "classes": CLASSES,
            "confusion": study.score.confusion.tolist(),
        }
    )


def print_results(study: PhonemeStudy, info: ModelInfo) -> None:
    """The numbers for people."""
    from vqc.cli.console import number, print_fields, warn

    score = study.score
    print_fields(
        {
            "model": f"{info.name} {info.digest[:12]}",
            "codes": f"{number(study.codes_per_second)} a second, {study.codes_used} of {study.codebook_size} used",
            "speakers": f"{len(study.mapped)} mapped, {len(study.scored)} scored; {study.utterances} utterances",
            "frames": f"{study.mapped_frames:,} mapped, {score.frames:,} scored, 10 ms each",
            "context": study.context,
            "accuracy": percent(score.accuracy),
            "of speech": f"{percent(score.accuracy_speech)} (frames that are not silence)",
            "swapped": f"{percent(study.swapped.accuracy)} (mapped on the other half)",
            "chance": percent(score.chance),
            "majority": percent(score.majority),
        }
    )
    if study.left_out:
        names = ", ".join(study.left_out[:3]) + (", …" if len(study.left_out) > 3 else "")
        warn(f"{len(study.left_out)} utterances have no alignment and were left out: {names}")
    if study.unknown_words:
        warn(f"{study.unknown_words} words are not in the dictionary; they count as the class other")


def percent(share: float) -> str:
    """Such as 49.3 %."""
    return f"{100 * share:.1f} %"
