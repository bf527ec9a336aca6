"""Configs go to JSON and back, and refuse what they do not know."""

from __future__ import annotations

import dataclasses
import json
import math
import re
import typing

import pytest

from vqc.errors import CheckpointError
from vqc.models.config import Config, canonical_json, config_to_dict, from_mapping
from vqc.models.kinds import KINDS, build_model, load, prior_kinds
from vqc.models.likelihood import LikelihoodConfig
from vqc.models.vqvae.audio import AudioVQVAEConfig
from vqc.models.vqvae.image import ImageVQVAEConfig


def test_a_config_survives_json() -> None:
    config = ImageVQVAEConfig(widths=(8, 16, 4), strides=(2, 4, 2), commitment_weight=1.0, codebook_update="loss")
    assert from_mapping(ImageVQVAEConfig, json.loads(canonical_json(config_to_dict(config)))) == config


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"width": 3}, "'width'"),
        ({"codebook_size": "512"}, "codebook_size is"),
        ({"codebook_size": 512.0}, "codebook_size is"),
        ({"widths": 3}, "widths is"),
        ({"strides": [2, 3]}, "strides"),
        ({"strides": [2]}, "widths"),
        ({"codebook_update": "magic"}, "magic"),
        ({"codebook_size": 300_000_000}, "codebook_size is 300000000, not a whole number from 2 to 65,536"),
        ({"codebook_size": True}, "codebook_size is"),
        ({"codebook_dim": -1}, "codebook_dim is"),
        ({"commitment_weight": float("nan")}, "commitment_weight is nan, not a number from 0 to 1,000"),
        ({"commitment_weight": float("inf")}, "commitment_weight is"),
        ({"commitment_weight": None}, "commitment_weight is"),
        ({"residual_layers": 10**9}, "residual_layers is"),
        ({"widths": [8, 10**9]}, "widths is .* each a whole number from 1 to 4,096"),
        ({"widths": [8, "8"]}, "widths is"),
        ({"widths": [[8], [8]]}, "widths is"),
        ({"widths": [1] * 300, "strides": [2] * 300}, "widths is .* a list of at most 256"),
        ({"strides": [64, 64]}, "strides are .*256"),
        ({"codebook_update": ["ema"]}, "codebook_update is"),
        ({"codebook_update": "dynamic"}, "max_codebook_size"),
        ({"max_codebook_size": 600}, "dynamic"),
    ],
)
def test_configs_refuse_what_they_do_not_know(values: dict[str, object], message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        from_mapping(ImageVQVAEConfig, values)
    with pytest.raises(CheckpointError, match=message):
        build_model("image-vqvae", values)


def config_classes() -> list[type[Config]]:
    return [load(kind.config) for kind in (*KINDS.values(), *prior_kinds().values())]


@pytest.mark.parametrize("config_class", [*config_classes(), LikelihoodConfig])
def test_every_number_of_a_config_has_its_limits_where_it_is_declared(config_class: type[Config]) -> None:
    hints = typing.get_type_hints(config_class)
    for field in dataclasses.fields(config_class):
        if not {"int", "float"} & set(re.findall(r"\w+", str(hints[field.name]))):
            continue
        least, most, *_ = field.metadata["limits"]
        assert -math.inf < least < most < math.inf
        for beyond in (most + 1, math.nan, -1, 10**30):
            with pytest.raises(ValueError, match=f"{field.name} is"):
                config_class(**{field.name: beyond if type(field.default) is not tuple else (beyond,)})


@pytest.mark.parametrize(
    ("kind", "values", "message"),
    [
        ("photo", {"shapes": [[3, 1, 12, 4]]}, "each a list of 3"),
        ("photo", {"shapes": [[1000, 2, 12]]}, "1 to 765 dimensions"),
        ("photo", {"lambdas": [400.0, 4000.0]}, "do not fall"),
        ("photo", {"lambdas": []}, "do not fall"),
        ("photo", {"groups": [5]}, "each of the 8 qualities"),
        ("photo", {"entries": [[1000] * 7] * 8}, "more entries"),
        ("photo", {"entries": [[1]] * 8}, "not entries in use of 7 shapes"),
        ("photo", {"widths": [64, 128]}, "a list of 3"),
        ("photo", {"analysis_blocks": [[32], [128]]}, "three scales"),
        ("photo", {"default_quality": 9}, "default_quality"),
        ("photo", {"late_blocks": 1}, "late_blocks is 1 of 1"),
        ("photo", {"late_blocks": 1, "synthesis_blocks": [[], [128], [192]]}, "late_blocks is 1 of 0"),
        ("speech", {"waveform_groups": [[400, 1, 128]]}, "1 to 320 dimensions"),
        ("speech", {"envelope_groups": []}, "not shapes"),
        ("speech", {"default_quality": 9}, "default_quality"),
        ("image-maps", {"shapes": [[49, 1, 12]]}, "1 to 48 dimensions"),
        ("audio-vqvae", {"strides": [64, 64, 2], "widths": [1, 1, 1]}, "1,024"),
    ],
)
def test_sizes_that_do_not_fit_together_are_refused(kind: str, values: dict[str, object], message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        build_model(kind, values)


def test_whole_numbers_may_stand_for_fractions() -> None:
    assert from_mapping(AudioVQVAEConfig, {"commitment_weight": 1}).commitment_weight == 1


def test_fields_of_later_versions_leave_the_json_of_older_configs_alone() -> None:
    """The digest of a model covers this text: bundled and golden models must keep theirs."""
    assert canonical_json(config_to_dict(ImageVQVAEConfig())) == (
        '{"codebook_decay":0.99,"codebook_dim":64,"codebook_size":512,"codebook_update":"ema","commitment_weight":0.25,'
        '"residual_layers":2,"residual_width":32,"strides":[2,2],"widths":[64,128]}'
    )
    dynamic = ImageVQVAEConfig(codebook_update="dynamic", max_codebook_size=600)
    assert config_to_dict(dynamic)["max_codebook_size"] == 600
    assert from_mapping(ImageVQVAEConfig, config_to_dict(dynamic)) == dynamic


def test_the_defaults_are_the_models_of_the_paper() -> None:
    image = build_model("image-vqvae", {})
    assert image.codebook_sizes(1) == (512,)
    assert (image.downsampling_factor, image.quantizer.codebook.shape) == (4, (512, 64))
    audio = build_model("audio-vqvae", {})
    assert (audio.codebook_sizes(1), audio.hop_length, audio.sample_rate) == ((512,), 64, 16_000)
