"""Configs go to JSON and back, and refuse what they do not know."""

from __future__ import annotations

import json

import pytest

from vqc.errors import CheckpointError
from vqc.models.audio_vqvae import AudioVQVAEConfig
from vqc.models.config import canonical_json, config_from_dict, config_to_dict
from vqc.models.image_vqvae import ImageVQVAEConfig
from vqc.models.registry import MODEL_KINDS, WIRE_IDS, build_model


def test_a_config_survives_json() -> None:
    config = ImageVQVAEConfig(widths=(8, 16, 4), strides=(2, 4, 2), commitment_weight=1.0, codebook_update="loss")
    assert config_from_dict(ImageVQVAEConfig, json.loads(canonical_json(config_to_dict(config)))) == config


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"width": 3}, "'width'"),
        ({"codebook_size": "512"}, "'codebook_size'"),
        ({"codebook_size": 512.0}, "'codebook_size'"),
        ({"widths": 3}, "'widths'"),
        ({"strides": [2, 3]}, "strides"),
        ({"strides": [2]}, "widths"),
        ({"codebook_update": "magic"}, "magic"),
        ({"codebook_update": "dynamic"}, "max_codebook_size"),
        ({"max_codebook_size": 600}, "dynamic"),
    ],
)
def test_configs_refuse_what_they_do_not_know(values: dict[str, object], message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        config_from_dict(ImageVQVAEConfig, values)
    with pytest.raises(CheckpointError, match=message):
        build_model("image-vqvae", values)


def test_whole_numbers_may_stand_for_fractions() -> None:
    assert config_from_dict(AudioVQVAEConfig, {"commitment_weight": 1}).commitment_weight == 1


def test_fields_of_later_versions_leave_the_json_of_older_configs_alone() -> None:
    """The digest of a model covers this text: bundled and golden models must keep theirs."""
    assert canonical_json(config_to_dict(ImageVQVAEConfig())) == (
        '{"codebook_decay":0.99,"codebook_dim":64,"codebook_size":512,"codebook_update":"ema","commitment_weight":0.25,'
        '"residual_layers":2,"residual_width":32,"strides":[2,2],"widths":[64,128]}'
    )
    dynamic = ImageVQVAEConfig(codebook_update="dynamic", max_codebook_size=600)
    assert config_to_dict(dynamic)["max_codebook_size"] == 600
    assert config_from_dict(ImageVQVAEConfig, config_to_dict(dynamic)) == dynamic


def test_wire_ids_are_what_files_in_the_world_say() -> None:
    assert dict(WIRE_IDS) == {"image-vqvae": 1, "audio-vqvae": 2, "photo": 3, "speech": 4, "image-maps": 5, "phones": 6}
    assert set(WIRE_IDS) == set(MODEL_KINDS)


def test_unknown_kinds_are_named() -> None:
    with pytest.raises(CheckpointError, match="'hologram'"):
        build_model("hologram", {})


def test_the_defaults_are_the_models_of_the_paper() -> None:
    image = build_model("image-vqvae", {})
    assert image.codebook_sizes(1) == (512,)
    assert (image.downsampling_factor, image.quantizer.codebook.shape) == (4, (512, 64))
    audio = build_model("audio-vqvae", {})
    assert (audio.codebook_sizes(1), audio.hop_length, audio.sample_rate) == ((512,), 64, 16_000)
