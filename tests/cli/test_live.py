"""Sound on standard input, compressed and restored as it comes."""

from __future__ import annotations

import io
import signal
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from forked import Program, command

import vqc
from vqc.cli.live import _Interruptible

RATE, CHUNK = 8_000, 256
AUDIO = ("-m", "tiny-audio", "--chunk", "0.032")


def head(length: int = 2**32 - 1) -> bytes:
    """The front of a WAV file of one channel; by default of unknown length."""
    return (
        struct.pack("<4sI4s4sI", b"RIFF", length, b"WAVE", b"fmt ", 16)
        + struct.pack("<HHIIHH", 1, 1, RATE, 2 * RATE, 2, 16)
        + struct.pack("<4sI", b"data", length)
    )


SOUND = np.random.default_rng(0).normal(0, 6_000, 5 * CHUNK).astype(np.int16).tobytes()


def samples_of(wav: bytes) -> np.ndarray:
    return soundfile.read(io.BytesIO(wav), dtype="int16")[0]


def test_endless_sound_goes_through(run: Callable, desk: Path) -> None:
    packed = run("compress", "-", *AUDIO, stdin=head() + SOUND)
    assert packed.code == 0
    assert packed.err.startswith("standard input -> -  ")
    assert vqc.info(packed.raw).shape.samples == 5 * CHUNK
    restored = run("decompress", "-", stdin=packed.raw)
    assert restored.code == 0
    assert len(samples_of(restored.raw)) == 5 * CHUNK
    Path("a.vqc").write_bytes(packed.raw)
    for arguments, stdin in ((("a.vqc",), b""), (("-",), packed.raw)):
        for name in ("out.wav", "out.flac"):
            assert run("decompress", *arguments, "-fo", name, stdin=stdin).code == 0
            assert np.array_equal(samples_of(Path(name).read_bytes()), samples_of(restored.raw))
    other = run("decompress", "-", "--format", "flac", stdin=packed.raw)
    assert np.array_equal(samples_of(other.raw), samples_of(restored.raw))
    part = run("decompress", "-", "--start", "0.05", "--duration", "0.06", stdin=packed.raw)
    assert np.array_equal(samples_of(part.raw), samples_of(restored.raw)[400:880])
    described = run("info", "a.vqc")
    assert "chunks of 16 frames, streamed" in described.out
    assert run("verify", "a.vqc").code == 0


def test_what_says_how_long_it_is_is_a_file_unless_asked(run: Callable, desk: Path) -> None:
    whole = head(len(SOUND)) + SOUND
    for options, live in (((), False), (("--live",), True)):
        packed = run("compress", "-", *AUDIO, *options, stdin=whole)
        assert packed.code == 0
        assert vqc.info(packed.raw).streamed == live
    assert run("compress", "-", *AUDIO, "--raw", "8000", stdin=SOUND).raw == packed.raw
    assert run("compress", "-", *AUDIO, "--raw", "8000", "-o", "raw.vqc", stdin=SOUND).code == 0
    assert Path("raw.vqc").read_bytes() == packed.raw
    full = run("compress", "-", *AUDIO, "--stats", stdin=head() + SOUND)
    assert (full.code, vqc.info(full.raw).streamed) == (0, False)


def test_a_stream_that_is_cut_is_restored_as_far_as_it_goes(run: Callable, desk: Path) -> None:
    data = run("compress", "-", *AUDIO, stdin=head() + SOUND).raw
    said = "is damaged; what was not restored: what comes after 0:00.13, where the file ends too early\n"
    restored = run("decompress", "-", stdin=data[:-6])
    assert (restored.code, len(samples_of(restored.raw))) == (1, 4 * CHUNK)
    assert f"vqc: standard input: {said}" in restored.err
    Path("cut.vqc").write_bytes(data[:-6])
    restored = run("decompress", "cut.vqc")
    assert restored.code == 1
    assert f"vqc: cut.vqc: {said}" in restored.err
    assert len(samples_of(Path("cut.restored.wav").read_bytes())) == 4 * CHUNK
    for reader in ("info", "verify"):
        refused = run(reader, "cut.vqc")
        assert refused.code == 1
        assert "checksum does not match" in refused.err + refused.out


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("clip.wav", "--live"), 2, "--live and --raw are for standard input"),
        (("-", "--raw", "8000", "--stats"), 2, "--stats needs all of a recording"),
        (("-", "--live", "--target-kbps", "1"), 2, "a target size needs all of a recording"),
        (("-", "--raw", "8k"), 2, "--raw 8k: give the samples per second"),
        (("-", "--raw", "8000,0"), 2, "--raw 8000,0: give the samples per second"),
        (("-", "--live"), 1, "is no WAV file"),
        (("clip.wav", "--chunk", "100"), 2, "chunks of 100 s: those of this model take"),
        (("photo.png", "--chunk", "1", "-m", "tiny-image"), 2, "an image has no chunks"),
        (("-", "--archive", "a.vqca", "--live"), 2, "--archive and --live exclude each other"),
    ],
)
def test_what_cannot_be_is_said(run: Callable, desk: Path, arguments: tuple[str, ...], code: int, said: str) -> None:
    model = () if "-m" in arguments else ("-m", "tiny-audio")
    result = run("compress", *arguments, *model, stdin=b"no sound at all")
    assert (result.code, said in result.err) == (code, True), result.err


def test_ctrl_c_ends_a_recording_as_its_end_does(monkeypatch: pytest.MonkeyPatch) -> None:
    file = _Interruptible(io.BytesIO(b"abcdef"))
    assert file.read1(2) == b"ab"
    file.interrupt(signal.SIGINT, None)  # the program that sends hears it too
    assert file.read1(2) == b"cd"
    file.interrupt(signal.SIGINT, None)
    assert file.read1(2) == b""
    with pytest.raises(KeyboardInterrupt):
        file.interrupt(signal.SIGINT, None)


def test_two_programs_play_the_beginning_before_the_end_is_recorded(desk: Path) -> None:
    """The beginning is read here before more than that is written: else this would wait for ever."""
    sender = Program(command, "compress", "-", *AUDIO, folder=desk)
    player = Program(command, "decompress", "-", folder=desk, stdin=sender.stdout)
    sender.stdin.write(head() + SOUND[: 2 * 4 * CHUNK])
    sender.stdin.flush()
    first = player.stdout.read(len(head()) + 2 * CHUNK)
    assert player.process.is_alive()
    assert sender.process.is_alive()
    sender.stdin.write(SOUND[2 * 4 * CHUNK :])
    assert sender.ended()[0] == 0
    code, rest, err = player.ended()
    assert code == 0, err
    assert err.startswith(b"standard input -> -  ")
    assert len(first + rest) == len(head()) + len(SOUND)
