"""Names that tensors and config fields of priors have in model files made before they got the names of today."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_SLICE = r"^(prior\.(?:slices|envelope|waveform)\.\d+|prior\.pitch)\."
_UPDATE = {"enter": "input_proj", "leave": "output_proj"}

# Pattern and replacement, each applied once, in this order.
TENSORS: tuple[tuple[str, str], ...] = (
    *((rf"^prior\.first\.{old}\.", rf"prior.dc.update_context.{new}.") for old, new in _UPDATE.items()),
    (r"^prior\.first\.around\.", r"prior.dc.update_context.neighbourhood."),
    (r"^prior\.means\.enter\.", r"prior.dc.input_proj."),
    (r"^prior\.means\.middle\.", r"prior.dc.hidden."),
    (r"^prior\.means\.(coefficients|shapes)\.(\d+)\.", r"prior.dc.distance.\2.\1."),
    *((rf"{_SLICE}absorb\.{old}\.", rf"\1.update_context.{new}.") for old, new in _UPDATE.items()),
    (rf"{_SLICE}absorb\.around\.(?:linear\.)?", r"\1.update_context.neighbourhood.linear."),
    (r"^prior\.pitch\.embed\.", r"prior.pitch.embedding."),
    (r"^prior\.pitch\.states\.", r"prior.pitch.output_proj."),
    (r"^prior\.pitch\.sides\.(\d)\.0\.", r"prior.pitch.left_right.\1.coefficients."),
    (r"^prior\.pitch\.sides\.(\d)\.1\.", r"prior.pitch.left_right.\1.shapes."),
    (r"^prior\.pitch\.farther_sides\.(\d)\.0\.", r"prior.pitch.coarse_left_right.\1.coefficients."),
    (r"^prior\.pitch\.farther_sides\.(\d)\.1\.", r"prior.pitch.coarse_left_right.\1.shapes."),
    (rf"{_SLICE}embed\.", r"\1.embed_proj."),
    (rf"{_SLICE}front\.", r"\1.context_proj."),
    (rf"{_SLICE}before\.", r"\1.previous_proj."),
    (rf"{_SLICE}back\.", r"\1.head."),
    (rf"{_SLICE}beside\.layers\.", r"\1.neighbour_proj."),
    (rf"{_SLICE}beside\.farther\.", r"\1.coarse_neighbour_proj."),
    (rf"{_SLICE}beside\.", r"\1.neighbour_proj.0."),
    (rf"{_SLICE}farther\.", r"\1.coarse_neighbour_proj."),
    (r"^prior\.finer\.", r"prior.upsample."),
    (r"^prior\.groups\.codes\.", r"prior.groups.embedding."),
    (r"^prior\.groups\.mix\.", r"prior.groups.input_proj."),
    (r"^prior\.groups\.context\.", r"prior.groups.context_proj."),
    (r"^prior\.groups\.earlier\.", r"prior.groups.previous_proj."),
    (r"^prior\.groups\.choose\.", r"prior.groups.output_proj."),
    (r"^prior\.network\.layers\.(\d+)\.across\.", r"prior.network.layers.\1.vertical_to_horizontal."),
    (r"^prior\.network\.layers\.(\d+)\.point\.", r"prior.network.layers.\1.output_proj."),
)
FIELDS: Mapping[str, str] = {
    "means_width": "dc_width",
    "passes": "spatial_passes",
    "steps": "channel_steps",
    "farther": "extra_coarse_levels",
}


def tensor_name(name: str) -> str:
    """Return the name of today of a tensor in a model file."""
    for pattern, replacement in TENSORS:
        name = re.sub(pattern, replacement, name)
    return name


def prior_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the config of a prior with the names of today."""
    return {FIELDS.get(name, name): value for name, value in config.items()}
