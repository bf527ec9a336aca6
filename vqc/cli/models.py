"""`vqc models`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vqc.cli.commands import App
from vqc.cli.console import duration, number, print_fields, print_json, print_table, size
from vqc.cli.options import ForceOption, JsonOption, model_names
from vqc.data.formats import MEDIA

if TYPE_CHECKING:
    from vqc.models.files.header import ModelInfo

SHORT_DIGEST = 12  # hex digits: what a .vqc file holds
FOR = {"image": "images", "audio": "audio"}
COLOURS = 3  # values of a pixel: where figures are bits of each, they become bits of it

Heads = dict[str, tuple[str, Callable[[Any], str]]]  # of columns, with their units, and how their numbers are shown

FIGURES: Heads = {  # by their names in model files
    "bpp": ("bpp", number),
    "kbps": ("kbps", number),
    "psnr": ("PSNR, dB", "{:.2f}".format),
    "psnr_db": ("PSNR, dB", "{:.2f}".format),
    "snr": ("SNR, dB", "{:.2f}".format),
    "pesq_wb": ("PESQ", "{:.2f}".format),
    "stoi": ("STOI", "{:.3f}".format),
    "mel": ("mel distance", number),
    "mse": ("MSE", "{:.3g}".format),
    "relative_mse": ("relative MSE", "{:.3g}".format),
    "perplexity": ("perplexity", "{:,.0f}".format),
    "prior saves": ("prior saves", str),
    "bits a code": ("bits a code", "{:.2f}".format),
}

models = App("List the models at hand; show, add or remove one.", invoke_without_command=True)

NamesArgument = Annotated[
    list[str], typer.Argument(metavar="NAME", autocompletion=model_names, help="Names of models, or model files.")
]


@models.callback()
def list_all(context: typer.Context, json: JsonOption = False) -> None:
    """List the models at hand; show, add or remove one."""
    if not context.invoked_subcommand:
        list_command(json=json)


@models.command(name="list", epilog="Example: vqc models list --json")
def list_command(json: JsonOption = False) -> None:
    """List the models at hand, as vqc models does."""
    from vqc.models.files.zoo import list_models
    from vqc.user_folders import user_models

    found = sorted(list_models(), key=rank)  # stable: otherwise in the order of the library
    if json:
        print_json([model_as_dict(info) for info in found])
        return
    print_table(["model", "for", "", "qualities", "rate", "size"], list(map(row_of, found)), left=3)
    print(f"\nvqc models show NAME tells more. Further models are looked for in {user_models()}")


@models.command(epilog="Example: vqc models show photo", no_args_is_help=True)
def show(names: NamesArgument, json: JsonOption = False) -> None:
    """Show what is known of models: training, and figures of each quality."""
    from vqc.models.files.zoo import find_by_name

    def print_next(info: ModelInfo) -> None:
        print("\n" * (info is not found[0]), end="")
        print_model(info)

    found = [find_by_name(name) for name in names]
    print_models(found, print_next, as_json=json)


@models.command(epilog="Example: vqc models remove mine", no_args_is_help=True)
def remove(names: NamesArgument, json: JsonOption = False) -> None:
    """Remove models that were added; files that were made with them can then not be restored."""
    from vqc.models.files.zoo import remove_model

    removed = [remove_model(name) for name in names]
    print_models(removed, lambda info: print(f"removed {info.name} ({info.path})"), as_json=json)


@models.command(epilog="Example: vqc models add my.safetensors", no_args_is_help=True)
def add(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="Model files.")],
    force: ForceOption = False,
    json: JsonOption = False,
) -> None:
    """Add model files to those that compress and decompress find."""
    from vqc.models.files.zoo import add_model

    def print_added(info: ModelInfo) -> None:
        print_fields({"model": info.name, "digest": info.digest[:SHORT_DIGEST], "file": str(info.path)})

    print_models([add_model(file, replace=force) for file in files], print_added, as_json=json)


def print_models(found: Sequence[ModelInfo], show: Callable[[ModelInfo], None], *, as_json: bool) -> None:
    """Print all that is known of models as JSON, or what `show` prints of each."""
    if as_json:
        print_json([model_as_dict(info) for info in found])
        return
    for info in found:
        show(info)


def model_as_dict(info: ModelInfo) -> dict[str, Any]:
    """Return everything that is known of a model without its weights, for JSON."""
    plain = ("name", "kind", "media", "digest", "bytes", "parameters", "qualities", "default_quality")
    tables = {key: getattr(info, key) for key in ("config", "training", "figures", "prior")}
    tables["sharp"] = info.perceptual
    found = {key: getattr(info, key) for key in plain} | {"path": str(info.path)}
    return found | {key: None if table is None else dict(table) for key, table in tables.items()}


def row_of(info: ModelInfo) -> list[str]:
    """A line of the list."""
    qualities = f"1 to {info.qualities}" if info.qualities > 1 else "1"
    return [info.name, FOR[info.media], use_of(info), qualities, span_of(info), size(info.bytes)]


def rank(info: ModelInfo) -> int:
    """Order models: those that compress and decompress take by themselves first, then the user's own."""
    from vqc.models.files.zoo import BUNDLED_FOLDER

    if use_of(info):
        return 0
    return 2 if info.path.parent == BUNDLED_FOLDER else 1


def use_of(info: ModelInfo) -> str:
    """Return whether it is taken where none is named."""
    from vqc.models.kinds import default_model

    return "the default" if default_model(info.media) == info.name else ""


