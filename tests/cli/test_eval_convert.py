"""`vqc eval convert`: what is printed, written and refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import typer
from made_up_voices import voice
from typer.testing import CliRunner

from vqc.cli.eval_convert import convert, interval
from vqc.errors import MediaError, OptionError, OutputError
from vqc.evaluation.conversion import judges
from vqc.evaluation.conversion.baselines import Warping
from vqc.evaluation.conversion.judges import Clip, Judge
from vqc.metrics.intervals import Interval

app = typer.Typer()
app.command()(convert)


class Prints(Judge):
    """Tells voices by their loudness."""

    key, says, packages, versioned = "print", "who is heard", (), ()

    def hear(self, clip: Clip) -> list[float] | None:
        return [1.0, float(np.abs(clip).mean())]


class Nobody(Judge):
    """Is not there."""

    key, says, packages, versioned = "dnsmos", "how it would be rated", ("no_such_package",), ()

    def hear(self, clip: Clip) -> Any:
        raise AssertionError


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(judges, "JUDGES", (Prints, Nobody))
    for speaker, hz in (("ann", 110), ("bob", 165)):
        (tmp_path / "speech" / speaker).mkdir(parents=True)
        for number in range(2):
            clip = voice(hz, 800 + 100 * number, 1.2)
            soundfile.write(tmp_path / "speech" / speaker / f"{speaker}{number}.wav", np.stack([clip, clip], 1), 16_000)
    return tmp_path


ARGUMENTS = ("--data", "speech", "-n", "2", "--seconds", "1", "--model", "none")


def test_everything_is_printed_for_people_and_for_programs(here: Path) -> None:
    text = CliRunner().invoke(app, ARGUMENTS)
    assert text.exit_code == 0, text.output
    for part in ("2 conversions of 2 speakers to 2, 1 s", "source unchanged", "pitch and linear map", "nearer target"):
        assert part in text.output
    assert "nobody says how it would be rated, for lack of no_such_package" in text.output
    found = json.loads(CliRunner().invoke(app, [*ARGUMENTS, "--json"]).stdout)
    assert (found["model"], found["data"], found["conversions"]) == (None, "speech", 2)
    assert found["targets"] == ["ann", "bob"]
    assert found["rows"][0]["dnsmos"] is None
    assert found["rows"][0]["to_target"]["mean"] > 0.9
    assert len(found["left_out"]) == 1


def test_clips_are_kept_and_not_replaced_unasked(here: Path) -> None:
    arguments = [*ARGUMENTS, "--clips", "made"]
    assert CliRunner().invoke(app, arguments).exit_code == 0
    names = {path.name for path in (here / "made").iterdir()}
    assert "bob0-to-ann-pitch-and-one-warp.wav" in names
    assert soundfile.info(here / "made" / "bob0-to-ann-source-unchanged.wav").duration == pytest.approx(1.2)
    assert isinstance(CliRunner().invoke(app, arguments).exception, OutputError)
    assert CliRunner().invoke(app, [*arguments, "--force"]).exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--data", "nowhere"), "there is no folder nowhere"),
        (("--voices", "eve"), "no recordings of a speaker eve"),
        (("--targets", "nowhere"), "there is no folder nowhere"),
        (("--clips", "speech/ann/ann0.wav"), "--clips speech/ann/ann0.wav: "),
        (("--model", "cifar10"), "cifar10 is a model for images; choose one for speech"),
        (("--seconds", "60"), "nobody has a reference of 60 s"),
    ],
)
def test_what_cannot_be_is_one_sentence(here: Path, arguments: tuple[str, ...], message: str) -> None:
    result = CliRunner().invoke(app, [*ARGUMENTS, *arguments])
    assert isinstance(result.exception, OptionError)
    assert message in str(result.exception)


def test_recordings_that_are_refused_are_left_out_and_named(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "speech" / "bob" / "bob2.wav").write_bytes(b"RIFF nothing")
    made, longest = Warping.__call__, 1.25

    def refusing(self: Warping, source: Clip, reference: Clip) -> Clip:
        if len(source) > longest * 16_000:
            raise MediaError("is too long")
        return made(self, source, reference)

    soundfile.write(here / "speech" / "ann" / "ann0.wav", voice(110, 800, 1.3), 16_000)
    monkeypatch.setattr(Warping, "__call__", refusing)
    arguments = [*ARGUMENTS, "--data", str(here / "speech")]  # what was read is kept by its path
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert "1 conversions of 1 speakers" in result.output
    assert "bob2.wav" in result.output
    assert "left out: ann0.wav in the voice of bob: is too long" in result.output
    longest = 0
    refused = CliRunner().invoke(app, arguments)
    assert isinstance(refused.exception, MediaError)
    assert "none of the 2 conversions could be made; left out: " in str(refused.exception)


def test_figures_have_their_intervals() -> None:
    assert interval(Interval(0.1234, 0.021), 1, 100) == "12.3 ±2.1"
    assert interval(None, 3) == "–"
