"""The content encoder: what a code depends on, and what it does not."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from tiny_models import VOICE
from torch import Tensor

from vqc.models.voice.content import ContentConfig, ContentEncoder, moving_mean

TINY = replace(
    VOICE,
    content_mels=16,
    content_width=12,
    content_hidden=12,
    content_dilations=(1, 3),
    content_size=32,
    content_dim=8,
)


def encoder(config: ContentConfig = TINY) -> ContentEncoder:
    torch.manual_seed(0)
    made = ContentEncoder(config).eval()
    for voice in made.network.voices.values():
        torch.nn.init.normal_(voice.tell.weight)  # untrained, it tells nothing
    return made


def noise(seconds: float = 1.0, seed: int = 0) -> Tensor:
    return 0.1 * torch.randn(1, int(16_000 * seconds), generator=torch.Generator().manual_seed(seed))


def test_there_are_100_codes_a_second() -> None:
    codes = encoder().encode(torch.cat([noise(2.0), noise(2.0, 1)]))
    assert codes.shape == (2, 200)
    assert codes.dtype == torch.int64
    assert codes.unique().numel() > 4


@torch.no_grad()
def test_a_code_depends_on_nothing_beyond_its_reach() -> None:
    made = encoder()
    near = made.network.near
    longer = noise(4.0)
    changed = longer.clone()
    changed[:, (100 + made.reach + 2) * 160 :] *= 3  # a frame is a window of 25 ms
    before, after = (made.latents(made.log_mel(x)) for x in (longer, changed))
    torch.testing.assert_close(after[:, :101], before[:, :101])
    behind = 100 + made.reach
    assert not torch.allclose(after[:, behind - near : behind], before[:, behind - near : behind])
    assert near < made.halo < made.reach


@torch.no_grad()
def test_distances_of_latents_of_classes_are_those_of_hellinger() -> None:
    made = encoder(replace(TINY, content_classes=8))
    likely = made.known(made.network(made.frames(made.log_mel(noise()))))  # [1, 100, 8]
    torch.testing.assert_close(likely.square().sum(-1), torch.ones(1, 100))
    latents = made.latents(made.log_mel(noise()))
    torch.testing.assert_close(torch.cdist(latents, latents), torch.cdist(likely, likely))


@torch.no_grad()
def test_a_step_of_20_ms_is_two_interleaved_passes() -> None:
    made = encoder(ContentConfig(content_mels=16, content_width=12, content_hidden=12, content_voice=()))
    frames = torch.randn(1, 60, 16)
    every = made.network(frames)
    torch.testing.assert_close(made.network(frames, every=2)[:, 8:-8], every[:, ::2][:, 8:-8])


@torch.no_grad()
def test_the_loudness_is_not_in_the_codes() -> None:
    made = encoder()
    same = made.encode(noise(2.0)) == made.encode(0.3 * noise(2.0))
    assert same.float().mean() > 0.97


@torch.no_grad()
def test_a_warp_changes_the_codes() -> None:
    made = encoder()
    assert (made.encode(noise()) != made.encode(noise(), warp=1.1)).float().mean() > 0.2


def test_what_is_hidden_is_not_seen() -> None:
    made, frames = encoder(), torch.randn(1, 40, 16)
    changed = frames.clone()
    changed[:, 18:22] += 1  # the first layer of steps 8 to 11 sees these
    hidden = torch.zeros(1, 20, dtype=torch.bool)
    hidden[:, 8:12] = True
    torch.testing.assert_close(
        made.network(changed, hidden, every=2), made.network(frames, hidden, every=2), atol=0, rtol=0
    )


@pytest.mark.parametrize("reach", [1, 4, 50])
def test_the_moving_mean_is_that_of_what_is_there(reach: int) -> None:
    x = torch.randn(2, 11, 3) + 100
    wanted = torch.stack([x[:, max(0, i - reach) : i + reach + 1].mean(1) for i in range(11)], 1)
    torch.testing.assert_close(moving_mean(x, reach), wanted)
