"""The folder of a run: its state, its best weights, its figures. Rank 0 alone writes."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from vqc.atomic import write_atomically
from vqc.errors import TrainingError
from vqc.nn.distributed import own_rank
from vqc.training.loop.config import LoopConfig
from vqc.training.loop.distributed import broadcast_bytes


class Progress(NamedTuple):
    """The position of a run: steps, time and best score."""

    step: int = 0
    seconds: float = 0.0
    best: float = math.inf
    validated_step: int = -1  # the last step that was validated; -1: none was


class RunFolder:
    """Reads on all ranks (from the disk of rank 0), writes on rank 0."""

    def __init__(self, path: Path) -> None:
        self.path, self.writes = path, own_rank() == 0
        if self.writes:
            path.mkdir(parents=True, exist_ok=True)

    def save_best(self, tensors: Mapping[str, Tensor]) -> None:
        """Keep the weights of the best validation."""
        if self.writes:
            _save(self.path / "best.safetensors", tensors)

    def save_state(self, tensors: Mapping[str, Tensor], progress: Progress, config: LoopConfig) -> None:
        """Replace the state; state.json says the same for people to read."""
        if not self.writes:
            return
        # In the same file as the weights, so that no moment of being killed can part them.
        numbers = {f"loop.{k}": torch.tensor(v, dtype=torch.float64) for k, v in progress._asdict().items()}
        _save(self.path / "state.safetensors", {**tensors, **numbers})
        shown = {k: v if math.isfinite(v) else None for k, v in progress._asdict().items()}
        text = json.dumps({**shown, "config": asdict(config)}, indent=1)
        write_atomically(self.path / "state.json", text.encode(), overwrite=True)

    def load_state(self) -> tuple[dict[str, Tensor], Progress] | None:
        """Read what `save_state` was given, on every rank; None in a new folder."""
        file = self.path / "state.safetensors"
        data = broadcast_bytes(file.read_bytes() if self.writes and file.exists() else b"")
        if not data:
            return None
        try:
            tensors = load(data)
        except SafetensorError:
            raise TrainingError(f"{file} is damaged; remove it to begin the run anew") from None
        numbers = {k: v.item() for k, v in with_prefix(tensors, "loop.").items()}
        counts = (int(numbers["step"]), int(numbers.get("validated_step", 0)))
        return tensors, Progress(counts[0], numbers["seconds"], numbers["best"], counts[1])

    def log(self, row: Mapping[str, float]) -> None:
        """Append a line to metrics.jsonl."""
        if self.writes:
            with (self.path / "metrics.jsonl").open("a", encoding="utf-8") as out:
                out.write(json.dumps(row) + "\n")

    def forget_after(self, step: int) -> None:
        """Drop the lines of later steps, which will be logged again, and one that was cut off."""
        file = self.path / "metrics.jsonl"
        if self.writes and file.exists():
            lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
            kept = "".join(x for x in lines if x.endswith("\n") and json.loads(x)["step"] <= step)
            write_atomically(file, kept.encode(), overwrite=True)


def with_prefix(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose names begin so, without the prefix."""
    return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}


def _save(path: Path, tensors: Mapping[str, Tensor]) -> None:
    whole = save({k: v.detach().cpu().contiguous().clone() for k, v in tensors.items()})
    write_atomically(path, whole, overwrite=True)
