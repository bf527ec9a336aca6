"""The phoneme experiment: align, encode, learn the map on half of the speakers, score it on the others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from vqc.data.audio_files import read_mono, resample
from vqc.data.benchmarks import LIBRISPEECH_SPLIT
from vqc.data.derived import Progress
from vqc.errors import OptionError
from vqc.evaluation.phonemes.alignment_files import read_alignments
from vqc.evaluation.phonemes.forced_alignment import Aligner
from vqc.evaluation.phonemes.phone_classes import Segment, frame_classes
from vqc.evaluation.phonemes.probe import AlignedCodes, CodeMap, Context, Int64Array, Score, align_codes, split_speakers
from vqc.evaluation.phonemes.utterances import SAMPLE_RATE, Utterance, find_utterances
from vqc.models.base import AudioModel, CodecModel, CodeLine
from vqc.user_folders import user_cache


@dataclass(frozen=True, kw_only=True, eq=False)
class PhonemeStudy:
    """Results of the phoneme experiment."""

    context: Context
    codes_per_second: float
    codebook_size: int
    codes_used: int  # entries that occur
    utterances: int
    left_out: tuple[str, ...]  # names of utterances without alignment
    unknown_words: int  # that the dictionary lacks; they count as "other"
    mapped: tuple[str, ...]  # speakers that the map was learnt on
    scored: tuple[str, ...]
    mapped_frames: int  # of 10 ms
    score: Score
    swapped: Score  # the map learnt on the second half and scored on the first


def study_phonemes(
    model: CodecModel,
    folder: Path,
    *,
    alignments: Path | None = None,
    context: Context = "single",
    quality: int | None = None,
    cache: Path | None = None,
    progress: Progress | None = None,
) -> PhonemeStudy:
    """The experiment with a model on a folder of transcribed speech.

    Args:
        model: of audio, with one codebook for what is said.
        folder: recordings with transcripts, see `vqc.evaluation.phonemes.utterances`.
        alignments: folder of TextGrid or CTM files; transcripts are then not needed.
        context: whether pairs of neighbouring codes stand for phones, or each code alone.
        quality: of the model; its default when left out.
        cache: where alignments are kept; in the user's cache when left out.

    Raises:
        OptionError: the model has several codebooks, or the folder lacks speech of two speakers, or alignments.
        MissingPackageError: PocketSphinx is needed and not installed.
        MediaError: a recording cannot be read.
    """
    level = quality or model.default_quality
    line, rate = code_line_of(model, level)
    found = find_utterances(folder, transcribed=alignments is None)
    first, second = split_speakers([utterance.speaker for utterance in found])
    if not second:
        raise OptionError(f"{folder} has one speaker, {first[0]}; half of the speakers are mapped and half scored")
    aligned = _align(line, rate, found, alignments, cache or user_cache() / "alignments", progress)
    pieces, left_out = aligned.pieces, aligned.left_out
    parts = [[piece for piece in pieces if piece.speaker in half] for half in (set(first), set(second))]
    if not all(parts):
        raise OptionError(f"too few utterances of {folder} have an alignment; {len(left_out)} have none")
    maps = [CodeMap(part, line.codebook_size, context) for part in parts]
    return PhonemeStudy(
        context=context,
        codes_per_second=rate / line.hop_length,
        codebook_size=line.codebook_size,
        codes_used=len(np.unique(np.concatenate([piece.codes for piece in pieces]))),
        utterances=len(pieces),
        left_out=tuple(left_out),
        unknown_words=aligned.unknown_words,
        mapped=tuple(first),
        scored=tuple(second),
        mapped_frames=sum(len(piece.codes) for piece in parts[0]),
        score=maps[0].score(parts[1]),
        swapped=maps[1].score(parts[0]),
    )


class _Aligned(NamedTuple):
    pieces: list[AlignedCodes]
    left_out: list[str]  # names of utterances without alignment
    unknown_words: int  # that the dictionary lacks


def _align(
    line: CodeLine,
    rate: int,
    found: Sequence[Utterance],
    alignments: Path | None,
    cache: Path,
    progress: Progress | None,
) -> _Aligned:
    aligner = None if alignments else Aligner(cache)
    given = read_alignments(alignments) if alignments else {}
    pieces, left_out = list[AlignedCodes](), list[str]()
    for done, utterance in enumerate(found):
        if progress:
            progress(done, len(found))
        waveform, _ = read_mono(utterance.path, SAMPLE_RATE)  # [T]
        segments = given.get(utterance.name)
        if aligner is not None:
            assert utterance.words is not None, "utterances to align have transcripts"
            segments = aligner.align(waveform, utterance.words)
        piece = encode_aligned(line, rate, utterance.speaker, waveform, segments or ())
        if piece is None:
            left_out.append(utterance.name)
        else:
            pieces.append(piece)
    return _Aligned(pieces, left_out, len(aligner.unknown) if aligner else 0)


def code_line_of(model: CodecModel, quality: int) -> tuple[CodeLine, int]:
    """The codes of a model that tell what is said, and the samples a second that they are of; OptionError: none do."""
    if not isinstance(model, AudioModel):
        raise OptionError("phonemes are of speech, but the model is one for images; choose another --model")
    line = model.code_line(quality)
    if line is None:
        groups = len(model.codebook_sizes(quality))
        raise OptionError(f"the model has {groups} code maps; phonemes need a model with one, such as phones")
    return line, model.sample_rate


def encode_aligned(
    line: CodeLine, rate: int, speaker: str, waveform: NDArray[np.float32], segments: Sequence[Segment]
) -> AlignedCodes | None:
    """Return codes and phones of a waveform [T]; None when it has no alignment, or is shorter than a frame."""
    classes = frame_classes(segments, len(waveform) / SAMPLE_RATE)
    if not segments or not len(classes):
        return None
    return align_codes(speaker, codes_of(line, rate, waveform), rate / line.hop_length, classes)


@torch.inference_mode()
def codes_of(line: CodeLine, rate: int, waveform: NDArray[np.float32]) -> Int64Array:
    """Codes [n] of a waveform [T] at 16 kHz, encoded as a whole at the model's `rate`."""
    at_rate = waveform
    if rate != SAMPLE_RATE:
        at_rate = np.concatenate(list(resample([waveform[:, None]], SAMPLE_RATE, rate, 1)))[:, 0]
    frames = math.ceil(len(at_rate) / line.hop_length)
    padded = np.pad(at_rate, (0, frames * line.hop_length - len(at_rate)))
    codes: Int64Array = line.encode(torch.from_numpy(padded)[None])[0].cpu().numpy()
    return codes


def speech_folder(data: str, split: str | None) -> Path:
    """The folder that a user calls so: a path, with a part of it, or a part of LibriSpeech on this machine.

    OptionError: there is none.
    """
    path = Path(data)
    if not path.exists() and data.lower() == "librispeech":
        path, split = user_cache() / "datasets" / "LibriSpeech", split or LIBRISPEECH_SPLIT
    folder = path / split if split else path
    if not folder.is_dir():
        raise OptionError(f"there is no folder {folder}; give one with recordings and their transcripts")
    return folder
