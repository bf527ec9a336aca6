"""The task of a content encoder: tell the teacher's clusters from speech that is disguised and in part missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from vqc.data.batches import WHOLE, Shard
from vqc.models.config import Config, limited
from vqc.training.loop.task import Losses, Task
from vqc.training.voice.content_data import ContentBatch, ContentBatches

_VALIDATION_BATCHES = 4


@dataclass(frozen=True, kw_only=True)
class ContentTaskConfig(Config):
    """Settings of targets, crops and what is hidden of them.

    teacher: name or file of a model of kind phones, or of kind voice: then training goes on from its network.
    """

    teacher: str = "phones"
    source_shares: tuple[float, ...] = limited((), 0)  # of the utterances from each folder of data; empty: by length
    leave_out: str = ""  # items with this in their names are not trained on
    clusters: tuple[int, ...] = limited((500, 2000), 2, 65_536)  # of each clustering that is learnt
    hidden: float = limited(0.35, above=0, below=0.9)  # share of the steps that are hidden
    hidden_weight: float = limited(0.5, 0, 1)  # of the loss of these; the rest is that of the others
    batch_size: int = limited(32, 1)
    crop: int = limited(320, 20)  # frames of 10 ms
    codebook_utterances: int = limited(600, 1)  # that projection and codebook are found in
    codebook_from: str = ""  # only utterances with this in their names are
    table_utterances: int = limited(300, 1)  # training utterances from which the tables are counted

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.crop % 2:
            raise ValueError(f"crop is {self.crop} frames; a step is two of them, so it must be even")


class ContentTask(Task):
    """Mean cross-entropy of the clusterings; of the model only the network of the content encoder is trained."""

    model: Any

    def __init__(
        self,
        model: Any,
        config: ContentTaskConfig,
        batches: ContentBatches,
        validation: ContentBatches,
        shard: Shard = WHOLE,
    ) -> None:
        """
        Args:
            model: with `heads`, a linear layer for each clustering; all but these and the network is frozen.
            config: of the task.
            batches: of training utterances.
            validation: of others.
            shard: rows of each batch that this process sees.
        """
        model.requires_grad_(False)
        model.content.network.requires_grad_(True)
        model.heads.requires_grad_(True)
        self.model, self.config, self.shard = model, config, shard
        self._batches, self._validation = batches, validation
        self.networks = (model.content.network,)

    def batch(self, step: int) -> ContentBatch:
        return self._batches(step, self.shard, self.config.hidden)

    def loss(self, batch: Any, step: int) -> Losses:
        hidden, seen = self._errors(ContentBatch(*batch))
        share = self.config.hidden_weight
        return Losses(share * hidden + (1 - share) * seen, {"hidden": hidden.detach(), "seen": seen.detach()})

    def _errors(self, batch: ContentBatch) -> tuple[Tensor, Tensor]:
        """Cross-entropy in nats of a clustering, on average, where steps are hidden and where they are not."""
        known = self.model.content.network(batch.frames, batch.hidden, every=2)[batch.there]  # [S, width]
        hidden, targets = batch.hidden[batch.there], batch.targets[batch.there]
        errors = torch.stack(
            [
                F.cross_entropy(head(known).float(), targets[:, i], reduction="none")
                for i, head in enumerate(self.model.heads)
            ]
        ).mean(0)  # [S]
        return _mean_where(errors, hidden), _mean_where(errors, ~hidden)

    @torch.no_grad()
    def validate(self) -> Mapping[str, float]:
        """The same errors on held-out utterances, disguised alike each time; the score is the loss."""
        device = self.model.content.projection.device
        found = []
        for step in range(_VALIDATION_BATCHES):
            batch = self._validation(step, WHOLE, self.config.hidden)
            found.append(torch.stack(self._errors(ContentBatch(*(part.to(device) for part in batch)))))
        hidden, seen = torch.stack(found).mean(0).tolist()
        share = self.config.hidden_weight
        return {"score": share * hidden + (1 - share) * seen, "hidden": hidden, "seen": seen}


def _mean_where(values: Tensor, chosen: Tensor) -> Tensor:
    """Mean of the chosen ones of [S]; 0 where there are none."""
    return (values * chosen).sum() / chosen.sum().clamp_min(1)
