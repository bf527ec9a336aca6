"""Adversarial training of a decoder: the critic (discriminator), and the losses of the two."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from vqc.errors import OptionError
from vqc.nn.discriminators import (
    MultiResolutionDiscriminator,
    PatchDiscriminator,
    critic_hinge,
    decoder_hinge,
    feature_distance,
)
from vqc.training.loop.task import Losses, Task

HEAD_START = 500  # steps that the critic learns before the decoder hears it
PATCHES = {3: 70, 2: 34, 1: 16}  # strided layers → pixels a side that a score sees


def make_critic(media: Literal["image", "audio"], side: int, width: int) -> nn.Module:
    """Make a critic of images with sides of `side` pixels or more, or of waveforms; OptionError for smaller images."""
    if media == "audio":
        return MultiResolutionDiscriminator(width=width)
    fitting = [layers for layers, seen in PATCHES.items() if seen <= side]
    if not fitting:
        raise OptionError(
            f"a critic needs images of at least 16 pixels a side, these have {side}; leave adversarial at 0"
        )
    return PatchDiscriminator(width=width, strided_layers=fitting[0])


class Adversary:
    """The adversarial losses of critic and decoder; the critic begins `HEAD_START` steps before step `start`.

    The critic sees the reconstruction of the decoder's loss, so that it is made once.
    """

    def __init__(self, critic: nn.Module, weight: float, feature_matching: float, start: int) -> None:
        self.critic, self.weight, self.feature_matching, self.start = critic, weight, feature_matching, start
        self._made: Tensor | None = None

    def decoder_loss(self, made: Tensor, original: Tensor, step: int) -> Losses:
        """Loss of the decoder on reconstructions and originals [B, ...]; zero before `start`."""
        self._made = made.detach()
        if step < self.start:
            nothing = made.new_zeros(())
            return Losses(nothing, {"adversarial": nothing, "features": nothing})
        of_made, of_original = self.critic(made), self.critic(original)
        hinge, features = decoder_hinge(of_made), feature_distance(of_original, of_made)
        total = self.weight * (hinge + self.feature_matching * features)
        return Losses(total, {"adversarial": hinge.detach(), "features": features.detach()})

    def critic_loss(self, original: Tensor, step: int) -> Losses:
        """Loss of the critic; without a gradient before it begins, or when there is no reconstruction yet."""
        if self._made is None or step < self.start - HEAD_START:
            return Losses(original.new_zeros(()), {})
        return Losses(critic_hinge(self.critic(original), self.critic(self._made)), {})


class AdversarialTask(Task):
    """A task whose decoder may learn from a critic as well; until `add_critic` is called it does not."""

    adversary: Adversary | None = None

    def add_critic(self, critic: nn.Module, weight: float, feature_matching: float, start: int) -> None:
        """Let the decoder learn from a critic; see `Adversary`."""
        self.critic, self.adversary = critic, Adversary(critic, weight, feature_matching, start)

    def with_adversary(self, losses: Losses, restored: Tensor, batch: Tensor, step: int) -> Losses:
        """Add what the critic says of a restored batch [B, ...] to the other losses of the decoder."""
        if self.adversary is None:
            return losses
        total, logged = self.adversary.decoder_loss(restored, batch, step)
        return Losses(losses.total + total, {**losses.logged, **logged})

    def critic_loss(self, batch: Tensor, step: int) -> Losses:
        """Loss of the critic on the restoration that `loss` has made last."""
        assert self.adversary is not None, "the loop asks for this when there is a critic"
        return self.adversary.critic_loss(batch, step)
