"""Many files through one function: one bad file does not stop the others, Ctrl-C stops them all and leaves nothing."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vqc.cli.console import problem_with, sentence
from vqc.cli.plan import Job, Plan
from vqc.cli.progress import ProgressBar
from vqc.cli.standard_streams import writable
from vqc.errors import MediaWarning, VQCError, warnings_to
from vqc.scheduling.workers import Workers

if TYPE_CHECKING:
    from vqc.codec.api import Report
    from vqc.codec.progress import Progress
    from vqc.scheduling.scheduler import Retry

    Work = Callable[[Job, Any, Progress | None], Report]  # of a job, its path or open stream, and who hears of progress


OUT_OF_MEMORY = re.compile("out of memory|allocate memory")  # torch has no exception of its own for it on a CPU


@dataclass(frozen=True)
class Outcome:
    """Outcome of one file: a report, or why there is none; and warnings on the way."""

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


def run_plan(plan: Plan, work: Work, label: str, *, workers: Workers | int, quiet: bool) -> list[Outcome]:
    """Do every job of the plan, in the order of the plan; problems are printed on stderr as they come.

    `work(job, target, progress)` writes the target of the job, or another file where that is a stream. It must be
    picklable with more than one worker, and then has nobody to tell its progress to.
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


def run(
    jobs: Sequence[Job], work: Work, workers: Workers | int, progress: ProgressBar
) -> Iterator[tuple[int, Outcome]]:
    """Do one job after the other in this process, or several at a time in others."""
    workers = workers if isinstance(workers, Workers) else Workers(workers)
    if workers.ray is not None or min(workers.jobs or 1, len(jobs)) > 1:
        from vqc.models.files.zoo import list_models
        from vqc.scheduling.scheduler import map_unordered

        list_models()  # names files in the model folder that are none, once: the workers do not
        yield from map_unordered(partial(run_job, work=work), jobs, workers, retries())
        return
    for index, job in enumerate(jobs):
        progress.begin(job.source.path.name if not job.source.streamed else job.source.name)
        yield index, run_job(job, work, progress.part)


def retries() -> Retry:
    """What is done again: what was lost and, where other machines may do better, what failed."""
    from vqc.scheduling.scheduler import Retry

    def lost(job: Job, error: VQCError) -> Outcome:
        return Outcome.failure(job.source.name, error, job.output)

    return Retry(failed=is_worth_another_try, afresh=partial(replace, replace=True), lost=lost)


def is_worth_another_try(outcome: Outcome) -> bool:
    """Return whether an outcome is a failure, but of no option."""
    return outcome.report is None and bool(outcome.problem) and outcome.exit_code == 1


def run_job(job: Job, work: Work, progress: Progress | None = None) -> Outcome:
    """Do one job, and keeps what is to be warned of. What a user can cause becomes the outcome's problem."""
    warnings = list[str]()
    with warnings_to(lambda warning: warnings.append(sentence(warning)), MediaWarning):
        outcome = try_job(job, work, progress)
    named = (text.replace(str(job.source.path), job.source.name) for text in warnings)
    return replace(outcome, warnings=tuple(named))


def try_job(job: Job, work: Work, progress: Progress | None) -> Outcome:
    """Does one job."""
    name, target = job.source.name, job.output
    try:
        with writable(job, live=getattr(work, "is_live", False)) as path:
            report = work(job, path, progress)
        keep_time(job)
        problem = f"{name}: is damaged; what was not restored: {', '.join(report.damage)}" if report.damage else ""
        return Outcome(name, target, report, problem=problem, exit_code=int(bool(problem)))
    except BrokenPipeError:
        raise
    except (VQCError, OSError, MemoryError) as error:
        return Outcome.failure(name, error, target, job.source.path)
    except RuntimeError as error:
        if not OUT_OF_MEMORY.search(str(error)):
            raise
        return Outcome.failure(name, MemoryError(), target, job.source.path)


def keep_time(job: Job) -> None:
    """Give the result the time at which its source was changed, as gzip does; not where there is none to give."""
    if job.target is None or job.source.streamed or not job.target.is_file():
        return
    times = job.source.path.stat()
    with suppress(OSError):  # a file system that keeps no times
        os.utime(job.target, ns=(times.st_atime_ns, times.st_mtime_ns))


def make_folders(jobs: Sequence[Job]) -> list[Path]:
    """Make the folders that the results go to; returns the new ones, the outermost first."""
    made: list[Path] = []
    for folder in sorted({job.target.parent for job in jobs if job.target is not None}):
        missing = [parent for parent in (folder, *folder.parents) if not parent.exists()]
        for parent in reversed(missing):
            parent.mkdir(exist_ok=True)
            made.append(parent)
    return made


def remove_if_empty(folder: Path) -> None:
    """Take a folder away again into which nothing was written."""
    if not any(folder.iterdir()):
        folder.rmdir()
