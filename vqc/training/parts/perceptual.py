"""The task of perceptual decoders: the same codes restored with more texture, as a critic asks for it.

::

                                            ┌─ the codec's own decoder ─► what validation compares with
    signal ─ encoder (frozen) ─► codes ─────┴─ perceptual decoder ─► restored ─┬─ losses against the signal
                                                                          └─ critic: signal or restored?
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from vqc.models.base import CodecModel
from vqc.models.config import Config, limited
from vqc.nn.precision import in_float32
from vqc.training.adversarial import AdversarialTask, make_critic
from vqc.training.loop.task import Losses
from vqc.training.losses import LogMelLoss
from vqc.training.media import AUDIO, IMAGES
from vqc.training.parts.base import PartConfig
from vqc.training.parts.frozen_codec import FrozenCodec
from vqc.training.parts.texture_loss import TextureLoss
from vqc.training.speech.losses import ComplexSpectrumLoss

ALLOWED = 1.35  # times the squared error of the codec's own decoder that texture may cost
PENALTY = 10.0  # on the score, for each time more


@dataclass(frozen=True, kw_only=True)
class PerceptualConfig(Config):
    """A perceptual decoder is shaped like the part that it stands in for: there is nothing to set."""


@dataclass(frozen=True, kw_only=True)
class PerceptualTaskConfig(PartConfig):
    """The codec, how batches are drawn, and the weights of the losses.

    `fidelity` weighs the squared error of images (times 100), and of audio the distance of spectra with their phases,
    where files carry the waveform. `detail` weighs the texture of images (see `TextureLoss`), and log-mel spectra.
    """

    batch_size: int = limited(8, 1)  # of all processes together
    crop: int = limited(128, 1)  # pixels a side, or samples
    validation_items: int = limited(36, 1)  # images or recordings, at most
    fidelity: float = limited(1.0, 0)
    detail: float = limited(1.0, 0)
    adversarial: float = limited(0.02, 0)
    feature_matching: float = limited(2.0, 0)  # in units of `adversarial`
    critic_width: int = limited(16, 1)
    critic_start: int = limited(0, 0)  # step from which the decoder hears the critic


class Comparison(nn.Module, ABC):
    """Losses between restored signals and their originals."""

    lowest: ClassVar[float]  # values are clamped to [lowest, 1] before they are measured
    compiles: ClassVar[bool]  # no decoder that is given the quality as a number: it would be compiled for each

    def __init__(self, codec: Any) -> None:
        super().__init__()

    @abstractmethod
    def forward(self, restored: Tensor, original: Tensor, quality: int) -> dict[str, Tensor]:
        """Unweighted scalars."""

    @abstractmethod
    def weights(self, config: PerceptualTaskConfig) -> Mapping[str, float]:
        """The weight of each of them."""

    @abstractmethod
    def figures(self, found: Mapping[str, float], own: Mapping[str, float]) -> dict[str, float]:
        """Figures from the values of the perceptual and of the own decoder, and a "score": lower is better."""

    def decode(self, model: Any, codes: Tensor, quality: int, step: int) -> Tensor:
        """Restore codes in a step of training."""
        restored: Tensor = model.decode(codes, quality)
        return restored


class ImageComparison(Comparison):
    """Squared error and texture. The score is the texture, as long as the squared error stays in bounds."""

    lowest, compiles = IMAGES.lowest, True

    def __init__(self, codec: Any) -> None:
        super().__init__(codec)
        self.texture = TextureLoss()

    @in_float32
    def forward(self, restored: Tensor, original: Tensor, quality: int) -> dict[str, Tensor]:
        return {"mse": (restored - original).square().mean(), "texture": self.texture(restored, original)}

    def weights(self, config: PerceptualTaskConfig) -> Mapping[str, float]:
        return {"mse": 100 * config.fidelity, "texture": config.detail}

    def figures(self, found: Mapping[str, float], own: Mapping[str, float]) -> dict[str, float]:
        excess = max(0.0, found["mse"] / max(own["mse"], 1e-12) - ALLOWED)
        return {
            "score": found["texture"] + PENALTY * excess,
            "texture": found["texture"],
            "texture_own": own["texture"],
            "psnr": _decibels(found["mse"]),
            "psnr_own": _decibels(own["mse"]),
        }


class AudioComparison(Comparison):
    """Log-mel spectra, and spectra with their phases at qualities whose files carry the waveform."""

    lowest, compiles = AUDIO.lowest, False

    def __init__(self, codec: Any) -> None:
        super().__init__(codec)
        self.carries_waveform = getattr(codec, "has_waveform_codes", lambda quality: True)
        self.log_mel, self.spectrum = LogMelLoss(sample_rate=codec.sample_rate), ComplexSpectrumLoss()

    def decode(self, model: Any, codes: Tensor, quality: int, step: int) -> Tensor:
        """Restore codes with other noise in each step."""
        restored: Tensor = model.decode(codes, quality, first_frame=step)
        return restored

    @in_float32
    def forward(self, restored: Tensor, original: Tensor, quality: int) -> dict[str, Tensor]:
        terms = {"log_mel": self.log_mel(restored, original)}
        if self.carries_waveform(quality):
            terms["spectrum"] = self.spectrum(restored, original)
        return terms

    def weights(self, config: PerceptualTaskConfig) -> Mapping[str, float]:
        return {"log_mel": config.detail, "spectrum": config.fidelity}

    def figures(self, found: Mapping[str, float], own: Mapping[str, float]) -> dict[str, float]:
        return {"score": found["log_mel"], "log_mel": found["log_mel"], "log_mel_own": own["log_mel"]}


COMPARISONS: Mapping[str, type[Comparison]] = MappingProxyType({"image": ImageComparison, "audio": AudioComparison})


class PerceptualTask(AdversarialTask):
    """Losses against the original, and what a critic urges; one quality a step, in turn.

    Args:
        decoder: is trained, and becomes the codec's perceptual decoder.
        codec: stays as it is otherwise.
        batches: step → [B, 3, H, W] or [B, T], this process' rows of the batch.
        validation: batches of the same sort.

    Raises:
        OptionError: the crops are too small for a critic.
    """

    model: nn.Module

    def __init__(
        self,
        decoder: nn.Module,
        codec: CodecModel,
        batches: Callable[[int], Tensor],
        validation: Sequence[Tensor],
        config: PerceptualTaskConfig,
    ) -> None:
        self.model, self.batches, self.validation, self.config = decoder, batches, validation, config
        codec.perceptual = None  # is not to be frozen with the rest
        self.codec: Any = codec
        self.frozen = FrozenCodec(codec)
        codec.perceptual = decoder
        self.restorer: Any = codec.with_perceptual_decoder()
        self.compare = COMPARISONS[codec.media](codec)
        self.networks = [decoder] if self.compare.compiles else []
        self.weights = self.compare.weights(config)
        if config.adversarial:
            critic = make_critic(codec.media, config.crop, config.critic_width)
            self.add_critic(critic, config.adversarial, config.feature_matching, config.critic_start)
        self._known: dict[int, tuple[list[Tensor], Mapping[str, float]]] = {}

    def batch(self, step: int) -> Tensor:
        return self.batches(step)

    def loss(self, batch: Tensor, step: int) -> Losses:
        """The weighted losses."""
        quality = step % self.codec.qualities + 1
        restored = self._restored(batch, quality, step)
        terms = self.compare(restored, batch, quality)
        total = torch.stack([self.weights[name] * term for name, term in terms.items()]).sum()
        logged = {name: term.detach() for name, term in terms.items()}
        return self.with_adversary(Losses(total, logged), restored, batch, step)

    def validate(self) -> Mapping[str, float]:
        """Means over the qualities of what `measure` gives; the critic has no say in the score."""
        rows = [self.measure(quality + 1) for quality in range(self.codec.qualities)]
        return {name: sum(row[name] for row in rows) / len(rows) for name in rows[0]}

    @torch.inference_mode()
    def measure(self, quality: int) -> dict[str, float]:
        """Figures of both decoders on the validation signals at one quality; see `Comparison.figures`."""
        if quality not in self._known:  # codes and the own decoder's values stay what they are
            codes = [self.frozen.encode_as_files_do(signal.to(self._device), quality) for signal in self.validation]
            self._known[quality] = codes, self._values(self.frozen, codes, quality)
        codes, own = self._known[quality]
        return self.compare.figures(self._values(self.restorer, codes, quality), own)

    def _values(self, model: Any, codes: Sequence[Tensor], quality: int) -> dict[str, float]:
        """Means over the validation signals of what compares them with what a model restores."""
        sums: dict[str, float] = {}
        for signal, coded in zip(self.validation, codes, strict=True):
            restored = model.decode(coded, quality).clamp(self.compare.lowest, 1)
            for name, term in self.compare(restored, signal.to(self._device), quality).items():
                sums[name] = sums.get(name, 0.0) + float(term) * len(signal)
        return {name: value / sum(map(len, self.validation)) for name, value in sums.items()}

    @in_float32
    def _restored(self, signal: Tensor, quality: int, step: int) -> Tensor:
        """Through the codes that files hold, to what is restored in float32."""
        codes = self.frozen.encode_as_files_do(signal, quality)
        return self.compare.decode(self.restorer, codes, quality, step)

    @property
    def _device(self) -> torch.device:
        return next(self.model.parameters()).device


def _decibels(mse: float) -> float:
    return -10 * math.log10(max(mse, 1e-12))
