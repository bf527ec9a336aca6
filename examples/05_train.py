"""Train a codec on a folder of pictures and use it: three commands. Here these are pieces of the sample photo."""

import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

# A real codec wants thousands of pictures and hours; this one is done in seconds, and looks like it.
COMMANDS = """
vqc train image --data pictures --preset images --steps 80 --set task.crop=32 --set task.free_steps=30 --name mine --add
vqc compress piece.png --model mine
vqc decompress piece.vqc --output restored.png
"""
SIDE = 64

with tempfile.TemporaryDirectory() as name:
    folder = Path(name)
    photo = Image.open(Path(__file__).parent / "photo.jpg").convert("RGB")
    (folder / "pictures").mkdir()
    for x in range(0, photo.width - SIDE, SIDE):
        for y in range(0, photo.height - SIDE, SIDE):
            photo.crop((x, y, x + SIDE, y + SIDE)).save(folder / "pictures" / f"{x:03}-{y:03}.png")
    photo.crop((300, 200, 460, 300)).save(folder / "piece.png")

    # Models and decoded data of this example go away with the folder, where yours stay in ~/.local/share and ~/.cache.
    places = {"XDG_DATA_HOME": str(folder / "share"), "XDG_CACHE_HOME": str(folder / "cache")}
    paths = os.pathsep.join(filter(None, [str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH")]))
    for command in COMMANDS.strip().splitlines():
        print(f"$ {command}", flush=True)
        program = [sys.executable, "-m", "vqc", *shlex.split(command)[1:]]
        run = subprocess.run(
            program, cwd=folder, env=os.environ | places | {"PYTHONPATH": paths}, capture_output=True, text=True
        )
        print(run.stdout, end="")
        if run.returncode:
            sys.exit(run.stderr)
    with Image.open(folder / "restored.png") as restored:
        print(f"restored: {restored.width} x {restored.height} pixels")
