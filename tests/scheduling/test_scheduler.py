"""Order, bounds and second attempts, with workers that do as they are told."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from vqc.errors import VQCError
from vqc.scheduling import scheduler
from vqc.scheduling.pool import Finished
from vqc.scheduling.scheduler import LostError, Retry, map_ordered, map_unordered
from vqc.scheduling.workers import Workers

RAY = Workers(3, "nowhere")
Mood = Callable[[int, Sequence[Any]], bool]  # whether this worker lives through these items


class Staff:
    """A pool of workers with names, who finish in any order; some come late, some die at what they cannot bear."""

    def __init__(self, function: Callable[[Any], Any], names: range, largest: int, bears: Mood) -> None:
        self.function, self.largest, self.bears = function, largest, bears
        self.free, self.late, self.next_name = list[int](), [*names], names.stop
        self.busy = dict[int, tuple[int, Sequence[Any]]]()  # worker: ticket, items
        self.log = list[tuple[int, Sequence[Any]]]()  # who was given what
        self.most_in_flight, self.left_by = 0, "nobody"
        self.choose: Callable[[list[int]], int] = random.Random(0).choice

    @property
    def room(self) -> int:
        return len(self.free)

    def can_avoid(self, worker: object) -> bool:
        others = {*self.free, *self.busy} - {worker}
        return not others or bool(others & {*self.free})

    def submit(self, ticket: int, items: Sequence[Any], avoid: object = None) -> None:
        worker = next((name for name in self.free if name != avoid), None)
        if worker is None:
            worker = self.free[0]
        self.free.remove(worker)
        self.busy[worker] = ticket, items
        self.log.append((worker, tuple(items)))
        self.most_in_flight = max(self.most_in_flight, sum(len(items) for _, items in self.busy.values()))

    def wait(self) -> Sequence[Finished]:
        if self.late:
            self.free.append(self.late.pop())
            return []
        worker = self.choose(sorted(self.busy))
        ticket, items = self.busy.pop(worker)
        if self.bears(worker, items):
            self.free.append(worker)
            return [Finished(ticket, [self.function(item) for item in items], worker)]
        self.late.append(self.next_name)
        self.next_name += 1
        return [Finished(ticket, None, worker)]

    def __enter__(self) -> Staff:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.left_by = "nothing" if kind is None else kind.__name__


@pytest.fixture
def staff(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Staff]]:
    """`staff(...)`: the pools that are opened from now on are such."""

    def hire(count: int = 3, largest: int = 1, bears: Mood = lambda *_: True) -> list[Staff]:
        hired = list[Staff]()

        def opened(function: Callable[[Any], Any], *_: object) -> Staff:
            hired.append(Staff(function, range(count), largest, bears))
            return hired[-1]

        monkeypatch.setattr(scheduler, "open_pool", opened)
        return hired

    return hire


def negated(item: int) -> int:
    return -item


@pytest.mark.parametrize("largest", [1, 4])
def test_every_item_is_done_once_and_has_its_number(staff: Callable[..., list[Staff]], largest: int) -> None:
    hired = staff(largest=largest)
    done = list(map_unordered(negated, range(5, 1000), RAY))
    assert sorted(done) == [(number, -number - 5) for number in range(995)]
    assert done != sorted(done), "as they finish"
    assert sorted(item for _, items in hired[0].log for item in items) == list(range(5, 1000))
    assert (max(len(items) for _, items in hired[0].log) > 1) == (largest > 1)
    assert hired[0].left_by == "nothing"


def test_order_is_kept_where_it_is_asked_for(staff: Callable[..., list[Staff]]) -> None:
    staff(largest=4)
    assert list(map_ordered(negated, iter(range(500)), RAY)) == [-number for number in range(500)]


def test_items_are_taken_as_there_is_room(staff: Callable[..., list[Staff]]) -> None:
    """So that neither they nor results are held, were there 10⁸ of them."""
    hired, taken = staff(), 0

    def listing() -> Iterator[int]:
        nonlocal taken
        while taken < 1000:
            taken += 1
            yield taken

    for count, _ in enumerate(map_unordered(negated, listing(), RAY), 1):
        assert taken - count <= 3
    assert hired[0].most_in_flight == 3


def test_results_that_wait_for_one_before_them_are_bounded(staff: Callable[..., list[Staff]]) -> None:
    hired, results = staff(), map_ordered(negated, iter(range(1000)), RAY)
    next(results)
    hired[0].choose = max  # one worker is not heard of as long as others are at work
    for number in range(1, 1000):
        assert next(results) == -number
        furthest = max(item for _, items in hired[0].log for item in items)
        assert furthest - number <= scheduler.AHEAD * 3, "the others do not run away"


def test_a_lost_worker_loses_nothing(staff: Callable[..., list[Staff]]) -> None:
    hired = staff(largest=4, bears=lambda worker, _: worker > 1)  # two of three die at the first thing they are given
    afresh = Retry(afresh=lambda item: item + 0.5)
    done = sorted(map_unordered(negated, range(300), RAY, afresh))
    assert [number for number, _ in done] == list(range(300))
    again = [-result for _, result in done if result % 1]
    assert len(again) == 2
    assert all(worker > 1 for worker, items in hired[0].log for item in items if item in again)


def test_what_kills_every_worker_is_given_up_and_told(staff: Callable[..., list[Staff]]) -> None:
    hired = staff(bears=lambda _, items: 7 not in items)
    told = Retry(lost=lambda item, error: f"{item}: {error}")
    done = dict(map_unordered(negated, range(20), RAY, told))
    assert done.pop(7).startswith("7: 3 workers ended while they were at this")
    assert done == {number: -number for number in range(20) if number != 7}
    assert [items for _, items in hired[0].log].count((7,)) == scheduler.ATTEMPTS_OF_THE_LOST
    with pytest.raises(LostError, match="3 workers"):
        list(map_unordered(negated, range(20), RAY))


def test_what_failed_is_tried_once_more_on_another_worker(staff: Callable[..., list[Staff]]) -> None:
    hired, failed = staff(), Retry(failed=lambda result: result == "failed")
    done = dict(map_unordered(lambda item: "failed" if item == 3 else item, range(20), RAY, failed))
    assert done[3] == "failed"
    first, second = (worker for worker, items in hired[0].log if items == (3,))
    assert first != second
    staff()
    local = [item for item, _ in map_unordered(lambda item: "failed", range(20), Workers(3), failed)]
    assert sorted(local) == list(range(20)), "on one machine once is enough"


def test_an_exception_ends_everything_and_the_pool_is_told(staff: Callable[..., list[Staff]]) -> None:
    hired = staff()

    def function(item: int) -> int:
        if item == 10:
            raise VQCError("no")
        return item

    with pytest.raises(VQCError, match="no"):
        list(map_unordered(function, range(1000), RAY))
    assert hired[0].left_by == "VQCError"
    assert len(hired[0].log) < 20
    results = map_unordered(function, range(5), RAY)
    next(results)
    results.close()  # type: ignore[attr-defined]  # as when whoever reads them is interrupted
    assert hired[1].left_by == "GeneratorExit"


def test_workers_that_come_late_are_waited_for(staff: Callable[..., list[Staff]]) -> None:
    hired = staff(count=1)
    assert list(map_unordered(negated, [1], RAY)) == [(0, -1)]
    assert hired[0].log == [(0, (1,))]
    assert list(map_unordered(negated, [], RAY)) == []
