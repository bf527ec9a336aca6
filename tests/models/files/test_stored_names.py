"""The names that model files hold: those of `stored_names.txt`, for good.

Files of users have them, and the digest by which a `.vqc` file names its model covers those of tensors and configs. A
name is therefore never changed or taken away; a new kind or field adds lines to the list.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator
from pathlib import Path

from golden.cases import FOLDER
from golden.make import ORDERS, PRIORS
from torch import nn

from vqc.models.files.checkpoint import load_checkpoint, save_checkpoint
from vqc.models.files.header import parse_header
from vqc.models.kinds import KINDS, Kind, build_prior, load
from vqc.models.likelihood import Likelihood, LikelihoodConfig

LIST = Path(__file__).parent / "stored_names.txt"
MODELS = {"image-vqvae": "image", "audio-vqvae": "audio", "image-maps": "maps"}  # golden files called otherwise


def names_of(kind: Kind, file: Path) -> Iterator[str]:
    """Every name in a model file of a kind that has all parts; numbers in the names of tensors are N."""
    model = load_checkpoint(FOLDER / f"{MODELS.get(kind.name, kind.name)}.safetensors").model
    config = PRIORS[kind.prior.name] | ORDERS.get(f"{kind.name}-stepped-prior", {})
    config |= {"classes": ["cat", "dog"]} if kind.prior.name == "pixelcnn" else {}
    if kind.name == "voice":
        model.content.head = nn.Linear(model.config.content_width, 2)
    model.attach_prior(build_prior(kind.prior.name, config, model))
    model.likelihood = Likelihood(LikelihoodConfig(), model.media, model.qualities)
    parts = {name: {"training": {}, "figures": {}} for name in ("prior", "likelihood", "sharp")}
    if model.perceptual_child:
        model.attach_perceptual(model.make_perceptual())
    else:
        del parts["sharp"]
    parts["likelihood"].pop("figures")
    save_checkpoint(file, model, name="all", training={}, figures={}, parts=parts, history={"loss": [[1, 2.0]]})
    data = file.read_bytes()
    header = parse_header(data, len(data), file)
    info = json.loads(header.metadata["info"])
    yield from (f"metadata {name}" for name in header.metadata)
    yield from (f"info {name}" for name in info)
    yield from (f"info {part} {name}" for part in parts for name in info[part])
    yield f"kind {kind.name} number {kind.wire_id}"
    for owner, config_name in ((f"kind {kind.name}", kind.config), (f"prior {kind.prior.name}", kind.prior.config)):
        yield from (f"{owner} field {field.name}" for field in dataclasses.fields(load(config_name)))
    yield from (f"likelihood field {field.name}" for field in dataclasses.fields(LikelihoodConfig))
    for tensor in header.tensors:
        name = re.sub(r"\d+", "N", tensor.name)
        owner = f"prior {kind.prior.name}" if name.startswith("prior.") else f"kind {kind.name}"
        yield f"{owner} tensor {name.removeprefix('prior.')}"


def test_stored_names_are_those_of_the_list(tmp_path: Path) -> None:
    found = {name for kind in KINDS.values() for name in names_of(kind, tmp_path / f"{kind.name}.safetensors")}
    listed = LIST.read_text(encoding="utf-8").splitlines()
    assert listed == sorted(set(listed)), "sorted, each once"
    assert not set(listed) - found, "names that files of users have are gone"
    assert not found - set(listed), "new names: add them to the list if they are final"
