"""Tokens: pieces of the sample photo as codes in an archive, and a tiny transformer that learns to predict them."""

from pathlib import Path

import torch
from PIL import Image
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader

from vqc.archive.create import ArchiveOptions, Source, archive_files
from vqc.torch import CodesDataset

# The model "cifar10" has one map of 8 x 8 codes for 32 x 32 pixels. Written without a prior they are read at once.
photo, sources = Image.open(Path(__file__).parent / "photo.jpg"), []
for top in range(0, photo.height - 31, 32):
    for left in range(0, photo.width - 31, 32):
        path = Path("pieces") / ("left" if left < photo.width / 2 else "right") / f"{top}-{left}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        photo.crop((left, top, left + 32, top + 32)).save(path)
        sources.append(Source(path, path.relative_to("pieces").as_posix(), path.parent.name))
archive_files("pieces.vqca", sources, ArchiveOptions(model="cifar10", entropy="none"), overwrite=True)

data = CodesDataset("pieces.vqca")
size, length = data.codebook_sizes[0], 64
print(f"{len(data)} items with labels {data.labels}, {length} codes of {size} each")


class Transformer(nn.Module):
    """Predicts each code of a sequence from those before it; the first from the label of the picture."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.labels, self.codes = nn.Embedding(len(data.labels), width), nn.Embedding(size, width)
        self.places = nn.Parameter(torch.zeros(length, width))
        layer = nn.TransformerEncoderLayer(width, 4, 4 * width, dropout=0.0, batch_first=True, norm_first=True)
        self.layers, self.output = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False), nn.Linear(width, size)

    def forward(self, codes: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Logits [B, T, K] of codes [B, T]."""
        before = torch.cat([self.labels(labels)[:, None], self.codes(codes[:, :-1])], 1) + self.places  # [B, T, D]
        mask = nn.Transformer.generate_square_subsequent_mask(length)
        return self.output(self.layers(before, mask=mask, is_causal=True))


torch.manual_seed(0)
model, losses = Transformer(), []
optimizer = torch.optim.AdamW(model.parameters(), 3e-3)
for _epoch in range(3):
    for codes, labels, _names in DataLoader(data, batch_size=32, shuffle=True):
        sequences = codes.flatten(1)  # [B, G, h, w] → [B, T]
        loss = F.cross_entropy(model(sequences, labels).transpose(1, 2), sequences)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
print(f"{losses[0]:.2f} nats a code at first, {losses[-1]:.2f} after {len(losses)} steps")
