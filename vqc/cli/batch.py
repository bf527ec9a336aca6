"""Many files through one function: one bad file does not stop the others, Ctrl-C stops them all and leaves nothing.

With more than one worker the files go to processes, which share nothing and can be interrupted at any time. They are
started with Ctrl-C ignored and listen to it only while at work, so that none of them prints a traceback. Of a terminal
that is closed (SIGHUP) the parent tells them; when the parent is gone they end by themselves.
"""

from __future__ import annotations

import os
import re
import signal
import sys
import warnings as filters
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from vqc.cli.console import problem_with, warnings_to
from vqc.cli.plan import Job, Plan
from vqc.cli.progress import ProgressBar
from vqc.cli.standard_streams import writable
from vqc.errors import MediaWarning, ModelWarning, VQCError
from vqc.processors import set_threads, share

if TYPE_CHECKING:
    from multiprocessing.synchronize import Event

    from vqc.codec.api import Report

    Progress = Callable[[float], None]
    Work = Callable[[Job, Path, Progress | None], Report]


OUT_OF_MEMORY = re.compile("out of memory|allocate memory")  # torch has no exception of its own for it on a CPU
stop_event: Event | None = None  # in a worker process: set when the others are to stop as well
at_work = False  # in a worker process: whether it is at a file


@dataclass(frozen=True)
class Outcome:
    """What became of one file: a report, or why there is none; and warnings on the way."""

    name: str
    target: str
    report: Report | None = None
    problem: str = ""
    exit_code: int = 0
    skipped: bool = False  # the result was there
    warnings: tuple[str, ...] = ()

    @classmethod
    def failure(cls, name: str, error: BaseException, target: str = "", path: Path | None = None) -> Outcome:
        """The outcome of an error. Messages call the file by `name` where they said `path`."""
        problem = problem_with(name if path is None else str(path), error)
        if path is not None:
            problem = problem.replace(str(path), name)
        return cls(name, target, problem=problem, exit_code=error.exit_code if isinstance(error, VQCError) else 1)


def run_plan(plan: Plan, work: Work, label: str, *, workers: int, quiet: bool) -> list[Outcome]:
    """Does every job of the plan, in the order of the plan; problems are printed on stderr as they come.

    `work(job, target, progress)` writes the target of the job, or another file where that is a stream. It must be
    picklable when `workers` > 1, and then has nobody to tell its progress to.
    """
    from vqc.partials import sweep_once

    for folder in {path.parent for job in plan.jobs + plan.skipped for path in job.results}:
        sweep_once(folder)
    with ProgressBar(label, len(plan.jobs), quiet=quiet) as progress:
        outcomes = [Outcome.failure(name, error) for name, error in plan.failures]
        for outcome in outcomes:
            progress.warn(outcome.problem)
        jobs = plan.jobs
        made = make_folders(jobs)
        try:
            runner = run(jobs, work, workers, progress)
            done = dict[int, Outcome]()
            for index, outcome in runner:
                done[index] = outcome
                progress.advance(f"{outcome.name} -> {outcome.target}" if outcome.report else "")
                for warning in () if quiet else outcome.warnings:
                    progress.warn(warning)
                if outcome.problem:
                    progress.warn(outcome.problem)
        finally:
            for folder in reversed(made):
                remove_if_empty(folder)
    outcomes += [Outcome(job.source.name, job.output, skipped=True) for job in plan.skipped]
    return outcomes + [done[index] for index in range(len(jobs))]


def run(jobs: Sequence[Job], work: Work, workers: int, progress: ProgressBar) -> Iterator[tuple[int, Outcome]]:
    """One job after the other in this process, or several at a time in others."""
    if min(workers, len(jobs)) > 1:
        yield from run_in_processes(jobs, work, workers)
        return
    for index, job in enumerate(jobs):
        progress.begin(job.source.path.name if not job.source.streamed else job.source.name)
        yield index, attempt(job, work, progress.part)


