"""Where to compute: a device by name."""

from __future__ import annotations

import torch

from vqc.errors import OptionError


def find_device(device: str) -> str:
    """The device to work on: "auto" is a GPU when there is one. Raises OptionError when it is not there."""
    if not isinstance(device, str):
        raise OptionError(f"a device is given by name (auto, cpu, cuda), not as {type(device).__name__}")
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if device.partition(":")[0] not in ("cpu", "cuda"):
        raise OptionError(f"device {device}: there is no such device; use auto, cpu or cuda")
    try:
        found = torch.device(device)
    except RuntimeError:
        raise OptionError(f"device {device}: there is no such device; use auto, cpu or cuda") from None
    if found.type == "cuda" and (found.index or 0) >= torch.cuda.device_count():
        raise OptionError(f"device {device}: this machine has no such GPU, or torch was built without; use cpu")
    return device
