"""Compress the sample photo to a file, restore it, and say how large and how good it is."""

from pathlib import Path

import vqc

here = Path(__file__).parent
report = vqc.compress_file(here / "photo.jpg", "photo.vqc", quality=4, overwrite=True, stats=True)
print(f"photo.vqc: {report.bytes_out} bytes, {report.rate:.3f} bits per pixel, PSNR {report.psnr:.2f} dB")

report = vqc.decompress_file("photo.vqc", "photo.restored.png", overwrite=True)
print(f"photo.restored.png: restored in {report.seconds:.2f} s")
