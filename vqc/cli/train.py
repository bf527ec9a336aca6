"""`vqc train`: image, audio, prior, likelihood and sharp start or resume a run, export and plot look at one."""

# No option may be the beginning of two options of torchrun (--run, --start): it would not be passed on.

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from vqc.cli.commands import App
from vqc.cli.options import (
    DeviceOption,
    ForceOption,
    JsonOption,
    QuietOption,
    ThreadsOption,
    model_option,
    output_option,
    parameters_of,
    values_of,
)
from vqc.errors import OptionError
from vqc.models.kinds import presets_for
from vqc.training.options import TrainOptions, What, is_part

train = App("Train your own codec.", no_args_is_help=True)

START_FROM = {  # in the words of each part
    "prior": "Begin with the prior of a model, or of a run folder.",
    "likelihood": "Begin with the likelihood of a model.",
    "sharp": "Begin with the sharp decoder of a model, or its own; --model if that is left out.",
}
PICTURES = (".png", ".jpg", ".jpeg", ".pdf", ".svg")  # no folder is called so
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Show size, cost, rates and time a step; train nothing.")]


def command_for(what: What, text: str) -> Callable[..., None]:
    """The command that trains a codec of a medium, or a part for a codec that is there."""

    def command(
        threads: ThreadsOption = None,
        dry_run: DryRunOption = False,
        json: JsonOption = False,
        quiet: QuietOption = False,
        **given: Any,
    ) -> None:
        options = TrainOptions(what, **values_of(TrainOptions, given))

        from vqc.cli.train_run import run_training

        run_training(options, dry_run=dry_run, json=json, quiet=quiet)

    own = inspect.signature(command, eval_str=True).parameters.values()
    offered = [*parameters_of(TrainOptions, _words_for(what)), *own]
    command.__signature__ = inspect.Signature([p.replace(kind=p.KEYWORD_ONLY) for p in offered if p.name != "given"])  # type: ignore[attr-defined]
    command.__doc__ = f"Train {text}."
    return command


def _words_for(what: What) -> dict[str, Any]:
    """The options that a command describes in its own words, or shares with other commands."""
    of_codec = is_part(what)
    presets = presets_for(what)
    first = "by MODEL" if what in ("prior", "sharp") else presets[0]
    words = {
        "model": Annotated[str, model_option("Trained codec that it is for.", hidden=not of_codec)],
        "device": DeviceOption,
        "force": ForceOption,
        "preset": f"{', '.join(presets)}, or a TOML file of your own. [default: {first}]",
    }
    if of_codec:
        words |= {"name": "Name of the model. [default: that of MODEL]", "start_from": START_FROM[what]}
    return words


train.command("image", epilog="Example: vqc train image --data PHOTOS --time 2h", no_args_is_help=True)(
    command_for("image", "an image codec on a folder of images or a named set")
)
train.command("audio", epilog="Example: vqc train audio --data LibriSpeech --time 2h", no_args_is_help=True)(
    command_for("audio", "an audio codec on a folder of recordings or a named set")
)
train.command("prior", epilog="Example: vqc train prior -m photo --data PHOTOS --time 2h", no_args_is_help=True)(
    command_for("prior", "a prior for a trained codec: it tells likely codes, so that files become smaller")
)

train.command("likelihood", epilog="Example: vqc train likelihood -m photo --data PHOTOS", no_args_is_help=True)(
    command_for("likelihood", "how likely originals are for a trained codec, which `vqc eval` takes for total_bpd")
)

train.command("sharp", epilog="Example: vqc train sharp -m photo --data PHOTOS --time 1h", no_args_is_help=True)(
    command_for("sharp", "a sharp decoder for a trained codec, which restores more texture from the same files")
)


@train.command(epilog="Example: vqc train export runs/photo -o my.safetensors", no_args_is_help=True)
def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder.")],
    output: Annotated[Path | None, output_option("FILE", "Model file. [default: RUN/model.safetensors]")] = None,
    threads: ThreadsOption = None,
    force: ForceOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Write the best weights of a run so far as a model file."""
    from vqc.cli.train_run import export_run

    export_run(run, output, force=force, json=json, quiet=quiet)


@train.command(epilog="Example: vqc train plot runs/a runs/b -o compared", no_args_is_help=True)
def plot(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN", help="Run folders or model files; several are compared.")
    ],
    output: Annotated[Path | None, output_option("DIR", "Folder. [default: RUN/figures]")] = None,
    force: ForceOption = False,
) -> None:
    """Draw loss, validation and perplexity of runs."""
    from vqc.cli.outputs import check_new
    from vqc.training.plots.runs import plot as draw

    if output is not None and output.suffix.lower() in PICTURES and not output.is_dir():
        raise OptionError(f"-o {output}: the figures go to a folder; choose the name of one")

    drawn = draw(runs, output)
    check_new(*(one.path for one in drawn), force=force)
    for one in drawn:
        print(one.save(overwrite=force))
