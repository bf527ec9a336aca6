"""The network that blends pulses and noise, taken over from a model of kind `speech`, which has learnt it longer."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from vqc.errors import TrainingError
from vqc.models.files.zoo import load_model
from vqc.models.speech.model import SpeechModel
from vqc.models.voice.model import VoiceModel


@torch.no_grad()
def take_sources(model: VoiceModel, name: str, waveforms: Sequence[Tensor]) -> None:
    """Set the network of a voice model to that of a speech model for files without coded waveform.

    Of more blocks than the voice model has the first and the last are taken. The other network also sees the blocks of
    the envelope that its codes stand for; what it makes of them is predicted from the frames as well as a linear map
    can, on waveforms [1, T].

    TrainingError: the model is of another kind, or of other sizes.
    """
    speech = load_model(name).model
    if not isinstance(speech, SpeechModel):
        raise TrainingError(f"task.sources is {name}, which is no model of kind speech; leave it out or give another")
    quality, given, own = max(1, speech.config.first_waveform_quality - 1), speech.decoder, model.sources
    kept = [0, *range(len(given.blocks) - len(own.blocks) + 1, len(given.blocks))]  # what others do is missed least
    try:
        own.input.load_state_dict(given.input.state_dict())
        own.norm.load_state_dict(given.norm.state_dict())
        for block, number in zip(own.blocks, kept, strict=True):
            block.load_state_dict(given.blocks[number].state_dict())
    except (RuntimeError, ValueError):
        raise TrainingError(
            f"the network of {name} has other sizes; set model.source_width and source_blocks"
        ) from None
    frames, seen = [], []
    for x in waveforms:
        x = x[:, : x.shape[1] // speech.hop_length * speech.hop_length]
        log_mel = speech.log_mel(x)
        frames.append(log_mel[0])
        seen.append(given.spread(0.1 * speech.klt_coefficients(log_mel)).reshape(len(log_mel[0]), -1))
    inputs = F.pad(torch.cat(frames).double(), (0, 1), value=1.0)
    found = torch.linalg.lstsq(inputs, torch.cat(seen).double()).solution.float()  # [mels + 1, width]
    own.spread.weight.copy_(10 * found[:-1].T)  # it divides its input by ten
    own.spread.bias.copy_(found[-1])
    own.level.weight.copy_(given.level.weight[quality - 1 : quality])
    rows = sum(own.sizes[:3])  # of pulses and noise
    own.output.weight[:rows] = given.output.weight[:rows]
    own.output.bias[:rows] = given.output.bias[:rows]
