"""Programs of their own without the seconds that torch takes to load: forked from a process that has loaded it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO

PATIENCE_SECONDS = 120.0  # a busy machine is slow
FORKS = multiprocessing.get_context("forkserver")
# torch._dynamo: the first optimizer of a process loads it, which takes a second.
FORKS.set_forkserver_preload(["vqc.archive.create", "vqc.training.train", "torch._dynamo", "ray"])


class Program:
    """A process with pipes for its standard files and a session of its own, as `subprocess` would start it.

    Args:
        work: what it does, a function of a module, called with `arguments`.
        folder: its current folder.
        environment: variables beside those of this process.
        stdin: the output of another, which it alone reads then.
    """

    def __init__(
        self,
        work: Callable[..., object],
        *arguments: object,
        folder: Path,
        environment: Mapping[str, str] = MappingProxyType({}),
        stdin: BinaryIO | None = None,
    ) -> None:
        (read_in, write_in), (read_out, write_out), (read_err, write_err) = (FORKS.Pipe(duplex=False) for _ in range(3))
        theirs = [read_in if stdin is None else Connection(os.dup(stdin.fileno())), write_out, write_err]
        self.process = FORKS.Process(target=_run, args=(theirs, folder, os.environ | environment, work, arguments))
        self.process.start()
        self.stdin = os.fdopen(os.dup(write_in.fileno()), "wb")
        self.stdout, self.stderr = (os.fdopen(os.dup(end.fileno()), "rb") for end in (read_out, read_err))
        for end in (read_in, write_in, read_out, read_err, *theirs, *([] if stdin is None else [stdin])):
            end.close()
        assert self.process.pid is not None
        self.pid = self.process.pid

    def send_signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def ended(self) -> tuple[int | None, bytes, bytes]:
        """Its exit code once it has ended, and what is left in its pipes, which hold 64 KiB; killed if it does not."""
        self.stdin.close()
        self.process.join(PATIENCE_SECONDS)
        self.process.kill()
        self.process.join()
        left = [b"" if pipe.closed else pipe.read() for pipe in (self.stdout, self.stderr)]
        self.stdout.close()
        self.stderr.close()
        return self.process.exitcode, left[0], left[1]


def _run(
    ends: Sequence[Connection],
    folder: Path,
    environment: Mapping[str, str],
    work: Callable[..., object],
    arguments: Sequence[object],
) -> None:
    for number, end in enumerate(ends):
        os.dup2(end.fileno(), number)
        end.close()
    sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w")  # noqa: SIM115
    os.setsid()
    os.environ.clear()
    os.environ.update(environment)
    tempfile.tempdir = None  # what was loaded may have asked before TMPDIR was this one
    os.chdir(folder)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # programs in the background are started without
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    work(*arguments)


def take_environment(variables: Mapping[str, str], worker: int) -> None:
    """Have these variables in a worker of a `DataLoader`: the server that it is forked from may have others."""
    os.environ.update(variables)


def command(*arguments: str | Path) -> None:
    """Run the command, as the work of such a program."""
    from vqc.cli.app import main

    sys.argv = ["vqc", *map(str, arguments)]
    main()


def command_with_nohup(*arguments: str | Path) -> None:
    """Run the command where nohup has said that it should outlive its terminal."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    command(*arguments)
