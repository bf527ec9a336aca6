"""Add a kind of model of one's own, with a prior: its files are in `mosaic/`, and one row says what they are for."""

import os
import sys
import tempfile
from pathlib import Path

from PIL import Image

import vqc
from vqc.models.kinds import Kind, PriorKind, register

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))  # where Python finds `mosaic`

# A kind that is to stay has this row in vqc/models/kinds.py.
MOSAIC = Kind(
    name="mosaic",
    wire_id=251,  # in files; odd: image
    model="mosaic.model:Mosaic",
    config="mosaic.model:MosaicConfig",
    recipe="mosaic.recipe:MosaicRecipe",
    presets=(str(HERE / "mosaic" / "preset.toml"),),
    prior=PriorKind(
        name="mosaic",
        prior="mosaic.prior:MosaicPrior",
        config="vqc.models.vqvae.priors:PixelCNNConfig",
        presets=("mosaic-prior",),
        seconds=(70.0, 6.0),
    ),
    seconds=1.0,
)
register(MOSAIC)

with tempfile.TemporaryDirectory() as name:
    folder = Path(name)
    os.environ |= {"XDG_DATA_HOME": str(folder / "share"), "XDG_CACHE_HOME": str(folder / "cache")}
    photo = Image.open(HERE / "photo.jpg").convert("RGB")
    (folder / "pictures").mkdir()
    for x in range(0, photo.width - 64, 64):
        for y in range(0, photo.height - 64, 64):
            photo.crop((x, y, x + 64, y + 64)).save(folder / "pictures" / f"{x:03}-{y:03}.png")
    where = {"data": (str(folder / "pictures"),), "name": "mosaic", "add": True, "force": True}
    codec = vqc.train(vqc.TrainOptions("image", preset=MOSAIC.presets[0], run_dir=folder / "codec", **where))
    print(f"codec: {codec.figures['quality_1']}")

    piece = photo.crop((300, 200, 460, 300))
    alone = len(vqc.compress(piece, model="mosaic"))
    small = {"model.width": 8, "model.layers": 2, "model.head_width": 16, "task.crop": 8}
    vqc.train(vqc.TrainOptions("prior", model="mosaic", steps=60, settings=small, run_dir=folder / "prior", **where))
    data = vqc.compress(piece, model="mosaic")
    print(f"{alone} bytes, with the prior {len(data)}, restored to {vqc.decompress(data).array.shape}")
