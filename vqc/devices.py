"""Devices by name, and the precision of a training on them.

The precision "auto" is found out from the hardware, or set by VQC_BFLOAT16: 1 for bfloat16 on any hardware
(many times slower where it is emulated), 0 for float32. Tests run with either.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import Any, Literal

import torch
from torch import Tensor

from vqc.errors import OptionError
from vqc.garbage import resume

BFLOAT16_VARIABLE = "VQC_BFLOAT16"
ISA_VARIABLE = "ONEDNN_MAX_CPU_ISA"  # holds the library of convolutions back to what an older processor has
_WITH_BFLOAT16 = ("AVX512_CORE_BF16", "AVX512_CORE_FP16", "AVX512_CORE_AMX", "AVX10", "DEFAULT", "ALL")

_lock, _own = threading.Lock(), threading.local()
_inside, _threads = 0, 0  # threads within `on_threads`, and those of an operation outside

_only_float32: ContextVar[bool] = ContextVar("only_float32", default=False)


def find_device(device: str) -> str:
    """The device to work on: "auto" is a GPU when there is one. Raises OptionError when it is not there."""
    resume()  # whoever asks has loaded all that works on it
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


def to_device(batch: Any, device: torch.device) -> Any:
    """The same nest of tuples, lists and dicts with its tensors on the device."""
    if isinstance(batch, Tensor):
        return batch.to(device, non_blocking=True)
    if isinstance(batch, dict):
        return {key: to_device(value, device) for key, value in batch.items()}
    if isinstance(batch, tuple | list):
        items = [to_device(value, device) for value in batch]
        return type(batch)(*items) if hasattr(batch, "_fields") else type(batch)(items)
    return batch


def uses_bfloat16(precision: Literal["auto", "float32", "bfloat16"], device: torch.device) -> bool:
    """Whether to use bfloat16; "auto": where the hardware multiplies it. Elsewhere it is emulated, many times slower.

    Raises:
        OptionError: VQC_BFLOAT16 is neither 0 nor 1.
    """
    if precision != "auto":
        return precision == "bfloat16"
    forced = os.environ.get(BFLOAT16_VARIABLE, "")
    if forced not in ("", "0", "1"):
        raise OptionError(
            f"{BFLOAT16_VARIABLE} is {forced!r}; set it to 1 for bfloat16 or 0 for float32, or leave it out"
        )
    if forced:
        return forced == "1"
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return device.type == "cpu" and _cpu_has_bfloat16()


def _cpu_has_bfloat16() -> bool:
    """Whether the processor multiplies bfloat16, and torch and its library are free to let it."""
    limit = os.environ.get(ISA_VARIABLE, "").upper()
    if limit and not limit.startswith(_WITH_BFLOAT16):
        return False
    capabilities = torch.cpu.get_capabilities()
    has = any(capabilities.get(name, False) for name in ("avx512_bf16", "amx_bf16"))
    return has and "AVX512" in torch.backends.cpu.get_cpu_capability()


def autocast(device: torch.device, bfloat16: bool) -> AbstractContextManager[None]:
    """Forward passes within compute convolutions and products in bfloat16, if asked for."""
    return torch.autocast(device.type, torch.bfloat16) if bfloat16 else nullcontext()


def quick_networks(device: torch.device) -> AbstractContextManager[None]:
    """Where a CPU multiplies bfloat16, convolutions within compute in it; elsewhere nothing changes.

    For what need not be exact: the networks of an encoder and of a decoder.
    """
    quick = device.type == "cpu" and not _only_float32.get() and uses_bfloat16("auto", device)
    return autocast(device, quick)


@contextmanager
def on_threads(count: int) -> Iterator[None]:
    """Operations of this thread within are divided among so many.

    torch counts for each thread, and has one number that those begin with which are started: it is as before when the
    last has left.
    """
    global _inside, _threads
    outer = getattr(_own, "count", None)
    if outer == count:
        yield
        return
    with _lock:
        if not _inside:
            _threads = torch.get_num_threads()
        _inside += 1
        torch.set_num_threads(count)
    _own.count = count
    try:
        yield
    finally:
        _own.count = outer
        with _lock:
            _inside -= 1
            torch.set_num_threads(_threads if outer is None else outer)


@contextmanager
def one_thread() -> Iterator[None]:
    """Operations of this thread within are not divided: small ones wait for each other longer than they work.

    Of a prior a photo has thousands of them, and takes two thirds of the time.
    """
    with on_threads(1):
        yield


@contextmanager
def only_float32() -> Iterator[None]:
    """Let `quick_networks` change nothing: what bfloat16 gives for an item depends on the items beside it."""
    before = _only_float32.set(True)
    try:
        yield
    finally:
        _only_float32.reset(before)


def seed_step(device: torch.device, seed: int, micro_step: int, rank: int) -> None:
    """Make the random numbers of networks (dropout) a function of the step, so that a resumed run draws the same."""
    mixed = (seed * 0x9E3779B1 + micro_step * 0x85EBCA6B + rank) & 0xFFFFFFFF
    torch.default_generator.manual_seed(mixed)  # torch.manual_seed asks every kind of device: slow for each step
    if device.type == "cuda":
        torch.cuda.manual_seed(mixed)
