"""Draw from what priors have learnt: pictures that nobody took, and the rest of one that somebody did."""

from pathlib import Path

from PIL import Image

import vqc

for number, image in enumerate(vqc.sample("cifar10", 4, seed=1)):
    image.save(f"drawn-{number}.png")
print("drawn-0.png to drawn-3.png: the same codes on every machine for seed 1")

picture = Image.open(Path(__file__).parent / "photo.jpg").crop((128, 0, 640, 512)).resize((128, 128))
picture.save("part.png")
for number, image in enumerate(vqc.complete("part.png", 2, keep=0.5, temperature=0.8)):
    image.save(f"completed-{number}.png")
print("completed-0.png and completed-1.png: the top is that of the sample photo, the rest is drawn")

(clip,) = vqc.sample("speech", seconds=1.0, seed=2)
clip.save("drawn.wav")
print(f"drawn.wav: {clip}")
