"""The bundled model `phones` on the recordings of the package, from words to accuracy."""

from __future__ import annotations

from pathlib import Path

import pytest

import vqc
from vqc.evaluation.phonemes.study import study_phonemes
from vqc.models.files.checkpoint import load_checkpoint
from vqc.models.files.zoo import find_by_name

pytest.importorskip("pocketsphinx")

SAMPLES = Path(vqc.__file__).parent / "evaluation" / "samples" / "audio"
WORDS = {
    "1688-142285-0002": "YOU DON'T MEAN THAT YOU THOUGHT ME SO SILLY",
    "2414-128291-0000": "WHAT HATH HAPPENED UNTO ME",
    "3331-159605-0006": "LET ME SEE HOW CAN I BEGIN",
}


def test_its_codes_tell_phones_of_speakers_that_were_never_mapped(tmp_path: Path) -> None:
    folder = tmp_path / "speech"
    folder.mkdir()
    for name in WORDS:
        (folder / f"{name}.flac").write_bytes((SAMPLES / f"{name}.flac").read_bytes())
    (folder / "all.trans.txt").write_text("\n".join(f"{name} {words}" for name, words in WORDS.items()))
    model = load_checkpoint(find_by_name("phones").path).model
    study = study_phonemes(model, folder, cache=tmp_path / "kept")
    assert study.mapped == ("1688", "3331")
    assert (study.codes_per_second, study.left_out) == (100, ())
    assert study.score.accuracy > study.score.majority + 0.05
    assert study.score.accuracy > 3 * study.score.chance
