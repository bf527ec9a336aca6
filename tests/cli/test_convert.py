"""`vqc convert` and `vqc decompress --to` as they are typed, with an untrained model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

from vqc.models.files.zoo import add_model

if TYPE_CHECKING:
    from tests.cli.conftest import Run

GOLDEN = Path(__file__).parent.parent / "golden" / "voice.safetensors"
MODEL = ("-m", "golden-voice")


@pytest.fixture
def talks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: talk.wav (1.2 s, two channels), more/other.flac, friend.wav (2 s), short.wav, silent.wav."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    add_model(GOLDEN)
    monkeypatch.chdir(tmp_path)
    t = np.arange(2 * 16_000) / 16_000
    hz = 130 * (1 + 0.25 * np.sin(2 * np.pi * 1.3 * t))
    voice = 0.1 * sum(np.cos(k * 2 * np.pi * np.cumsum(hz) / 16_000) / k for k in range(1, 9))
    Path("more").mkdir()
    soundfile.write("friend.wav", voice, 16_000)
    soundfile.write("talk.wav", np.stack([voice, voice], 1)[:19_200], 16_000)
    soundfile.write("more/other.flac", voice[:19_200], 16_000)
    soundfile.write("short.wav", voice[:8_000], 16_000)
    soundfile.write("silent.wav", 0 * voice, 16_000)
    return tmp_path


def test_voices_are_listed(run: Run, talks: Path) -> None:
    assert run("convert", "--speakers", *MODEL).out.splitlines() == ["anna", "ben"]
    assert json.loads(run("convert", "--speakers", "--json", *MODEL).out) == ["anna", "ben"]


def test_a_file_is_converted_beside_itself(run: Run, talks: Path) -> None:
    result = run("convert", "talk.wav", "--to", "friend.wav", *MODEL)
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith("talk.wav -> talk.converted.wav  1.2 s of speech in ")
    with soundfile.SoundFile("talk.converted.wav") as file:
        assert (file.frames, file.samplerate, file.channels) == (19_200, 16_000, 2)
        assert file.comment.startswith("Synthetic speech")
    again = run("convert", "talk.wav", "--to", "friend.wav", *MODEL)
    assert again.code == 1
    assert "exists already" in again.err


def test_folders_and_files_go_into_a_folder(run: Run, talks: Path) -> None:
    result = run("convert", "more", "talk.wav", "--to", "anna", "-o", "out/", "--format", "flac", "--json", *MODEL)
    assert result.code == 0
    assert {row["output"] for row in json.loads(result.out)} == {"out/other.flac", "out/talk.flac"}
    assert soundfile.info("out/other.flac").frames == 19_200


def test_pipes(run: Run, talks: Path) -> None:
    result = run(
        "convert", "-", "--to", "ben", "--pitch", "-2.5", "-o", "-", *MODEL, stdin=Path("talk.wav").read_bytes()
    )
    assert result.code == 0
    assert result.raw[:4] == b"RIFF"
    assert "1.2 s of speech" in result.err


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("talk.wav",), 2, "--to is missing"),
        (("--to", "anna"), 2, "give the recordings to convert"),
        (("talk.wav", "--to", "anna", "--pitch", "high"), 2, "--pitch high: give target, keep, or semitones"),
        (("talk.wav", "--to", "bern"), 2, "there is no such voice or file, did you mean 'ben'"),
        (("talk.wav", "--to", "short.wav"), 1, "short.wav: has 0.5 s, and a voice takes at least 1 s"),
        (("talk.wav", "--to", "silent.wav"), 1, "silent.wav: is silent"),
        (("talk.wav", "--to", "anna", "-o", "x.png"), 2, "cannot be written"),
    ],
)
def test_what_cannot_be_done_is_told_in_a_sentence(
    run: Run, talks: Path, arguments: tuple[str, ...], code: int, message: str
) -> None:
    result = run("convert", *arguments, *MODEL)
    assert (result.code, result.out) == (code, "")
    assert message in result.err
    assert result.err.count("\n") == 1
    assert not list(talks.glob("*.converted.*"))


def test_other_models_change_no_voice(run: Run, talks: Path) -> None:
    result = run("convert", "talk.wav", "--to", "friend.wav", "-m", "speech")
    assert (result.code, "cannot change voices" in result.err) == (2, True)
    assert run("convert", "--speakers", "-m", "speech").code == 2


def test_a_compressed_file_is_restored_in_another_voice(run: Run, talks: Path) -> None:
    assert run("compress", "talk.wav", *MODEL).code == 0
    assert run("decompress", "talk.vqc", "-o", "own.wav").code == 0
    assert run("decompress", "talk.vqc", "--to", "friend.wav", "--pitch", "keep", "-o", "friend-says.wav").code == 0
    assert not np.array_equal(soundfile.read("own.wav")[0], soundfile.read("friend-says.wav")[0])
    refused = run("decompress", "talk.vqc", "--pitch", "3", "-o", "no.wav")
    assert (refused.code, "--pitch is of another voice" in refused.err) == (2, True)


def test_archives_hold_voices(run: Run, talks: Path) -> None:
    assert run("archive", "create", "set.vqca", "talk.wav", "friend.wav", *MODEL).code == 0
    assert run("archive", "verify", "set.vqca").code == 0
    for name in ("talk", "friend"):
        assert run("compress", f"{name}.wav", "-o", f"{name}.vqc", *MODEL).code == 0
        assert run("decompress", f"{name}.vqc", "-o", f"{name}-alone.wav").code == 0
    assert run("archive", "extract", "set.vqca", "-o", "out").code == 0
    for name in ("talk", "friend"):
        restored, alone = (soundfile.read(path)[0] for path in (f"out/{name}.wav", f"{name}-alone.wav"))
        assert np.array_equal(restored, alone)
