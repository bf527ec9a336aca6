"""What `vqc train` shows of a run that is to come: its settings, and what a dry run found out."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from vqc.cli.console import duration, number, size

if TYPE_CHECKING:
    from vqc.training.estimate import Estimate, StepTime
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


def plan_as_dict(run: Run, pack: Any, cost: Estimate | None, step: StepTime, parameters: int) -> dict[str, Any]:
    """A dry run for programs."""
    return {
        "settings": run.settings.as_dict(),
        "data": {"description": pack.description, "bytes": pack.bytes, "skipped": len(pack.skipped)},
        "parameters": parameters,
        **({} if cost is None else cost._asdict()),
        "step_seconds": step.seconds,
        "data_share": step.data_share,
    }


def plan_in_words(
    run: Run, pack: Any, cost: Estimate | None, step: StepTime, parameters: int, media: str
) -> dict[str, str]:
    """A dry run for people."""
    loop, unit = run.settings.loop, "pixel" if media == "image" else "second"
    steps = loop.steps if loop.minutes is None else min(loop.steps, int(60 * loop.minutes / step.seconds))
    fields = {"model": f"{run.settings.kind}, {parameters:,} parameters"}
    if cost is not None:
        rates = [f"{bits:.3g} bpp" if media == "image" else f"{bits / 1000:.3g} kbps" for bits in cost.bits]
        fields |= {
            "work": f"{macs(cost.encoder_macs)} MAC a {unit} to encode, {macs(cost.decoder_macs)} to decode",
            "codes": " ".join(f"{codes:.3g}" for codes in dict.fromkeys(cost.codes)) + f" a {unit}",
            "rate": " ".join(dict.fromkeys(rates)) + " at most, before entropy coding",
        }
    skipped = f", {len(pack.skipped):,} skipped" if pack.skipped else ""
    return fields | {
        "data": f"{pack.description}, {size(pack.bytes)} decoded{skipped}",
        "step": f"{step.seconds:.3g} s, {100 * step.data_share:.1f} % of it waiting for data",
        "run": f"about {steps:,} steps in {duration(steps * step.seconds)}, in {run.folder}",
        "besides": "starting values before, tables and figures after; their time comes on top",
    }


def macs(count: float) -> str:
    """A number of operations for people: 950, 12.3 k, 4.5 M, 1.2 G."""
    for power, letter in ((9, " G"), (6, " M"), (3, " k")):
        if count >= 10**power:
            return f"{number(count / 10**power)}{letter}"
    return number(count)
