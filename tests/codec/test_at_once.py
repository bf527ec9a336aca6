"""Streams coded at once are those coded one after the other, and threads are left as they were."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from tiny_priors import draw_codes, draw_model, draw_prior

from vqc.codec.at_once import map_at_once
from vqc.codec.progress import Meter
from vqc.codec.stream_coder import StreamCoder, write_streams
from vqc.devices import one_thread


@pytest.fixture(params=[1, 2])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    assert torch.get_num_threads() == request.param
    torch.set_num_threads(before)


def test_results_are_in_order_and_of_several_threads(threads: int) -> None:
    meeting = threading.Barrier(threads, timeout=30)

    def name(item: int) -> tuple[int, str]:
        meeting.wait()  # each waits for the others
        return item, threading.current_thread().name

    found = map_at_once(name, range(2 * threads))
    assert [item for item, _ in found] == list(range(2 * threads))
    assert len({name for _, name in found}) == threads


def test_an_error_ends_what_has_not_begun(threads: int) -> None:
    begun = list[int]()

    def fail(item: int) -> None:
        begun.append(item)
        raise ValueError(item)

    with pytest.raises(ValueError, match=r"^0$"):
        map_at_once(fail, range(1000))
    assert len(begun) < 1000


def test_threads_of_torch_are_shared_out_and_items_taken_when_needed() -> None:
    before, taken = torch.get_num_threads(), list[int]()

    def items() -> Iterator[int]:
        for item in range(8):
            taken.append(item)
            yield item

    def look(item: int) -> tuple[int, bool]:
        assert len(taken) <= item + 2 * 2 + 1, "no more than wait for two threads"
        return torch.get_num_threads(), torch.is_inference_mode_enabled()

    torch.set_num_threads(6)
    try:
        with torch.inference_mode():
            assert map_at_once(look, items(), most=2) == [(3, True)] * 8
        assert torch.get_num_threads() == 6
    finally:
        torch.set_num_threads(before)


def test_streams_and_progress_are_those_of_one_thread(threads: int) -> None:
    model = draw_model("photo")
    model.attach_prior(draw_prior(model))
    shapes = [(3, 4), (5, 2), (1, 1), (4, 4), (2, 6)]
    parts = [draw_codes(model, 2, shape, seed=i).numpy().astype(np.uint16) for i, shape in enumerate(shapes)]
    told = list[float]()
    total = sum(a * b for a, b in shapes)
    coder = StreamCoder(model, 2)
    mode, streams = write_streams(coder, parts, "prior", Meter(told.append, total))
    assert mode == "prior"
    assert streams == [coder.write(codes, "prior") for codes in parts]
    assert told == sorted(told)
    assert told[-1] == pytest.approx(0.99)


def test_threads_of_torch_are_as_before_when_the_last_has_left() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    inside, leave = threading.Event(), threading.Event()

    def other() -> None:
        with one_thread():
            inside.set()
            leave.wait(30)

    thread = threading.Thread(target=other)
    with one_thread(), one_thread():
        assert torch.get_num_threads() == 1
        thread.start()
        inside.wait(30)
    assert torch.get_num_threads() == 3
    leave.set()
    thread.join()
    found = list[int]()
    later = threading.Thread(target=lambda: found.append(torch.get_num_threads()))
    later.start()
    later.join()
    assert found == [3]
    torch.set_num_threads(before)
