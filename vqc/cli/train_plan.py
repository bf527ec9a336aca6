"""Text and JSON of a run that is to come: its settings, and the estimates of a dry run."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from vqc.cli.console import duration, number, size

if TYPE_CHECKING:
    from vqc.training.estimate import RunEstimate
    from vqc.training.run import Run
    from vqc.training.settings import Settings


def print_settings(settings: Settings) -> None:
    """The resolved settings on stderr, in the notation of a preset file."""
    values = settings.as_dict()
    print(f"kind = {toml(values['kind'])}", file=sys.stderr)
    for section in ("model", "task", "loop"):
        print(f"[{section}]", file=sys.stderr)
        for name, value in values[section].items():
            text = "" if value is None else f"{name} = {toml(value)}"
            print(text or f"# {name} is not set", file=sys.stderr)


def toml(value: object) -> str:
    """A number, word, truth value or list as TOML writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(toml, value))}]"
    return f'"{value}"' if isinstance(value, str) else repr(value)


def plan_as_dict(run: Run, data: Any, estimate: RunEstimate) -> dict[str, Any]:
    """A dry run for programs."""
    return {
        "settings": run.settings.as_dict(),
        "data": {"description": data.description, "bytes": data.bytes, "skipped": len(data.skipped)},
        "parameters": estimate.parameters,
        **({} if estimate.model is None else estimate.model._asdict()),
        "step_seconds": estimate.step.seconds,
        "data_share": estimate.step.data_share,
    }


def plan_in_words(run: Run, data: Any, estimate: RunEstimate) -> dict[str, str]:
    """A dry run for people."""
    loop, model, step = run.settings.loop, estimate.model, estimate.step
    steps = loop.steps if loop.minutes is None else min(loop.steps, int(60 * loop.minutes / step.seconds))
    fields = {"model": f"{run.settings.kind}, {estimate.parameters:,} parameters"}
    if model is not None:
        image = data.media == "image"
        unit = "pixel" if image else "second"
        rates = [f"{bits:.3g} bpp" if image else f"{bits / 1000:.3g} kbps" for bits in model.bits]
        fields |= {
            "work": f"{macs(model.encoder_macs)} MAC a {unit} to encode, {macs(model.decoder_macs)} to decode",
            "codes": " ".join(f"{codes:.3g}" for codes in dict.fromkeys(model.codes)) + f" a {unit}",
            "rate": " ".join(dict.fromkeys(rates)) + " at most, before entropy coding",
        }
    skipped = f", {len(data.skipped):,} skipped" if data.skipped else ""
    return fields | {
        "data": f"{data.description}, {size(data.bytes)} decoded{skipped}",
        "step": f"{step.seconds:.3g} s, {100 * step.data_share:.1f} % of it waiting for data",
        "run": f"about {steps:,} steps in {duration(steps * step.seconds)}, in {run.folder}",
        "besides": "starting values before, which count; tables and figures after, whose time comes on top",
    }


def macs(count: float) -> str:
    """A number of operations for people: 950, 12.3 k, 4.5 M, 1.2 G."""
    for power, letter in ((9, " G"), (6, " M"), (3, " k")):
        if count >= 10**power:
            return f"{number(count / 10**power)}{letter}"
    return number(count)
