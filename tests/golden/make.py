"""How the golden files were made: untrained tiny models of every kind, and `.vqc` files written with them.

    cd tests && python -m golden.make

Makes what is missing; what is there is history. A change of the format needs a new format version, and new files
beside these.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from golden.cases import (
    ARCHIVES,
    AVIF,
    CASES,
    FOLDER,
    LOSSLESS,
    Array,
    Case,
    Codec,
    archive_of,
    chunking_of,
    codec_of,
    compress,
    decompress,
    draw_graphic,
    tiling_of,
)
from tiny_models import VOICE
from tiny_priors import SPEECH

from vqc.codec.avif import avif_of_quality
from vqc.codec.lossless import lossless_file
from vqc.entropy.tables import frequencies_from_counts
from vqc.format.metadata import NO_METADATA
from vqc.models.base import CodecModel
from vqc.models.files.checkpoint import save_checkpoint
from vqc.models.image_maps.model import ImageMaps, ImageMapsConfig
from vqc.models.kinds import KINDS, build_prior
from vqc.models.phones.model import PhonesConfig, PhonesModel
from vqc.models.photo.model import PhotoConfig, PhotoModel
from vqc.models.prior import CodePrior
from vqc.models.speech.model import SpeechModel
from vqc.models.voice.model import VoiceModel
from vqc.models.vqvae.audio import AudioVQVAE, AudioVQVAEConfig
from vqc.models.vqvae.image import ImageVQVAE, ImageVQVAEConfig
from vqc.nn.integer import IntegerLinear

VQVAE = {"widths": (6, 6), "residual_layers": 1, "residual_width": 4, "codebook_size": 24, "codebook_dim": 4}
PHOTO = PhotoConfig(
    lambdas=(4000.0, 400.0),
    shapes=((3, 1, 12), (2, 2, 32)),
    groups=(5, 8),
    widths=(4, 4, 4),
    analysis_blocks=((4,), (4,), (4,)),
    synthesis_blocks=((4,), (4,), (4,)),
    prediction_width=4,
    default_quality=2,
)
MAPS = ImageMapsConfig(shapes=((2, 1, 12), (2, 2, 16)), width=4, analysis_layers=1, fine_width=4, fine_layers=1)
PHONES = PhonesConfig(mels=6, codebook_size=20, codebook_dim=4, decoder_width=4, decoder_blocks=1)
PRIORS = {
    "photo": {"slices": [[1, 2], [2]], "width": 8, "head_width": 6, "neighbour_width": 4, "dc_width": 8},
    "speech": {
        "envelope_slices": [[2], [1, 1]],
        "waveform_slices": [[1, 3]],
        "width": 8,
        "fine_width": 6,
        "head_width": 6,
        "neighbour_width": 4,
    },
    "pixelcnn": {"width": 6, "layers": 2, "head_width": 6, "code_dim": 4},
    "wavenet": {"width": 6, "skip_width": 6, "dilations": [1, 2], "head_width": 6, "code_dim": 4, "block": 64},
}
ORDERS = {  # more passes and steps, so that every layer there can be is there
    "photo-stepped-prior": {"spatial_passes": [4, 2, 1], "channel_steps": [1, 2, 2]},
    "speech-stepped-prior": {"extra_coarse_levels": [1, 3, 2], "channel_steps": [2, 1, 1, 1, 3]},
    "photo-ending-prior": {"ends_early": True},
}
# Random numbers of this size take the place of what is zero or regular in an untrained model.
DISTURBANCE = {"codebook": 1.0, "basis": 0.002, "klt": 0.1, "klt_mean": 0.5}


def main() -> None:
    torch.manual_seed(7)
    models: dict[str, CodecModel] = {
        "image": ImageVQVAE(ImageVQVAEConfig(strides=(2, 2), **VQVAE)),
        "audio": AudioVQVAE(AudioVQVAEConfig(strides=(4, 4), **VQVAE)),
        "photo": draw_photo_model(),
        "speech": SpeechModel(SPEECH),
    }
    models |= {f"{name}-prior": copy.deepcopy(model) for name, model in models.items()}
    models |= {f"{name}-stepped-prior": copy.deepcopy(models[name]) for name in ("photo", "speech")}
    models |= {"maps": ImageMaps(MAPS), "phones": PhonesModel(PHONES)}
    models |= {"voice": VoiceModel(VOICE), "voice-prior": VoiceModel(VOICE)}
    models |= {"photo-ending-prior": draw_photo_model()}
    for name, model in models.items():
        disturb(model)
        model.set_static_table(draw_table(model))
        if name.endswith("-prior"):
            model.attach_prior(draw_prior(model, ORDERS.get(name, {})))
        if FOLDER.joinpath(f"{name}.safetensors").exists():
            continue
        described = {"name": f"golden-{name}", "training": {}, "figures": {}}
        save_checkpoint(FOLDER / f"{name}.safetensors", model, **described, weights="float16")
    for name, case in CASES.items():
        if not FOLDER.joinpath(f"{name}.npz").exists():
            make_case(name, case)
    for name, (channels, alpha) in LOSSLESS.items():
        if not FOLDER.joinpath(f"{name}.none.vqc").exists():
            FOLDER.joinpath(f"{name}.none.vqc").write_bytes(lossless_file(draw_graphic(channels, alpha)).data)
    for name, (channels, alpha) in AVIF.items():
        if not FOLDER.joinpath(f"{name}.none.vqc").exists():
            made = avif_of_quality(draw_graphic(channels, alpha), 10, NO_METADATA)
            FOLDER.joinpath(f"{name}.none.vqc").write_bytes(made.data)
    for name, members in ARCHIVES.items():
        if not FOLDER.joinpath(f"{name}.vqca").exists():
            FOLDER.joinpath(f"{name}.vqca").write_bytes(archive_of(members))


def draw_photo_model() -> PhotoModel:
    model = PhotoModel(PHOTO)
    model.transform.scale.fill_(3000)  # else the networks would see numbers far beyond what they are made for
    return model


@torch.no_grad()
def disturb(model: CodecModel) -> None:
    """Lets every part of an untrained model have an effect."""
    for name, tensor in model.state_dict().items():
        word = name.rpartition(".")[2].rstrip("_0123456789")
        if tensor.is_floating_point() and (word in DISTURBANCE or not tensor.any()):
            tensor.copy_(torch.randn(tensor.shape) * DISTURBANCE.get(word, 0.1))


@torch.no_grad()
def draw_prior(model: CodecModel, order: Mapping[str, Any]) -> CodePrior:
    """A small prior with random weights, which are not so large that all codes but one would be all but impossible."""
    kind = KINDS[model.kind].prior.name
    prior = build_prior(kind, PRIORS[kind] | order, model)
    prior.initialise(model)
    for name, parameter in prior.named_parameters():
        if "table" not in name:
            parameter.add_(0.05 * torch.randn(parameter.shape))
    layers = [module for module in prior.modules() if isinstance(module, IntegerLinear)]
    for layer in layers[::2] if order else ():  # inputs of one byte; those of all others are of two
        layer.input_shift.fill_(5)
    return prior


def draw_table(model: CodecModel) -> Array:
    """Skewed tables, another one for each quality and group."""
    rng = np.random.default_rng(7)
    table = np.zeros(tuple(model.static_table.shape), np.int64)
    for quality, rows in enumerate(table):
        for row, size in zip(rows, model.codebook_sizes(quality + 1), strict=False):
            row[:size] = frequencies_from_counts(rng.integers(1, 1000, size) ** 2)
    return table


def make_case(name: str, case: Case) -> None:
    """Writes the files of one case."""
    codec, rng = codec_of(case.model), np.random.default_rng(len(name))
    source = draw_picture(case, rng) if case.height else draw_waveform(case)
    codes = draw_codes(codec, case, rng)
    for entropy in case.entropies:
        data = compress(codec, case, source, codes, entropy)
        FOLDER.joinpath(f"{name}.{entropy}.vqc").write_bytes(data)
    restored = decompress(codec, data)
    print(f"{name}: {len(data)} bytes, mean {restored.mean():.3g}, deviation {restored.std():.3g}")
    if case.samples:
        restored = np.rint(restored * 32767).astype(np.int16)
    np.savez_compressed(FOLDER / f"{name}.npz", source=source, codes=codes, restored=restored)


def draw_codes(codec: Codec, case: Case, rng: np.random.Generator) -> Array:
    """[G, h, w] or [C, G, T], low codes more often than high ones; zeros for a silent channel."""
    image = codec.model.media == "image"
    grid = tiling_of(codec, case).grid if image else (case.channels, chunking_of(codec, case).frames)
    codes = [(rng.random(grid) ** 2 * size).astype(np.uint16) for size in codec.model.codebook_sizes(case.quality)]
    if image:
        stacked = np.stack(codes)
        stacked[len(codes) if case.maps is None else case.maps :] = 0
        return stacked
    stacked = np.stack(codes, 1)
    if case.silent is not None:
        stacked[case.silent] = 0
    return stacked


def draw_picture(case: Case, rng: np.random.Generator) -> Array:
    """[H, W, C]: flat, since its codes are given, but with an alpha that is worth coding."""
    y, x = np.mgrid[: case.height, : case.width]
    planes = [np.full_like(x, 100)] * (1 if case.grayscale else 3)
    planes += [20 * x + 7 * y + rng.integers(0, 3, x.shape)] * case.alpha
    return np.stack(planes, -1).astype(np.uint8)


def draw_waveform(case: Case) -> Array:
    """[T, C]: constant, since its codes are given."""
    source = np.full((case.samples, case.channels), 0.5, np.float32)
    source[:, 1:] = 0.45 if case.mid_side else -0.5
    if case.silent is not None:
        source[:, case.silent] = 0
    return source


if __name__ == "__main__":
    main()
