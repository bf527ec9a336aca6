"""What scripts/bench measures with: media made of the samples, clocks, and commands as processes of their own."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile
from PIL import Image

from vqc.processors import available

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
VQC = (sys.executable, "-m", "vqc")
RATE = 16_000  # of the sample clip, in Hz

# A process counts the peak of the one that started it as its own, so a small one stands between this and `vqc`.
_MEASURE = """
import resource, subprocess, sys, time
begin = time.perf_counter()
code = subprocess.run(sys.argv[1:]).returncode
print(time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code)
"""
_PEAK_UNIT = 1 if sys.platform == "darwin" else 1024  # bytes


def photo_of(width: int, height: int) -> Image.Image:
    """The sample photo, enlarged or reduced to this size."""
    return Image.open(EXAMPLES / "photo.jpg").convert("RGB").resize((width, height), Image.Resampling.LANCZOS)


def speech_of(seconds: int) -> np.ndarray:
    """The sample clip again and again, float32 [T]."""
    samples, rate = soundfile.read(EXAMPLES / "speech.flac", dtype="float32")
    assert rate == RATE
    return np.resize(samples, seconds * RATE)


def write_speech(path: Path, minutes: int) -> None:
    """A WAV file of the sample clip again and again."""
    minute = speech_of(60)
    with soundfile.SoundFile(path, "w", RATE, 1) as file:
        for _ in range(minutes):
            file.write(minute)


def median_seconds(runs: int, work: Callable[[], object]) -> float:
    """After one run that does not count."""
    return statistics.median([seconds(work) for _ in range(runs + 1)][1:])


def seconds(work: Callable[[], object]) -> float:
    """Wall time of one run."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def run(*command: str | Path, cwd: str | None = None) -> subprocess.CompletedProcess[str]:
    """Runs a command to its end; when it fails, this program ends with what it said."""
    result = subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)
    if result.returncode:
        sys.exit(f"{' '.join(map(str, command))} failed:\n{result.stderr}")
    return result


def seconds_and_peak(*command: str | Path) -> tuple[float, float]:
    """Wall time of a command that prints nothing, and the peak of its resident memory in bytes.

    Not in this folder, whose package would come before that of another commit.
    """
    taken, peak = run(sys.executable, "-c", _MEASURE, *command, cwd=tempfile.gettempdir()).stdout.split()
    return float(taken), int(peak) * _PEAK_UNIT


def machine() -> dict[str, object]:
    """Where the figures come from."""
    import torch

    return {
        "machine": platform.machine(),
        "cores": available(),
        "threads": torch.get_num_threads(),
        "load": [round(load, 2) for load in os.getloadavg()],
        "python": platform.python_version(),
        "torch": torch.__version__,
    }
