"""Common part of compress, decompress and convert: a file of each file that is named, or found in a folder."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vqc.cli.batch import run_plan
from vqc.cli.collection import convert_collection, is_collection
from vqc.cli.file_reports import report_outcomes
from vqc.cli.options import ForceOption, InputsArgument, SkipOption, UpdateOption, WorkOptions
from vqc.cli.outputs import check_output
from vqc.cli.plan import existing_policy, make_plan
from vqc.cli.standard_streams import LIVE_INPUT, check_streams, standard_input

if TYPE_CHECKING:
    from vqc.cli.collection import FileWork
    from vqc.cli.plan import Conversion, Existing


@dataclass(frozen=True, kw_only=True)
class FileOptions(WorkOptions):
    """The options of all three commands."""

    inputs: InputsArgument
    output: str | None = None
    force: ForceOption = False
    skip_existing: SkipOption = False
    update: UpdateOption = False

    @property
    def existing(self) -> Existing:
        """Policy for results that are there already."""
        return existing_policy(force=self.force, skip=self.skip_existing, update=self.update)


def check_options(options: FileOptions, suffixes: Iterable[str], only: str | None = None) -> None:
    """Raise OptionError or OutputError for what excludes each other; the suffixes are as for `check_output`."""
    check_streams(options.inputs, options.output, as_json=options.json)
    check_output(options.output, options.inputs, suffixes, only=only)


def make_files(
    options: FileOptions,
    wanted: Conversion,
    work: FileWork,
    label: str,
    notes: Callable[[], Iterable[str]] = tuple,
    report: Callable[..., None] = report_outcomes,
    *,
    each: str = "",
    live: bool = False,
    begin: bytes = b"",
) -> None:
    """Make the files, tell of them, and end the command.

    Args:
        notes: are asked for once all names are known.
        report: tells of the outcomes.
        each: the option that asks for something of each file, so that they cannot just be counted.
        live: the work reads standard input itself.
        begin: what was read of standard input before.
    """
    existing = options.existing  # an error is told before anything is read
    if is_collection(options.inputs, options.output, options.workers, each):
        convert_collection(
            options.inputs[0], options.output, wanted, work, label,
            existing=existing, workers=options.workers, as_json=options.json, quiet=options.quiet,
        )  # fmt: skip
        return
    with nullcontext(LIVE_INPUT) if live else standard_input(options.inputs, begin) as stdin:
        plan = make_plan(options.inputs, options.output, wanted, stdin=stdin, existing=existing)
        plan.notes += notes()
        outcomes = run_plan(plan, work, label, workers=options.workers, quiet=options.quiet)
        report(outcomes, plan.notes, as_json=options.json, quiet=options.quiet)
