"""Look inside: the codes that the photo model chooses for the sample photo, and how evenly it uses its codebooks."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image

import vqc

model, info = vqc.load_model("photo")
print(f"{info.name}: {info.parameters:,} parameters, a code for every {model.downsampling_factor} pixels a side")

picture = Image.open(Path(__file__).parent / "photo.jpg")
side = model.downsampling_factor
picture = picture.crop((0, 0, picture.width // side * side, picture.height // side * side))
image = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None] / 255  # [1, 3, H, W] in [0, 1]
with torch.inference_mode():
    for quality in (1, 4, 8):
        codes = model.encode(image, quality)  # [1, G, h, w]
        sizes = model.codebook_sizes(quality)
        counts = np.bincount(codes[0, 0].flatten().numpy(), minlength=sizes[0])
        shares = counts[counts > 0] / counts.sum()
        perplexity = np.exp(-(shares * np.log(shares)).sum())
        mse = (model.decode(codes, quality).clamp(0, 1) - image).square().mean()
        print(
            f"quality {quality}: {len(sizes)} maps of {codes.shape[2]} x {codes.shape[3]} codes, "
            f"perplexity {perplexity:.0f} of {sizes[0]} in the first, PSNR {-10 * mse.log10():.2f} dB"
        )
