"""Compress the sample clip at three qualities; every restored clip has the sample rate and length of the original."""

from pathlib import Path

import vqc

here = Path(__file__).parent
for quality in (1, 4, 8):
    report = vqc.compress_file(here / "speech.flac", f"speech-{quality}.vqc", quality=quality, overwrite=True)
    vqc.decompress_file(f"speech-{quality}.vqc", f"speech-{quality}.wav", overwrite=True)
    print(f"quality {quality}: {report.bytes_out} bytes, {report.rate:.2f} kbps; listen to speech-{quality}.wav")
