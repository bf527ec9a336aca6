"""`vqc train`: image, audio, prior, likelihood and sharp begin or go on with a run, export and plot look at one."""

# No option may be the beginning of two options of torchrun (--run, --start): it would not be passed on.
# No `from __future__ import annotations`: the options of `command_for` differ from command to command.

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from vqc.cli.commands import App
from vqc.cli.options import DeviceOption, ForceOption, JsonOption, QuietOption, ThreadsOption, model_option
from vqc.errors import OptionError, OutputError
from vqc.models.parts import presets_for

if TYPE_CHECKING:
    from vqc.cli.training import Request

train = App("Train your own codec.", no_args_is_help=True)

DataOption = Annotated[
    list[str] | None,
    typer.Option("--data", metavar="DATA", help="Folder, or a named set such as cifar10 or LibriSpeech; repeatable."),
]
DownloadOption = Annotated[bool, typer.Option("--download", help="Get named sets that are not here yet.")]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change a setting, such as model.codebook_size=1024; repeatable."),
]
RunOption = Annotated[Path | None, typer.Option("--run-dir", metavar="DIR", help="Run folder. [default: runs/PRESET]")]
ResumeOption = Annotated[bool, typer.Option("--resume", help="Go on with the run in that folder.")]
OF_CODECS = ("prior", "likelihood", "sharp")  # parts of a model that are trained for a codec that is there
OTHER_STARTS = {
    "prior": "Begin with the prior of a model, or of a run folder.",
    "likelihood": "Begin with the likelihood of a model.",
    "sharp": "Begin with the sharp decoder of a model, or its own; --model if that is left out.",
}
WARM_START = "Begin with the weights of a model instead of nothing."
PICTURES = (".png", ".jpg", ".jpeg", ".pdf", ".svg")  # no folder is called so
StepsOption = Annotated[int | None, typer.Option("--steps", metavar="N", min=1, help="Stop after so many steps.")]
TimeOption = Annotated[
    str | None, typer.Option("--time", metavar="TIME", help="Training time, such as 30m or 2h; the schedule fits it.")
]
OutputOption = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="FILE", help="Model file. [default: RUN/model.safetensors]")
]
SeedOption = Annotated[int | None, typer.Option("--seed", metavar="N", min=0, help="Seed of all random choices.")]
AddOption = Annotated[
    bool, typer.Option("--add", help="Add the model to those that compress and decompress find by themselves.")
]
TensorBoardOption = Annotated[bool, typer.Option("--tensorboard", help="Also log for TensorBoard, in the run folder.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Show size, cost, rates and time a step; train nothing.")]


def presets_of(media: str) -> str:
    """The help of --preset."""
    presets = presets_for(media)
    first = "by MODEL" if media in ("prior", "sharp") else presets[0]
    return f"{', '.join(presets)}, or a TOML file of your own. [default: {first}]"


def command_for(media: Literal["image", "audio", "prior", "likelihood", "sharp"], what: str) -> Callable[..., None]:
    """The command that trains a codec of a medium, or a part for a codec that is there."""
    of_codec = media in OF_CODECS
    option = model_option("Trained codec that it is for.", hidden=not of_codec)
    own_name = "that of MODEL" if of_codec else "the output's, or PRESET"
    name_option = typer.Option("--name", metavar="NAME", help=f"Name of the model. [default: {own_name}]")
    other = OTHER_STARTS.get(media, WARM_START)
    preset_option = typer.Option("--preset", metavar="NAME", help=presets_of(media))

    def command(
        model: Annotated[str | None, option] = None,
        data: DataOption = None,
        download: DownloadOption = False,
        preset: Annotated[str | None, preset_option] = None,
        overrides: SetOption = None,
        run: RunOption = None,
        resume: ResumeOption = False,
        start: Annotated[str | None, typer.Option("--start-from", metavar="MODEL", help=other)] = None,
        steps: StepsOption = None,
        time: TimeOption = None,
        output: OutputOption = None,
        name: Annotated[str | None, name_option] = None,
        add: AddOption = False,
        device: DeviceOption = "auto",
        threads: ThreadsOption = None,
        seed: SeedOption = None,
        tensorboard: TensorBoardOption = False,
        dry_run: DryRunOption = False,
        force: ForceOption = False,
        json: JsonOption = False,
        quiet: QuietOption = False,
    ) -> None:
        from vqc.cli.training import Request, run_training

        request = Request(
            media=media,
            model=model or (start if media == "sharp" and not resume else "") or "",  # nearly always the same
            data=tuple(data or ()),
            download=download,
            preset=preset or "",
            overrides=_overrides(overrides, steps, time, seed),
            folder=run,
            resume=resume,
            start=start or "",
            output=output,
            name=name,
            add=add,
            device=device,
            tensorboard=tensorboard,
            dry_run=dry_run,
            force=force,
            json=json,
            quiet=quiet,
        )
        check(request)
        run_training(request)

    command.__doc__ = f"Train {what}."
    return command


def check(request: "Request") -> None:
    """Refuse what cannot be, before the slow work."""
    if not request.data and not request.resume:
        raise OptionError("--data is missing; give a folder, or the name of a data set")
    if (request.media in OF_CODECS and not request.resume) != bool(request.model):
        raise OptionError(
            f"--model is missing; give the trained codec that the {request.media} is for"
            if not request.model
            else "--model is for a new prior, likelihood or sharp decoder; leave it out, or give --start-from to begin "
            "with a model's weights"
        )
    if request.resume and request.folder is None:
        raise OptionError("--resume needs --run-dir with the folder of the run to go on with")
    if request.resume and (request.preset or request.start):
        raise OptionError("--resume goes on with the settings of the run; leave out --preset and --start-from")
    if request.output is not None:
        if request.output.suffix != ".safetensors":
            raise OptionError(f"a model file ends in .safetensors, {request.output} does not")
        if request.output.exists() and not request.force:
            raise OutputError(f"{request.output} exists; give --force to replace it")
        if not request.output.resolve().parent.is_dir():
            raise OutputError(f"the folder of {request.output} does not exist; make it first")


def _overrides(overrides: list[str] | None, steps: int | None, time: str | None, seed: int | None) -> tuple[str, ...]:
    """--set and its short forms, in the notation of --set; what has a name of its own wins."""
    extra = []
    if steps is not None:
        extra.append(f"loop.steps={steps}")
        if time is None:  # the steps alone decide
            extra.append("loop.minutes=none")
    if time is not None:
        from vqc.training.settings import parse_time

        extra.append(f"loop.minutes={parse_time(time)}")
    if seed is not None:
        extra.append(f"loop.seed={seed}")
    return (*(overrides or ()), *extra)


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
    output: OutputOption = None,
    threads: ThreadsOption = None,
    force: ForceOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Write the best weights of a run so far as a model file."""
    from vqc.cli.training import export_run

    export_run(run, output, force=force, json=json, quiet=quiet)


@train.command(epilog="Example: vqc train plot runs/a runs/b -o compared", no_args_is_help=True)
def plot(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN", help="Run folders or model files; several are compared.")
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="DIR", help="Folder. [default: RUN/figures]")
    ] = None,
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
