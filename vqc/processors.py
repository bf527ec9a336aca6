"""Processors that this process may use, and how torch's threads use them.

torch computes with the threads of an OpenMP runtime, which reads its settings from the environment once, when it is
loaded: what is decided here is decided before.
"""

from __future__ import annotations

import ctypes
import math
import os
import sys
from contextlib import suppress
from pathlib import Path

from vqc.errors import OptionError

# Any of these says how threads are to wait; then it is not for us to say.
WAITING = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME", "KMP_LIBRARY")
JOB_BYTES = 10**9  # that a worker process takes: torch, a model and a photo
COUNTS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")

_ARENA_MAX = -8  # the number of this setting for `mallopt`

_chosen: int | None = None  # by `set_threads`


def available() -> int:
    """Processors that this process may use: those of its affinity, of them as many as its container pays for."""
    quota = _quota()
    return _affinity() if quota is None else max(1, min(_affinity(), math.ceil(quota)))


def jobs() -> int:
    """Return how many files to work on at the same time: one for each processor, as far as the memory reaches."""
    if not hasattr(os, "sysconf") or "SC_PHYS_PAGES" not in os.sysconf_names:
        return available()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(1, min(available(), memory // JOB_BYTES))


def threads() -> int:
    """Return how many threads to start for work that is not torch's: those asked for, else one for each processor."""
    return _chosen or available()


def threads_asked_for() -> int | None:
    """Return how many threads were asked for by `set_threads`; None: none were."""
    return _chosen


def set_threads(count: int) -> None:
    """Compute on `count` CPU threads from now on, in this process and in worker processes that it starts.

    Without it there are as many as torch chooses. It may be called before torch is loaded and at any time after.

    Raises:
        OptionError: count is not a whole number above 0.
    """
    global _chosen
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise OptionError(f"{count} threads cannot be; give a whole number, 1 or more")
    _chosen = count
    os.environ.update(dict.fromkeys(COUNTS, str(count)))
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(count)


def share(workers: int) -> int:
    """Threads for each of several worker processes: all of them together take what is there, or was asked for.

    The variables of the runtimes speak of one process, and so of each of them.
    """
    said = next((os.environ[name].partition(",")[0] for name in COUNTS if name in os.environ), "")
    if _chosen is None and said.isdecimal() and int(said) > 0:
        return int(said)
    return max(1, threads() // workers)


def prepare() -> None:
    """Settings of the command, before torch is loaded; those of the user come first.

    Threads of GNU's OpenMP, which torch brings along on Linux, spin for milliseconds while they wait for each other.
    Beside other busy processes they wait for one that does not run, and all the others burn its time: to sleep at once
    costs a few per cent on a quiet machine and wins a factor of three on a busy one. The runtimes of LLVM and Intel
    (macOS, Windows) are told by KMP_BLOCKTIME, which is left as it is.
    """
    if not any(name in os.environ for name in WAITING):
        os.environ["GOMP_SPINCOUNT"] = "0"
    if available() < _affinity():  # which is all that OpenMP looks at
        os.environ.setdefault("OMP_NUM_THREADS", str(available()))
    if "MALLOC_ARENA_MAX" not in os.environ:
        _share_heap()


def _share_heap() -> None:
    """Let all threads have one heap: GNU's library gives each its own, with gaps of 100 MB by the tiles of a photo."""
    with suppress(OSError, AttributeError, TypeError):  # another library
        ctypes.CDLL(None).mallopt(_ARENA_MAX, 1)


def give_back_memory() -> None:
    """Let the system have what lies in gaps of the heap: after work whose pieces do not fit what comes next."""
    with suppress(OSError, AttributeError, TypeError):  # another library than GNU's
        ctypes.CDLL(None).malloc_trim(0)


def _affinity() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _quota(groups: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")) -> float | None:
    """Processors' worth of time that the control groups of this process have, version 1 or 2; None for no limit."""
    try:
        lines = own.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return None
    found = []
    for line in lines:  # 0::/path of version 2, 4:cpu,cpuacct:/path of version 1
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        if controllers and "cpu" not in controllers.split(","):
            continue
        for top in (groups, groups / "unified") if not controllers else (groups / controllers, groups / "cpu"):
            place = top / path.lstrip("/")
            for folder in (place, *place.parents):  # a group has no more than those above it
                if folder == groups.parent:
                    break
                found.append(_limit_of(folder))
    limits = [limit for limit in found if limit is not None]
    return min(limits, default=None)


def _limit_of(folder: Path) -> float | None:
    """The limit of one group: cpu.max says "200000 100000" or "max 100000", version 1 has a file for each number."""
    try:
        quota, period = (folder / "cpu.max").read_text(encoding="ascii").split()
    except (OSError, ValueError):
        try:
            quota = (folder / "cpu.cfs_quota_us").read_text(encoding="ascii")
            period = (folder / "cpu.cfs_period_us").read_text(encoding="ascii")
        except (OSError, ValueError):
            return None
    try:
        time, of = int(quota), int(period)  # of microseconds; -1 or "max" for no limit
    except ValueError:
        return None
    return time / of if time > 0 and of > 0 else None