def run_in_processes(jobs: Sequence[Job], work: Work, workers: int) -> Iterator[tuple[int, Outcome]]:
    """The jobs as they finish, `workers` at a time."""
    import multiprocessing
    from concurrent.futures import BrokenExecutor, ProcessPoolExecutor, as_completed

    from vqc.models.files.zoo import list_models

    list_models()  # names files in the model folder that are none, once: the workers do not
    workers = min(workers, len(jobs))
    context = multiprocessing.get_context("spawn")  # a fork would copy the locks of torch's threads
    with ExitStack() as stack:
        with deaf_children():
            stop = context.Event()
            given = (share(workers), stop)
            pool = stack.enter_context(
                ProcessPoolExecutor(workers, mp_context=context, initializer=begin_worker, initargs=given)
            )
            futures = {pool.submit(attempt_in_worker, job, work): index for index, job in enumerate(jobs)}
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        except BrokenExecutor as error:
            raise VQCError("a worker process was killed, perhaps for want of memory; try fewer --jobs") from error
        except BaseException:
            stop.set()  # before the signal: a worker either sees the one or gets the other
            for child in multiprocessing.active_children():
                if child.pid is not None and sys.platform != "win32":  # there the console tells all, and this kills
                    with suppress(ProcessLookupError):
                        os.kill(child.pid, signal.SIGINT)
            pool.shutdown(wait=True, cancel_futures=True)
            raise


@contextmanager
def deaf_children() -> Iterator[None]:
    """Processes that are started within inherit that Ctrl-C is ignored and the end of a terminal waits for ever."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform != "win32":
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if sys.platform != "win32":
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})


def begin_worker(threads: int, stop: Event) -> None:
    """Divides the cores among the worker processes."""
    from vqc.workers import end_with_parent

    global stop_event
    stop_event = stop
    filters.simplefilter("ignore", ModelWarning)
    set_threads(threads)
    end_with_parent(lambda: at_work)


def attempt_in_worker(job: Job, work: Work) -> Outcome:
    """`attempt`, where it can be interrupted."""
    from vqc.workers import is_orphan

    with listening():
        if is_orphan() or (stop_event is not None and stop_event.is_set()):
            raise KeyboardInterrupt
        return attempt(job, work)


@contextmanager
def listening() -> Iterator[None]:
    """Lets the first Ctrl-C or SIGTERM interrupt a worker that may have something to clean up; SIGTERM then ends it."""
    global at_work
    received: list[int] = []

    def interrupted(signal_number: int, _frame: object) -> None:
        received.append(signal_number)
        if len(received) == 1:
            raise KeyboardInterrupt

    at_work = True
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupted)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        at_work = False
        if signal.SIGTERM in received:
            os._exit(128 + signal.SIGTERM)  # by an exit the pool would only learn that this file has failed


def attempt(job: Job, work: Work, progress: Progress | None = None) -> Outcome:
    """Does one job, and keeps what is to be warned of. What a user can cause becomes the outcome's problem."""
    warnings = list[str]()
    with warnings_to(warnings.append, MediaWarning):
        outcome = outcome_of(job, work, progress)
    named = (text.replace(str(job.source.path), job.source.name) for text in warnings)
    return replace(outcome, warnings=tuple(named))


def outcome_of(job: Job, work: Work, progress: Progress | None) -> Outcome:
    """Does one job."""
    name, target = job.source.name, job.output
    try:
        with writable(job) as path:
            return Outcome(name, target, work(job, path, progress))
    except BrokenPipeError:
        raise
    except (VQCError, OSError, MemoryError) as error:
        return Outcome.failure(name, error, target, job.source.path)
    except RuntimeError as error:
        if not OUT_OF_MEMORY.search(str(error)):
            raise
        return Outcome.failure(name, MemoryError(), target, job.source.path)


def make_folders(jobs: Sequence[Job]) -> list[Path]:
    """Makes the folders that the results go to; returns the new ones, the outermost first."""
    made: list[Path] = []
    for folder in sorted({job.target.parent for job in jobs if job.target is not None}):
        missing = [parent for parent in (folder, *folder.parents) if not parent.exists()]
        for parent in reversed(missing):
            parent.mkdir(exist_ok=True)
            made.append(parent)
    return made


def remove_if_empty(folder: Path) -> None:
    """Takes a folder away again into which nothing was written."""
    if not any(folder.iterdir()):
        folder.rmdir()
