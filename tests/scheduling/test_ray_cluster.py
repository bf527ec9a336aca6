"""A real cluster, of this machine: what an actor does when it is killed, stopped, or of another version."""

from __future__ import annotations

import os
import signal
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from golden.cases import FOLDER
from PIL import Image

from vqc.errors import MediaError
from vqc.scheduling import actor
from vqc.scheduling.scheduler import Retry, map_ordered, map_unordered
from vqc.scheduling.workers import LOCAL, Workers

if TYPE_CHECKING:
    from tests.cli.conftest import Run

TWO = Workers(2, LOCAL)


@pytest.fixture(scope="module", autouse=True)
def _cluster() -> Iterator[None]:
    """One for all tests: it takes seconds to start."""
    pytest.importorskip("ray", reason="the extra ray is not installed")  # here, as other processes need not import it
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Ray's own
        from vqc.scheduling import ray_cluster

        ray, _ = ray_cluster.connect(TWO, threads=1)
        yield
        ray.shutdown()


def test_a_killed_worker_loses_nothing(tmp_path: Path) -> None:
    def work(item: int) -> tuple[int, int]:
        marker = tmp_path / "killed"
        if item == 5 and not marker.exists():
            marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return item, os.getpid()

    results = list(map_ordered(work, iter(range(40)), TWO))
    assert [item for item, _ in results] == list(range(40))
    assert (tmp_path / "killed").exists()
    assert os.getpid() not in {process for _, process in results}


def test_nothing_but_results_goes_to_standard_output(capfd: pytest.CaptureFixture[str]) -> None:
    import ray

    said = {"lines": ["A worker died"], "pid": "raylet", "is_err": False}  # as Ray tells of it, some time after
    ray._private.worker.print_to_stdstream(said, ignore_prefix=False)
    assert capfd.readouterr().out == ""


def test_what_failed_is_done_by_another_worker(tmp_path: Path) -> None:
    def work(item: int) -> str:
        (tmp_path / str(os.getpid())).touch()
        while item == 1 and len(list(tmp_path.iterdir())) < 2:  # until both are up
            time.sleep(0.01)
        first = tmp_path / "first"
        if item == 3 and not first.exists():
            first.write_text(str(os.getpid()))
            return "failed"
        return "done" if item != 3 or first.read_text() != str(os.getpid()) else "failed again"

    results = map_unordered(work, range(8), TWO, Retry(failed=lambda result: result == "failed"))
    assert {result for _, result in results} == {"done"}


def test_errors_come_as_they_are_and_work_cleans_up(tmp_path: Path) -> None:
    def work(item: int) -> None:
        if item:
            while not (tmp_path / "half").exists():
                time.sleep(0.01)
            raise MediaError("no")
        (tmp_path / "half").touch()
        try:
            while True:
                time.sleep(0.01)
        finally:
            (tmp_path / "half").unlink()

    with pytest.raises(MediaError) as raised:
        list(map_unordered(work, range(2), TWO))
    assert str(raised.value) == "no"
    assert list(tmp_path.iterdir()) == []


def test_an_actor_that_was_stopped_begins_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actor, "set_threads", lambda count: None)
    worker, begun = actor.Actor(lambda item: begun.append(item), threads=1), list[int]()
    assert worker.call([1]) == [None]
    worker.stop(0.1)
    stopped = worker.call([2])
    assert isinstance(stopped, actor.Raised)
    assert isinstance(stopped.error, KeyboardInterrupt)
    assert begun == [1]


def test_files_are_the_same_by_whoever_they_are_made(run: Run, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for number in range(6):
        pixels = np.random.default_rng(number).integers(0, 256, (20, 30, 3), np.uint8)
        Image.fromarray(pixels).save(photos / f"{number}.png")
    made = list[dict[str, bytes]]()
    for how in ((), ("--ray=local", "--jobs=1")):
        out = tmp_path / f"{len(made)}"
        result = run("compress", photos, "-o", f"{out}/", "-m", FOLDER / "image-prior.safetensors", "--quiet", *how)
        assert (result.code, result.err) == (0, "")
        made.append({path.name: path.read_bytes() for path in out.iterdir()})
    assert made[0] == made[1]
    assert len(made[0]) == 6
