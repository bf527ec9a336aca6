"""Rate and quality of the `photo` model on whole files: bits with container, PSNR and MS-SSIM in RGB, at every quality.

    python scripts/quality_photo.py --data KODAK [--anchors kodak_rd.csv] [--model FILE] [--json OUT]

PSNR is 10·log10(255² / MSE) of each image, averaged over images. With --anchors (columns codec, bpp, psnr_rgb_db) the
difference in dB to other codecs at equal rates is added, all curves interpolated linearly in log bpp. A model FILE must
also lie in the user's model folder ($XDG_DATA_HOME/vqc/models): decompressing finds it there by its digest.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

os.environ.setdefault("OMP_NUM_THREADS", "1")

RATES = (0.06, 0.10, 0.15, 0.22, 0.34, 0.50)  # bpp at which codecs are compared


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of images")
    parser.add_argument("--model", default="photo")
    parser.add_argument("--entropy", default="auto")
    parser.add_argument("--qualities", default="1,2,3,4,5,6,7,8")
    parser.add_argument("--anchors", type=Path, help="table of other codecs on the same images")
    parser.add_argument("--against", default="jpeg,webp,jpeg-xl,avif", help="codecs of that table to compare with")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--json", type=Path, help="write the table here")
    arguments = parser.parse_args()
    files = sorted(p for p in arguments.data.iterdir() if p.suffix.lower() in (".png", ".jpg", ".webp", ".tif", ".bmp"))
    qualities = [int(q) for q in arguments.qualities.split(",")]
    work = [(f, q, arguments.model, arguments.entropy) for q in qualities for f in files]
    with ProcessPoolExecutor(arguments.jobs) as pool:
        rows = np.array(list(pool.map(_measure, work, chunksize=4))).reshape(len(qualities), len(files), 3)
    means = rows.mean(1)
    print(f"{len(files)} images, --entropy {arguments.entropy}, container included")
    print("quality    bpp    PSNR/dB  MS-SSIM")
    for quality, (bpp, psnr, ms_ssim) in zip(qualities, means, strict=True):
        print(f"{quality:7d} {bpp:7.4f} {psnr:8.3f}  {ms_ssim:.4f}")
    codecs = arguments.against.split(",") if arguments.anchors else []
    gains = {codec: gains_over(means[:, 0], means[:, 1], arguments.anchors, codec) for codec in codecs}
    if gains:
        print("dB over   " + "".join(f"{codec:>9}" for codec in gains))
        for rate in RATES:
            cells = (f"{gain[rate]:+9.2f}" if rate in gain else f"{'–':>9}" for gain in gains.values())
            print(f"{rate:.2f} bpp  " + "".join(cells))
    if arguments.json:
        keys = ("bpp", "psnr", "ms_ssim")
        table = {q: dict(zip(keys, row.tolist(), strict=True)) for q, row in zip(qualities, means, strict=True)}
        text = json.dumps({"qualities": table, "gains": gains}, indent=1)
        arguments.json.write_text(text, encoding="utf-8")


def gains_over(bpp: np.ndarray, psnr: np.ndarray, anchors: Path, codec: str) -> dict[float, float]:
    """dB above a codec of the table at each rate that both curves reach."""
    with anchors.open(encoding="utf-8") as lines:
        points = sorted(
            (float(r["bpp"]), float(r["psnr_rgb_db"])) for r in csv.DictReader(lines) if r["codec"] == codec
        )
    x, y = np.log([p[0] for p in points]), [p[1] for p in points]
    reached = [r for r in RATES if max(points[0][0], bpp.min()) <= r <= min(points[-1][0], bpp.max())]
    return {r: float(np.interp(np.log(r), np.log(bpp), psnr) - np.interp(np.log(r), x, y)) for r in reached}


def _measure(work: tuple[Path, int, str, str]) -> tuple[float, float, float]:
    """bpp of the whole file, PSNR and MS-SSIM of one image at one quality."""
    import torch
    from pytorch_msssim import ms_ssim

    import vqc
    from vqc.data.images import read_image

    path, quality, model, entropy = work
    pixels = read_image(path).pixels
    data = vqc.compress(pixels, model=model, quality=quality, entropy=entropy)
    decoded = vqc.decompress(data).array
    error = np.square(pixels.astype(np.float64) - decoded).mean()
    images = [torch.from_numpy(p.astype(np.float32)).permute(2, 0, 1)[None] for p in (pixels, decoded)]
    similarity = float(ms_ssim(*images, data_range=255))
    return 8 * len(data) / (pixels.shape[0] * pixels.shape[1]), 10 * np.log10(255**2 / error), similarity


if __name__ == "__main__":
    main()
