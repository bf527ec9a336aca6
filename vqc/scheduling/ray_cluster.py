"""Workers in a Ray cluster: actors, each of which is given the function once and keeps what it loads, as a model.

driver: submit ─► actor: call ─► results       one task at a time for each actor that is up
        wait  ◄─┬─ a task is done
                ├─ an actor is up                which may take minutes where machines are started on demand
                └─ an actor is lost              its tasks are reported as lost, another is asked for
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from vqc import garbage
from vqc._distribution import install_command
from vqc._version import __version__
from vqc.errors import MissingPackageError, VQCError
from vqc.processors import available, threads_asked_for
from vqc.scheduling.actor import Actor, Raised
from vqc.scheduling.pool import Finished
from vqc.scheduling.workers import LOCAL, Workers

GRACE_SECONDS = 10.0  # for work to clean up after itself
LARGEST = 64  # items of a task, each of which costs the driver one or two milliseconds; where there are many items
STORE_BYTES = 2**27  # for objects of a local cluster: tasks and results are small
CONTROL = "control"  # calls in this group of an actor do not wait for the task in work
IN_VAIN = 4  # times as many actors as are wanted that may end before one has done anything


@dataclass(frozen=True, eq=False)
class _Worker:
    handle: Any
    number: int  # in the order that they were asked for


class RayActors:
    """A pool of actors; up to `LARGEST` items go to one at a time."""

    largest = LARGEST

    def __init__(self, function: Callable[[Any], Any], workers: Workers, count: int | None) -> None:
        self._threads = threads_asked_for() or 1
        self._ray, self._started = connect(workers, self._threads)
        self._idle = dict[int, _Worker]()  # by number
        self._coming = dict[Any, _Worker]()  # by the reference to what they will say when they are up
        self._busy = dict[Any, tuple[_Worker, int]]()  # with the ticket, by the reference to the results
        self._hired, self._vain = 0, 0
        try:
            cluster = int(self._ray.cluster_resources().get("CPU", 1)) // self._threads
            wanted = workers.jobs or max(1, cluster)
            self._wanted = wanted if count is None else min(wanted, count)
            self._function = self._ray.put(function)
            self._actor = self._ray.remote(
                num_cpus=self._threads, num_gpus=workers.gpus, max_restarts=0, concurrency_groups={CONTROL: 1}
            )(Actor)
            for _ in range(self._wanted):
                self._hire()
        except BaseException:
            self._leave()
            raise

    @property
    def room(self) -> int:
        """A task that waited at a busy actor would wait as long as what that is at, while others may be idle."""
        return len(self._idle)

    def can_avoid(self, worker: object) -> bool:
        """Whether others that are up are idle, or there are none."""
        return bool(self._idle.keys() - {worker}) or all(busy.number == worker for busy, _ in self._busy.values())

    def submit(self, ticket: int, items: Sequence[Any], avoid: object = None) -> None:
        """Give a task to an actor."""
        number = next((number for number in self._idle if number != avoid), avoid)
        assert isinstance(number, int)
        worker = self._idle.pop(number)
        self._busy[worker.handle.call.remote(tuple(items))] = worker, ticket

    def wait(self) -> Sequence[Finished]:
        """Wait until a task is done, or an actor comes up or is lost."""
        refs = [*self._busy, *self._coming]
        self._ray.wait(refs, num_returns=1)
        done, _ = self._ray.wait(refs, num_returns=len(refs), timeout=0)
        return [finished for ref in done if (finished := self._look_at(ref)) is not None]

    def _look_at(self, ref: Any) -> Finished | None:
        """What became of a task; None where an actor came up, or none will."""
        worker, ticket = self._busy.pop(ref) if ref in self._busy else (self._coming.pop(ref), None)
        try:
            result = self._ray.get(ref)
        except self._ray.exceptions.RayActorError as error:
            self._replace(error)
            return None if ticket is None else Finished(ticket, None, worker.number)
        except self._ray.exceptions.RayError as error:
            raise VQCError(f"the Ray cluster fails: {_short(error)}") from error
        if isinstance(result, Raised):
            raise result.error
        self._idle[worker.number] = worker
        if ticket is None:
            _check_version(result)
            return None
        self._vain = 0
        return Finished(ticket, result, worker.number)

    def __enter__(self) -> RayActors:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        try:
            if error is not None:
                self._stop()
            everybody = [*self._idle.values(), *self._coming.values(), *(worker for worker, _ in self._busy.values())]
            for worker in everybody:
                with suppress(Exception):
                    self._ray.kill(worker.handle)
        finally:
            self._leave()

    def _hire(self) -> None:
        """Ask for an actor; it has tasks as soon as it says that it is up."""
        self._hired += 1
        worker = _Worker(self._actor.remote(self._function, self._threads), self._hired)
        self._coming[worker.handle.version.remote()] = worker

    def _replace(self, error: Exception) -> None:
        """Ask for another actor in the place of one that is lost."""
        self._vain += 1
        if self._vain > IN_VAIN * self._wanted:
            raise VQCError(f"the workers of the Ray cluster end before they have done anything: {_short(error)}")
        self._hire()

    def _stop(self) -> None:
        """Let the actors end what they are at as Ctrl-C would."""
        with suppress(Exception):
            busy = [worker.handle for worker, _ in self._busy.values()]
            stopping = [handle.stop.options(concurrency_group=CONTROL).remote(GRACE_SECONDS) for handle in busy]
            if stopping:
                self._ray.wait(stopping, num_returns=len(stopping), timeout=GRACE_SECONDS)

    def _leave(self) -> None:
        if self._started:
            self._ray.shutdown()


def _import_ray() -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would tell its makers
    os.environ.setdefault("RAY_worker_niceness", "0")  # of a cluster that is started here: as processes of --jobs are
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
        import ray.exceptions
    except ImportError as error:
        raise MissingPackageError(
            f"--ray needs the package ray; install it with {install_command('ray')} ({error})"
        ) from error
    garbage.resume()  # the command postpones it until torch is loaded, which need not happen here
    return ray


def connect(workers: Workers, threads: int) -> tuple[Any, bool]:
    """Connect with the cluster, or start one; return Ray, and whether this was not done before.

    Raises:
        MissingPackageError: Ray is not installed.
        VQCError: the cluster cannot be reached.
    """
    ray = _import_ray()
    if ray.is_initialized():
        return ray, False
    local: dict[str, Any] = {}
    if workers.ray == LOCAL:
        count = max((workers.jobs or 1) * threads, available())
        local = {"num_cpus": count, "object_store_memory": STORE_BYTES, "include_dashboard": False}
    with _handlers_kept():
        try:
            ray.init(address=workers.ray, log_to_driver=False, logging_level=logging.ERROR, **local)
        except (ConnectionError, RuntimeError, ValueError, TimeoutError, AssertionError) as error:
            raise VQCError(f"--ray {workers.ray}: this cluster cannot be reached: {_short(error)}") from error
    ray._private.worker.print_to_stdstream = _say_nothing  # about lost workers it would, on standard output
    return ray, True


def _say_nothing(*_: object, **__: object) -> None:
    """Stand in for what prints messages of the cluster, which Ray has no switch for."""


@contextmanager
def _handlers_kept() -> Iterator[None]:
    """Ray has a SIGTERM handler of its own, which would end this process without cleaning up."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [signal.SIGINT, signal.SIGTERM] + ([] if sys.platform == "win32" else [signal.SIGHUP])
    before = {number: signal.getsignal(number) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _check_version(version: str) -> None:
    if version != __version__:
        raise VQCError(f"a worker of the Ray cluster has vqc {version} and this is {__version__}; install the same")


def _short(error: BaseException) -> str:
    """The last line of what Ray says, which is often a page."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
