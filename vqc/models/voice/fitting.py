"""The vector of a voice moved to where the decoder says a recording of it best.

The speaker encoder finds about the right vector in one look. From there some steps down the gradient of the error of
frames bring voices that were never trained on closer: in the vector alone, so that a file says no more than before.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from vqc.models.voice.model import VoiceModel
from vqc.models.voice.traits import active_frames, speech_level
from vqc.nn.pitch import pitch_hz, track_pitch

FITTED_SECONDS = 10.0  # of a recording, which are enough
_STEPS, _RATE = 30, 0.05
_EDGE = 0.99  # of a vector, whose values are those of a tanh


def fitted_vector(model: VoiceModel, waveform: Tensor, vector: Tensor) -> Tensor:
    """The vector [D] with which the decoder comes closest to a waveform [1, T], of whole code frames, from another [D].

    Closest are the frames that hold speech, in mean absolute difference, with their own codes and pitch.
    """
    with torch.inference_mode(False), torch.no_grad():
        x = waveform.to(model.mel.device).clone()
        power = model.mel_power(x)
        active = active_frames(power)
        wanted = model.log_mel(power, speech_level(power, active))
        entries, hz = F.embedding(model.content.encode(x), model.content.codebook), pitch_hz(track_pitch(x))
        place = torch.atanh(vector.to(x).clone().clamp(-_EDGE, _EDGE))[None].requires_grad_()
        optimizer = torch.optim.Adam([place], _RATE)
        for _ in range(_STEPS):
            with torch.enable_grad():
                change, average = model.decoder(entries, hz, torch.tanh(place))
                error = ((average + change - wanted).abs().mean(-1) * active).sum() / active.sum().clamp_min(1)
            (place.grad,) = torch.autograd.grad(error, [place])
            optimizer.step()
        return torch.tanh(place.detach())[0].cpu()
