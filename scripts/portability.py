"""Whether files coded with a learned prior are the same bytes, and decode to the same codes, however they are computed.

    python scripts/portability.py                     every instruction set and number of threads of this machine
    python scripts/portability.py --python PYTHON     in another environment too, for example one with torch 2.11
    python scripts/portability.py --float             the counter-example: the same networks in float32

Streams are written once, in this process. Then each setting, in a process of its own, writes the same codes again and
reads the streams. A mismatch is a stream with other bytes, or one that gives other codes or an error. A GPU is one more
setting where there is one. The exit code is 1 when there is a mismatch (with --float: when there is none).
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from vqc.codec.prior_coding import Codes, decode_with_prior, encode_with_prior
from vqc.data.image_files import read_image
from vqc.errors import ContainerError
from vqc.models.base import CodecModel
from vqc.models.config import config_to_dict
from vqc.models.files.zoo import load_model
from vqc.models.kinds import build_prior
from vqc.models.prior import CodePrior
from vqc.models.vqvae.priors import BlockPrior
from vqc.nn.integer import LOGIT, CodingStep, dequantized
from vqc.nn.integer_softmax import Softmax
from vqc.nn.products import VARIABLE

SAMPLES = Path(__file__).parents[1] / "examples"
# what oneDNN, torch's own kernels and MKL may use
ISAS = {
    "SSE 4.1": ("SSE41", "default", "SSE4_2"),
    "AVX2": ("AVX2", "avx2", "AVX2"),
    "AVX-512": ("AVX512_CORE", "avx512", "AVX512"),
}
QUALITIES = {"photo": (1, 5, 8), "speech": (1, 5, 8), "cifar10": (1,)}


class Setting(NamedTuple):
    """One way to compute."""

    python: str
    isa: str
    threads: int
    int8: bool = True  # products of 8-bit integers by instructions for them, or by float32
    device: str = "cpu"

    @property
    def variables(self) -> dict[str, str]:
        onednn, aten, mkl = ISAS[self.isa]
        return {
            "ONEDNN_MAX_CPU_ISA": onednn,
            "ATEN_CPU_CAPABILITY": aten,
            "MKL_ENABLE_INSTRUCTIONS": mkl,
            "OMP_NUM_THREADS": str(self.threads),
            "OMP_WAIT_POLICY": "PASSIVE",  # threads that spin for each other take minutes on a busy machine
            VARIABLE: str(int(self.int8)),
        }

    @property
    def described(self) -> str:
        """Columns of the table."""
        return f"{self.isa:10}{'int8' if self.int8 else 'float32':10}{self.threads:<8}{self.device:8}"


class Outcome(NamedTuple):
    """What one setting gave."""

    torch: str
    capability: str  # what torch's kernels really used
    mismatches: dict[str, int]  # by model
    streams: dict[str, int]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", action="append", default=[], help="another interpreter to try as well")
    parser.add_argument("--float", action="store_true", help="use float priors, which break")
    parser.add_argument("--models", default=",".join(QUALITIES))
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--work", help=argparse.SUPPRESS)
    parser.add_argument("--device", default="cpu", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.work:
        print(json.dumps(try_streams(Path(arguments.work), arguments.device)))
        return 0
    models, tried = arguments.models.split(","), []
    show = (lambda *_: None) if arguments.json else print
    with tempfile.TemporaryDirectory() as folder:
        write_streams(Path(folder), models, floats=arguments.float)
        show(
            f"{'torch':14}{'kernels':10}{'asked for':10}{'products':10}{'threads':8}{'device':8}"
            + "".join(f"{m:>13}" for m in models)
        )
        for setting in settings(arguments.python):
            outcomes = run(setting, Path(folder))
            if outcomes is None:
                show(f"{'':24}{setting.described}   not on this processor")
                continue
            (outcome,) = outcomes.values()
            tried.append((setting, outcome))
            cells = (f"{outcome.mismatches[m]:>5} of {outcome.streams[m]:>3}" for m in models)
            show(
                f"{outcome.torch:14}{outcome.capability:10}{setting.described}"
                + "".join(f"{cell:>13}" for cell in cells)
            )
    failures = sum(sum(outcome.mismatches.values()) for _, outcome in tried)
    show(f"{failures} mismatches{' (float priors, the counter-example)' if arguments.float else ''}")
    if arguments.json:
        print(json.dumps([as_json(*row) for row in tried], indent=1))
    return int((failures == 0) == arguments.float)


def as_json(setting: Setting, outcome: Outcome) -> dict[str, object]:
    """One line of the table."""
    return {
        "torch": outcome.torch,
        "instructions": setting.isa,
        "kernels": outcome.capability,
        "products": "int8" if setting.int8 else "float32",
        "threads": setting.threads,
        "device": setting.device,
        "mismatches": sum(outcome.mismatches.values()),
        "streams": sum(outcome.streams.values()),
    }


def settings(others: Sequence[str]) -> Iterator[Setting]:
    """All ways to compute that this machine may have."""
    for python in (sys.executable, *others):
        for isa in ISAS:
            for threads in (1, 2):
                for int8 in (True, False):
                    yield Setting(python, isa, threads, int8)
    if torch.cuda.is_available():
        yield Setting(sys.executable, "AVX2", 2, int8=False, device="cuda")


def quick_check(folder: Path) -> dict[str, Outcome]:
    """Write streams as this process computes, and read them by the oldest instructions on two threads.

    One process tries "integer" priors, and as the counter-example the "float" one of photos.
    """
    write_streams(folder, list(QUALITIES), qualities=(1, 8), batches=(2,), size=(96, 144))
    write_streams(folder, ["photo"], floats=True, qualities=(8,), batches=(2,), size=(96, 144))
    outcomes = run(Setting(sys.executable, "SSE 4.1", 2, int8=False), folder)
    assert outcomes is not None, "every processor has them"
    return outcomes


def run(setting: Setting, folder: Path) -> dict[str, Outcome] | None:
    """Try all streams in a process of its own; None when the processor refuses its instructions."""
    command = [setting.python, __file__, "--work", str(folder), "--device", setting.device]
    done = subprocess.run(command, env=os.environ | setting.variables, stdout=subprocess.PIPE, text=True)
    if done.returncode == -signal.SIGILL:
        return None
    done.check_returncode()
    return {sort: Outcome(**outcome) for sort, outcome in json.loads(done.stdout.splitlines()[-1]).items()}


def write_streams(
    folder: Path,
    models: Sequence[str],
    *,
    floats: bool = False,
    qualities: Sequence[int] = (1, 5, 8),
    batches: Sequence[int] = (1, 2),
    size: tuple[int, int] = (160, 240),
) -> None:
    """The reference: codes and streams of the samples, at several qualities, alone and several in one batch.

    Of the photo a piece of this height and width is taken.
    """
    folder = folder / ("float" if floats else "integer")
    folder.mkdir()
    for name in models:
        model = load_model(name).model
        for quality in set(qualities) & set(QUALITIES.get(name.removesuffix("-test"), (1,))):
            codes = sample_codes(model, quality, size)
            for items in batches:
                batch = np.concatenate([np.roll(codes, i, -1) for i in range(items)])
                stream = encode_with_prior(prior_of(name, floats, "cpu"), batch, quality)
                np.savez(folder / f"{name}-{quality}-{items}.npz", codes=batch, stream=np.frombuffer(stream, np.uint8))


def try_streams(folder: Path, device: str) -> dict[str, dict[str, object]]:
    """Write and read every stream of the folders "integer" and "float"; see `Outcome`."""
    capability, outcomes = torch.backends.cpu.get_cpu_capability(), dict[str, dict[str, object]]()
    for streams_of in sorted(folder.iterdir()):
        mismatches, streams = dict[str, int](), dict[str, int]()
        for path in sorted(streams_of.glob("*.npz")):
            name, quality, _ = path.stem.rsplit("-", 2)
            prior = prior_of(name, streams_of.name == "float", device)
            streams[name] = streams.get(name, 0) + 1
            mismatches[name] = mismatches.get(name, 0) + (not is_same(prior, path, int(quality)))
        outcomes[streams_of.name] = Outcome(torch.__version__, capability, mismatches, streams)._asdict()
    return outcomes


def is_same(prior: CodePrior | FloatPrior, path: Path, quality: int) -> bool:
    """Return whether the prior writes the codes of a file as the stream in it, and reads them from it."""
    reference = np.load(path)
    codes, stream = reference["codes"], reference["stream"].tobytes()
    if encode_with_prior(prior, codes, quality) != stream:
        return False
    try:
        return np.array_equal(decode_with_prior(prior, stream, codes.shape, quality), codes)
    except ContainerError:
        return False


@torch.inference_mode()
def sample_codes(model: CodecModel, quality: int, size: tuple[int, int]) -> Codes:
    """Codes [1, G, ...] of the sample photo or recording, cut to some seconds of work."""
    if model.media == "image":
        pixels = read_image(SAMPLES / "photo.jpg").pixels[: size[0], : size[1]]
        signal = torch.from_numpy(np.array(pixels)).permute(2, 0, 1)[None].float() / 255
    else:
        import soundfile

        waveform = soundfile.read(SAMPLES / "speech.flac", dtype="float32")[0][: 24 * model.hop_length]
        signal = torch.from_numpy(waveform)[None]
    return model.encode(signal, quality).numpy().astype(np.uint16)


@cache
def prior_of(name: str, floats: bool, device: str) -> CodePrior | FloatPrior:
    """The prior of a model, or a float32 network with the same weights in its place."""
    model = load_model(name, device).model
    assert model.prior is not None, f"{name} has no prior"
    return FloatPrior(model, model.prior) if floats else model.prior


class FloatPrior:
    """What every other codec does: float32 logits, rounded at the very end."""

    def __init__(self, model: CodecModel, fixed: CodePrior) -> None:
        self.prior = build_prior(fixed.kind, config_to_dict(fixed.config), model).eval()
        self.prior.load_state_dict(dequantized(fixed, self.prior))
        self.prior.prepare(model)
        self.buffers, self.ends = fixed.buffers, fixed.ends

    def softmax(self) -> Softmax:
        return Softmax(keep=True)

    def coding_steps(self, codes: torch.Tensor, quality: int) -> Iterator[CodingStep]:
        parts = self.prior.stepwise if isinstance(self.prior, BlockPrior) else self.prior.coding_steps
        for index, logits in parts(codes, quality):
            yield CodingStep(index, torch.round(logits * LOGIT))


if __name__ == "__main__":
    sys.exit(main())
