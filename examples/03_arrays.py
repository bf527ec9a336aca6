"""Without files: NumPy arrays, Pillow images and tensors become bytes, and bytes become arrays again."""

import numpy as np
import torch
from PIL import Image

import vqc

y, x = np.mgrid[:120, :160]
pixels = np.stack([x, y, 255 - x], axis=-1).astype(np.uint8)  # [H, W, 3]

for media in (pixels, Image.fromarray(pixels), torch.from_numpy(pixels).permute(2, 0, 1)):
    data = vqc.compress(media, quality=6)
    restored = vqc.decompress(data)
    error = np.abs(restored.array.astype(int) - pixels).mean()
    print(f"{type(media).__name__}: {len(data)} bytes, mean error {error:.2f} of 255")

seconds = np.arange(44_100) / 44_100
tone = np.stack([np.sin(440 * 2 * np.pi * seconds), np.sin(660 * 2 * np.pi * seconds)], axis=1) / 4  # [T, C]
data = vqc.compress(tone, sample_rate=44_100)
clip = vqc.decompress(data)
print(f"one second in stereo: {len(data)} bytes, back as {clip.samples.shape} at {clip.sample_rate} Hz")
