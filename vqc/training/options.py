"""The options of a training run: those of `vqc.train` and, with the same names and words, of the command `vqc train`.

No torch at import: the command reads its options from here before it knows whether there is work to do.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from vqc.errors import OptionError, OutputError, did_you_mean
from vqc.models.kinds import Media
from vqc.option_fields import option

What = Literal["image", "audio", "prior", "likelihood", "sharp"]


def is_part(what: str) -> bool:
    """Whether this is a part of a trained codec."""
    return what not in get_args(Media)


def parse_settings(texts: Iterable[str]) -> dict[str, Any]:
    """Settings by name from ``section.key=value``; the value in TOML's notation, anything else is a string."""
    found: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (equals and name.strip().partition(".")[2]):
            raise OptionError(f"--set {text} is not of the form section.key=value, such as loop.learning_rate=3e-4")
        try:
            parsed = None if value.strip() == "none" else tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError:
            parsed = value.strip()
        found[name.strip()] = parsed
    return found


def parse_time(text: str) -> float:
    """Minutes of ``90s``, ``30m``, ``2h``, ``1h30m`` or a number of minutes; OptionError for anything else."""
    units = {"h": 60.0, "m": 1.0, "s": 1 / 60}
    minutes, number = 0.0, ""
    try:
        for character in text.strip().lower():
            if character in units:
                minutes += float(number) * units[character]
                number = ""
            else:
                number += character
        minutes += float(number) if number else 0.0
    except ValueError:
        minutes = 0.0
    if not 0 < minutes < 1e7:
        raise OptionError(f"the time {text!r} is not one like 90s, 30m, 2h or 1h30m")
    return minutes


@dataclass(frozen=True)
class TrainOptions:
    """Options of a training run: what to train, on what, for how long, and where the result goes.

    Args:
        what: a codec for a medium ("image", "audio"), or a part of a trained codec ("prior", "likelihood", and "sharp"
            for its perceptual decoder).
        data: folders, or names of data sets.
        settings: changes of the preset by name, such as {"model.codebook_size": 1024, "loop.learning_rate": 3e-4}.

    The other fields are described where they stand, in the words of the command.

    Raises:
        OptionError: options that do not go together, or no data.
        OutputError: `output` exists, unless `force`, or its folder does not.
    """

    what: What
    _: KW_ONLY
    model: str = option("", "--model -m", "Trained codec that it is for.", "MODEL")
    data: tuple[str, ...] = option(
        (), "--data", "Folder, or a named set such as cifar10 or LibriSpeech; repeatable.", "DATA", type=list[str]
    )
    download: bool = option(False, "--download", "Get named sets that are not here yet.")
    preset: str = option("", "--preset", "Name of a preset, or a TOML file of your own.", "NAME")
    settings: Mapping[str, Any] | None = option(
        None,
        "--set",
        "Change a setting, such as model.codebook_size=1024; repeatable.",
        "KEY=VALUE",
        type=list[str],
        parse=parse_settings,
    )
    run_dir: Path | None = option(None, "--run-dir", "Run folder. [default: runs/PRESET]", "DIR")
    resume: bool = option(False, "--resume", "Go on with the run in that folder.")
    start_from: str = option("", "--start-from", "Begin with the weights of a model instead of nothing.", "MODEL")
    steps: int | None = option(None, "--steps", "Stop after so many steps.", "N", least=1)
    minutes: float | None = option(
        None,
        "--time",
        "Training time, such as 30m or 2h; the schedule fits it.",
        "TIME",
        type=str,
        parse=parse_time,
    )
    output: Path | None = option(None, "--output -o", "Model file. [default: RUN/model.safetensors]", "FILE")
    name: str = option("", "--name", "Name of the model. [default: the output's, or PRESET]", "NAME")
    add: bool = option(False, "--add", "Add the model to those that compress and decompress find by themselves.")
    device: str = option("auto", "--device", "Where the networks run: auto, cpu or cuda.", "DEVICE")
    seed: int | None = option(None, "--seed", "Seed of all random choices.", "N", least=0)
    tensorboard: bool = option(False, "--tensorboard", "Also log for TensorBoard, in the run folder.")
    force: bool = option(False, "--force -f", "Replace files that exist.")

    def __post_init__(self) -> None:
        data = [self.data] if isinstance(self.data, str | Path) else self.data
        object.__setattr__(self, "data", tuple(map(str, data)))
        for name in ("run_dir", "output"):
            path = getattr(self, name)
            object.__setattr__(self, name, None if path is None else Path(path))
        if self.what == "sharp" and not self.resume and not self.model:  # nearly always the same
            object.__setattr__(self, "model", self.start_from)
        self._check()
        self._check_output()

    @property
    def is_part(self) -> bool:
        """Whether a part of a trained codec is trained."""
        return is_part(self.what)

    def changes(self) -> dict[str, Any]:
        """All changes of the preset; options with a name of their own come last and win."""
        changes = dict(self.settings or {})
        if self.steps is not None:  # without a time they alone decide
            changes |= {"loop.steps": self.steps, "loop.minutes": None}
        if self.minutes is not None:
            changes["loop.minutes"] = self.minutes
        if self.seed is not None:
            changes["loop.seed"] = self.seed
        return changes

    def _check(self) -> None:
        if self.what not in get_args(What):
            known = get_args(What)
            raise OptionError(
                f"{self.what!r} cannot be trained{did_you_mean(self.what, known)}; choose {', '.join(known)}"
            )
        if not self.data and not self.resume:
            raise OptionError("--data is missing; give a folder, or the name of a data set")
        if (self.is_part and not self.resume) != bool(self.model):
            raise OptionError(
                "--model is for a new prior, likelihood or sharp decoder; leave it out, or give --start-from to begin "
                "with a model's weights"
                if self.model
                else f"--model is missing; give the trained codec that the {self.what} is for"
            )
        if self.resume and self.run_dir is None:
            raise OptionError("--resume needs --run-dir with the folder of the run to go on with")
        if self.resume and (self.preset or self.start_from):
            given = " and ".join(["--preset"] * bool(self.preset) + ["--start-from"] * bool(self.start_from))
            raise OptionError(f"--resume goes on with the settings of the run; leave out {given}")

    def _check_output(self) -> None:
        if self.output is None:
            return
        if self.output.suffix != ".safetensors":
            raise OptionError(f"a model file ends in .safetensors, {self.output} does not")
        if self.output.exists() and not self.force:
            raise OutputError(f"{self.output} exists; give --force to replace it")
        if not self.output.resolve().parent.is_dir():
            raise OutputError(f"the folder of {self.output} does not exist; make it first")
