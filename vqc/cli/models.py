"""`vqc models`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from vqc.cli.options import JsonOption
from vqc.cli.printing import print_fields, print_json, size

if TYPE_CHECKING:
    from vqc.models.info import ModelInfo

SHORT_DIGEST = 12  # hex digits: what a .vqc file holds
RATE_UNITS = {"image": "bpp", "audio": "kbps"}


def models(json: JsonOption = False) -> None:
    """List the models at hand with their figures."""
    from vqc.models.library import default_for, list_models, user_folder

    found = list_models()
    if json:
        print_json([model_as_dict(info) for info in found])
        return
    for info in found:
        print(f"{info.name}{f', used for {info.media} files' if default_for(info.media) == info.name else ''}")
        print_fields({f"  {name}": value for name, value in describe(info).items()})
        print()
    print(f"Further models are looked for in {user_folder()}")


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
    }


def describe(info: ModelInfo) -> dict[str, str]:
    """The fields that people read, for `vqc models` and `vqc info`."""
    fields = {
        "digest": info.digest[:SHORT_DIGEST],
        "kind": f"{info.kind} ({info.media})",
        "quality": quality_line(info),
        "rates": rates_line(info),
        "parameters": f"{info.parameters:,} in {size(info.bytes)}",
        "trained on": in_words(info.training),
        "figures": in_words({name: value for name, value in info.figures.items() if name != "rates"}),
    }
    return {name: value for name, value in fields.items() if value}


def quality_line(info: ModelInfo) -> str:
    """`1..8, 4 unless given`."""
    if info.qualities == 1:
        return "1 (the only one)"
    return f"1..{info.qualities}, {info.default_quality} unless given"


def rates_line(info: ModelInfo) -> str:
    """The rate of every quality, measured when the model was made, the default in brackets."""
    rates = info.figures.get("rates")
    if not isinstance(rates, list) or len(rates) != info.qualities:
        return ""
    words = [f"{rate:.3g}" for rate in rates]
    words[info.default_quality - 1] = f"[{words[info.default_quality - 1]}]"
    return f"{' '.join(words)} {RATE_UNITS[info.media]}"


def in_words(value: object) -> str:
    """Nested figures in one line: `kodak: psnr 27.1, ms_ssim 0.93; steps 40000`."""
    if isinstance(value, Mapping):
        parts = [
            f"{key}: {in_words(v)}" if isinstance(v, Mapping) else f"{key} {in_words(v)}" for key, v in value.items()
        ]
        return ("; " if any(isinstance(v, Mapping) for v in value.values()) else ", ").join(parts)
    if isinstance(value, (list, tuple)):
        return " ".join(map(in_words, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)
