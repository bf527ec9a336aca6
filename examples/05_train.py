"""Train a codec on a folder of pictures and use it. Here these are pieces of the sample photo."""

import os
import tempfile
from pathlib import Path

from PIL import Image

import vqc

# A real codec wants thousands of pictures and hours; this one is done in seconds, and looks like it.
QUICK = {"task.crop": 32, "task.free_steps": 20}
SIDE = 64

with tempfile.TemporaryDirectory() as name:
    folder = Path(name)
    # Models and decoded data of this example go away with the folder; yours stay in ~/.local/share and ~/.cache.
    os.environ |= {"XDG_DATA_HOME": str(folder / "share"), "XDG_CACHE_HOME": str(folder / "cache")}
    photo = Image.open(Path(__file__).parent / "photo.jpg").convert("RGB")
    (folder / "pictures").mkdir()
    for x in range(0, photo.width - SIDE, SIDE):
        for y in range(0, photo.height - SIDE, SIDE):
            photo.crop((x, y, x + SIDE, y + SIDE)).save(folder / "pictures" / f"{x:03}-{y:03}.png")

    # The same as: vqc train image --data pictures --preset images --steps 50 --set ... --name mine --add
    options = vqc.TrainOptions(
        "image",
        data=(str(folder / "pictures"),),
        preset="images",
        steps=50,
        settings=QUICK,
        run_dir=folder / "run",
        name="mine",
        add=True,
    )
    trained = vqc.train(options)
    print(f"{trained.outcome.step} steps: {trained.figures['quality_1']}")

    piece = photo.crop((300, 200, 460, 300))
    data = vqc.compress(piece, model="mine")
    restored = vqc.decompress(data).array
    print(f"{piece.width} x {piece.height} pixels in {len(data):,} bytes, restored to {restored.shape}")