def span_of(info: ModelInfo) -> str:
    """From the lowest rate to the highest, with the prior: 0.0472 to 0.533 bpp."""
    unit = MEDIA[info.media].unit
    rows, _ = by_quality(info)
    rates = [number(row[unit]) for _, row in sorted(rows.items()) if isinstance(row.get(unit), float)]
    return f"{' to '.join(dict.fromkeys([rates[0], rates[-1]]))} {unit}" if rates else ""


def print_model(info: ModelInfo) -> None:
    """Print what people read of a model, and a line for each quality."""
    rows, rest = by_quality(info)
    default = use_of(info)
    fields = {
        "model": f"{info.name}, for {FOR[info.media]}{f', {default}' if default else ''}",
        "file": f"{info.path} ({size(info.bytes)})",
        "digest": f"{info.digest[:SHORT_DIGEST]}, which .vqc files name it by",
        "network": f"{info.kind}, {info.parameters:,} parameters",
        "prior": "" if info.prior is None else prior_in_words(info.prior),
        "sharp decoder": "" if info.perceptual is None else f"{info.perceptual['parameters']:,} parameters",
        "last trained on" if info.training.get("start") else "trained on": training_in_words(info.training),
        "figures": in_words(rest),
    }
    print_fields({name: value for name, value in fields.items() if value})
    print()
    names = list(dict.fromkeys(name for row in rows.values() for name in row))
    heads: Heads = {name: FIGURES.get(name, (name.replace("_", " "), in_words)) for name in names}
    table = []
    for quality in range(1, info.qualities + 1):
        row = rows.get(quality, {})
        mark = f"{quality} (default)" if quality == info.default_quality and info.qualities > 1 else str(quality)
        table.append([mark, *(heads[name][1](row[name]) if name in row else "" for name in names)])
    print_table(["quality", *(head for head, _ in heads.values())], table)
    if names:
        print("\nThe figures are of the data that the training was watched with; vqc eval measures on others.")


def prior_in_words(prior: Mapping[str, Any]) -> str:
    """Kind, size, layers and receptive field of a prior: `wavenet, 1,083,696 parameters, 10 layers, …`."""
    parts, config = [prior["kind"], f"{prior['parameters']:,} parameters"], prior["config"]
    if prior["kind"] == "wavenet":
        dilations, others = config["dilations"], config["kernel_size"] - 1
        reach = min(config["block"] - 1, config["kernel_size"] + others * sum(dilations))
        parts += [f"{len(dilations)} layers", f"sees the {reach:,} codes before each"]
    elif prior["kind"] == "pixelcnn":
        reach = config["first_kernel_size"] // 2 + (config["layers"] - 1) * (config["kernel_size"] // 2)
        side = config["block"]
        seen = f"sees {min(reach, side - 1)} codes up and to each side, in blocks of {side}x{side}"
        parts += [f"{config['layers']} layers", seen]
    if config.get("classes"):
        parts.append(f"can be told one of {len(config['classes'])} classes: {', '.join(config['classes'])}")
    return ", ".join(parts)


def training_in_words(training: Mapping[str, Any]) -> str:
    """The data and how long: `CIFAR-10, 2,000 steps in 25 min`. The rest is for programs: --json.

    Of a model that was trained on, that is the last time; the one before is named.
    """
    parts = [str(training["data"])] if training.get("data") else []
    parts += [f"from {training['start']}"] if training.get("start") else []
    for of, name in (("", ""), ("decoder_", "the decoder ")):
        steps, minutes = (training.get(f"{of}{what}") for what in ("steps", "minutes"))
        if isinstance(steps, int):
            time = f" in {duration(60 * minutes)}" if isinstance(minutes, int | float) else ""
            parts.append(f"{name}{steps:,} {'step' if steps == 1 else 'steps'}{time}")
    return ", ".join(parts)


def by_quality(info: ModelInfo) -> tuple[dict[int, dict[str, Any]], dict[str, Any]]:
    """The figures that a model file has for each quality (`quality_1` …, rate first), and the others.

    What the prior saves is a share of the order-0 rate, on the codes of its validation data; so are its bits a code.
    Rates stand in model files without the prior, which is trained later; here they are with it, without a header.
    """
    rows: dict[int, dict[str, Any]] = {}
    rest: dict[str, Any] = {}
    for name, value in info.figures.items():
        number = name.removeprefix("quality_")
        if number != name and number.isdecimal() and isinstance(value, Mapping):
            row = dict(value)
            if info.media == "image" and "bits_per_dim" in row:
                row = {"bpp": COLOURS * row.pop("bits_per_dim")} | row
            rows[int(number)] = row
        else:
            rest[name] = value
    for name, value in (info.prior or {}).get("figures", {}).items():
        quality = int(name.removeprefix("quality_"))
        of_prior = {
            "prior saves": f"{value['saving_percent']:.1f} %",
            "bits a code": value.get("bits_per_code_integer"),
        }
        row, unit = rows.setdefault(quality, {}), MEDIA[info.media].unit
        if isinstance(row.get(unit), float):
            row[unit] *= 1 - value["saving_percent"] / 100
        row.update({key: shown for key, shown in of_prior.items() if shown is not None})
    return rows, rest


def in_words(value: object) -> str:
    """Nested figures in one line: `kodak: psnr 27.1, ms_ssim 0.93; steps 40000`."""
    if isinstance(value, Mapping):
        parts = [f"{name}{':' * isinstance(item, Mapping)} {in_words(item)}" for name, item in value.items()]
        return ("; " if any(isinstance(item, Mapping) for item in value.values()) else ", ").join(parts)
    if isinstance(value, (list, tuple)):
        return " ".join(map(in_words, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)
