"""`vqc models`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vqc.cli.commands import App
from vqc.cli.options import ForceOption, JsonOption
from vqc.cli.printing import print_fields, print_json, size

if TYPE_CHECKING:
    from vqc.models.info import ModelInfo

SHORT_DIGEST = 12  # hex digits: what a .vqc file holds


models = App("List the models at hand with their figures, or add one.", invoke_without_command=True)


@models.callback()
def list_all(context: typer.Context, json: JsonOption = False) -> None:
    """List the models at hand with their figures, or add one."""
    from vqc.folders import user_models
    from vqc.models.library import default_for, list_models

    if context.invoked_subcommand:
        return
    found = list_models()
    if json:
        print_json([model_as_dict(info) for info in found])
        return
    for info in found:
        use = f", used for {info.media} files" if default_for(info.media) == info.name else ""
        print_model(info, info.name + use)
        print()
    print(f"Further models are looked for in {user_models()}")


@models.command(epilog="Example: vqc models add my.safetensors", no_args_is_help=True)
def add(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="Model files.")],
    force: ForceOption = False,
    json: JsonOption = False,
) -> None:
    """Add model files to those that compress and decompress find."""
    from vqc.models.library import add_model

    added = [add_model(file, replace=force) for file in files]
    if json:
        print_json([model_as_dict(info) for info in added])
        return
    for info in added:
        print_fields({"model": info.name, "digest": info.digest[:SHORT_DIGEST], "file": str(info.path)})


def model_as_dict(info: ModelInfo) -> dict[str, Any]:
    """Everything that is known of a model without its weights, for JSON."""
    return {
        "name": info.name,
        "kind": info.kind,
        "media": info.media,
        "digest": info.digest,
        "path": str(info.path),
        "bytes": info.bytes,
        "parameters": info.parameters,
        "qualities": info.qualities,
        "default_quality": info.default_quality,
        "config": dict(info.config),
        "training": dict(info.training),
        "figures": dict(info.figures),
        "prior": None if info.prior is None else dict(info.prior),
        "sharp": None if info.sharp is None else dict(info.sharp),
    }


def print_model(info: ModelInfo, title: str) -> None:
    """What people read of a model, and a line for each quality."""
    print(title)
    rows, rest = by_quality(info)
    fields = {
        "digest": info.digest[:SHORT_DIGEST],
        "kind": f"{info.kind} ({info.media})",
        "parameters": f"{info.parameters:,} in {size(info.bytes)}",
        "trained on": in_words(info.training),
        "figures": in_words(rest),
        "prior": "" if info.prior is None else f"{info.prior['kind']}, {info.prior['parameters']:,} integers",
        "sharp decoder": "" if info.sharp is None else f"{info.sharp['parameters']:,} parameters",
    }
    print_fields({f"  {name}": value for name, value in fields.items() if value})
    names = list(dict.fromkeys(name for row in rows.values() for name in row))
    print(f"  quality    {''.join(f'{name:>12}' for name in names)}".rstrip())
    for quality in range(1, info.qualities + 1):
        mark = " (default)" if quality == info.default_quality else ""
        cells = (in_words(rows.get(quality, {}).get(name, "")) for name in names)
        print(f"  {f'{quality}{mark}':<11}{''.join(f'{cell:>12}' for cell in cells)}".rstrip())


def by_quality(info: ModelInfo) -> tuple[dict[int, dict[str, Any]], dict[str, Any]]:
    """The figures that a model file has for each quality (`quality_1` …, rate first), and the others.

    What the prior saves is a share of the order-0 rate, on the codes of its validation data.
    """
    rows: dict[int, dict[str, Any]] = {}
    rest: dict[str, Any] = {}
    for name, value in info.figures.items():
        number = name.removeprefix("quality_")
        if number != name and number.isdecimal() and isinstance(value, Mapping):
            rows[int(number)] = dict(value)
        else:
            rest[name] = value
    for name, value in (info.prior or {}).get("figures", {}).items():
        quality = int(name.removeprefix("quality_"))
        rows.setdefault(quality, {})["prior saves"] = f"{value['saving_percent']:.1f} %"
    return rows, rest


def in_words(value: object) -> str:
    """Nested figures in one line: `kodak: psnr 27.1, ms_ssim 0.93; steps 40000`."""
    if isinstance(value, Mapping):
        parts = [f"{name}{':' * isinstance(item, Mapping)} {in_words(item)}" for name, item in value.items()]
        return ("; " if any(isinstance(item, Mapping) for item in value.values()) else ", ").join(parts)
    if isinstance(value, (list, tuple)):
        return " ".join(map(in_words, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)
