"""One network with its loss and its optimizer: gradients add up over the batches of a step, then AdamW makes a step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from vqc.devices import autocast
from vqc.training.loop.config import LoopConfig
from vqc.training.loop.distributed import parallel, without_gradient_sync
from vqc.training.loop.run_folder import with_prefix
from vqc.training.loop.task import Losses


class Optimization:
    """AdamW on the parameters of a network; only matrices and kernels decay."""

    def __init__(
        self,
        network: nn.Module,
        loss: Callable[[Any, int], Losses],
        config: LoopConfig,
        *,
        device: torch.device,
        bfloat16: bool,
    ) -> None:
        self.network, self.config, self.device, self.bfloat16 = network, config, device, bfloat16
        self._loss = parallel(network, loss)
        self.parameters = [p for p in network.parameters() if p.requires_grad]
        decay = [p for p in self.parameters if p.ndim > 1]
        plain = [p for p in self.parameters if p.ndim <= 1]
        groups = [{"params": decay, "weight_decay": config.weight_decay}, {"params": plain, "weight_decay": 0.0}]
        self.optimizer = torch.optim.AdamW(groups, lr=config.learning_rate, betas=config.betas, fused=True)

    def accumulate(self, batch: Any, step: int, *, last: bool) -> Losses:
        """Forward and backward pass of one of `config.accumulate` batches; the mean of their losses is minimised."""
        if last:
            return self._accumulate(batch, step)
        with without_gradient_sync(self._loss):
            return self._accumulate(batch, step)

    def _accumulate(self, batch: Any, step: int) -> Losses:
        with autocast(self.device, self.bfloat16):
            losses: Losses = self._loss(batch, step)
        if losses.total.requires_grad:
            (losses.total / self.config.accumulate).backward()  # type: ignore[no-untyped-call]
        return Losses(losses.total.detach(), losses.logged)

    def clip(self) -> Tensor:
        """Bound the norm of the gradient; returns the norm before."""
        return nn.utils.clip_grad_norm_(self.parameters, self.config.gradient_clip)

    def step(self, learning_rate: float) -> None:
        """One step of AdamW, then forget the gradients. Parameters without one stay where they are."""
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)

    def tensors(self, network: str, optimizer: str) -> dict[str, Tensor]:
        """Weights and moments, with these words before their names."""
        found = {f"{network}.{k}": v for k, v in self.network.state_dict().items()}
        for i, state in self.optimizer.state_dict()["state"].items():
            found |= {f"{optimizer}.{i}.{k}": torch.as_tensor(v) for k, v in state.items()}
        return found

    def load(self, tensors: Mapping[str, Tensor], network: str, optimizer: str) -> None:
        """The inverse of `tensors`. RuntimeError when they are those of another network."""
        self.network.load_state_dict(with_prefix(tensors, f"{network}."))
        parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        moments: dict[int, dict[str, Tensor]] = {}
        for name, tensor in with_prefix(tensors, f"{optimizer}.").items():
            index, key = name.split(".", 1)
            moments.setdefault(int(index), {})[key] = _laid_out_like(parameters[int(index)], tensor)
        whole = self.optimizer.state_dict()
        whole["state"] = moments
        self.optimizer.load_state_dict(whole)


def _laid_out_like(parameter: Tensor, moment: Tensor) -> Tensor:
    """The moment in the parameter's memory format: the fused AdamW goes through the memory of both side by side."""
    if moment.shape != parameter.shape:
        return moment
    return torch.empty_like(parameter, dtype=moment.dtype, device=moment.device).copy_(moment)
