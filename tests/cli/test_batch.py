"""Many files through one function."""

from __future__ import annotations

import json
import pickle
import shutil
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import typer

from vqc.cli.batch import run_plan
from vqc.cli.compress import CompressFile, CompressOptions
from vqc.cli.decompress import DecompressFile, DecompressOptions
from vqc.cli.file_reports import report_outcomes
from vqc.cli.inputs import InputFile
from vqc.cli.plan import Job, Plan
from vqc.codec.rate import Rate
from vqc.errors import MediaError, MediaWarning, OptionError, VQCError

if TYPE_CHECKING:
    from tests.cli.conftest import Run


def copy(job: Job, target: Path, progress: Any) -> Any:
    """Copies; the result stands for a report."""
    shutil.copyfile(job.source.path, target)
    return SimpleNamespace(damage=())


def make_jobs(folder: Path, names: list[str]) -> list[Job]:
    """Jobs from `folder/NAME` to `folder/out/NAME`; the sources are there unless they are called `missing`."""
    for name in names:
        if name != "missing":
            (folder / name).write_text(name)
    return [Job(InputFile(folder / name, Path(name), name), folder / "out" / name, "") for name in names]


@pytest.mark.parametrize("workers", [1, 2])
def test_one_bad_file_does_not_stop_the_others(
    tmp_path: Path, workers: int, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = Plan(make_jobs(tmp_path, ["a", "missing", "b"]), [("early", MediaError("was known before"))])
    outcomes = run_plan(plan, copy, "Copying", workers=workers, quiet=False)
    assert [(outcome.name, bool(outcome.problem)) for outcome in outcomes] == [
        ("early", True),
        ("a", False),
        ("missing", True),
        ("b", False),
    ]
    assert [path.read_text() for path in sorted((tmp_path / "out").iterdir())] == ["a", "b"]
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == ["vqc: early: was known before", "vqc: missing: No such file or directory"]


def test_worker_processes_are_given_the_same_work() -> None:
    compress = CompressFile(CompressOptions(inputs=["a"], explain=True, entropy="static"), Rate(effort=2))
    decompress = DecompressFile(DecompressOptions(inputs=["a"], sharp=True))
    assert [pickle.loads(pickle.dumps(work)) for work in (compress, decompress)] == [compress, decompress]  # noqa: S301


def test_folders_that_stay_empty_are_taken_away_again(tmp_path: Path) -> None:
    run_plan(Plan(make_jobs(tmp_path, ["missing"])), copy, "Copying", workers=1, quiet=True)
    assert list(tmp_path.iterdir()) == []


def test_an_interruption_stops_everything_and_leaves_no_folder(tmp_path: Path) -> None:
    def interrupted(job: Job, target: Path, progress: Any) -> Any:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_plan(Plan(make_jobs(tmp_path, ["a", "b"])), interrupted, "Copying", workers=1, quiet=True)
    assert not (tmp_path / "out").exists()


def copy_with_doubts(job: Job, target: Path, progress: Any) -> Any:
    """As `copy`, and warns of it twice, as of a file that is read again."""
    for _ in range(2):
        warnings.warn(MediaWarning(f"{job.source.path}: is odd."), stacklevel=1)
    return copy(job, target, progress)


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("quiet", [False, True])
def test_each_warning_is_a_line_on_stderr_and_nothing_with_quiet(
    tmp_path: Path, workers: int, quiet: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = Plan(make_jobs(tmp_path, ["a", "b"]))
    outcomes = run_plan(plan, copy_with_doubts, "Copying", workers=workers, quiet=quiet)
    out, err = capsys.readouterr()
    assert out == ""
    assert sorted(err.splitlines()) == ([] if quiet else ["vqc: a: is odd", "vqc: b: is odd"])
    assert [(outcome.problem, outcome.warnings) for outcome in outcomes] == [("", ("a: is odd",)), ("", ("b: is odd",))]


def test_json_holds_the_warnings_of_a_file_that_failed_in_the_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outcomes = run_plan(Plan(make_jobs(tmp_path, ["missing"])), copy_with_doubts, "", workers=1, quiet=True)
    with pytest.raises(typer.Exit):
        report_outcomes(outcomes, as_json=True, quiet=True)
    assert json.loads(capsys.readouterr().out) == [
        {"input": "missing", "error": "missing: No such file or directory", "warnings": ["missing: is odd"]}
    ]


def test_other_warnings_stay_what_they_are(tmp_path: Path) -> None:
    def work(job: Job, target: Path, progress: Any) -> Any:
        warnings.warn("this is ours to mend", RuntimeWarning, stacklevel=1)
        return copy(job, target, progress)

    with pytest.warns(RuntimeWarning, match="ours to mend"):
        outcomes = run_plan(Plan(make_jobs(tmp_path, ["a"])), work, "", workers=1, quiet=True)
    assert not outcomes[0].warnings


@pytest.mark.parametrize(("errors", "code"), [([], 0), ([OptionError], 2), ([MediaError, OptionError], 1)])
def test_the_exit_code_tells_wrong_options_from_what_could_not_be_done(
    tmp_path: Path, errors: list[type[VQCError]], code: int
) -> None:
    failing = iter(errors)

    def work(job: Job, target: Path, progress: Any) -> Any:
        raise next(failing)("no")

    outcomes = run_plan(Plan(make_jobs(tmp_path, ["a", "b"][: len(errors)])), work, "", workers=1, quiet=True)
    if code == 0:
        report_outcomes(outcomes, as_json=False, quiet=True)
    else:
        with pytest.raises(typer.Exit) as exit_info:
            report_outcomes(outcomes, as_json=False, quiet=True)
        assert exit_info.value.exit_code == code


def test_nothing_reaches_standard_output_when_the_work_fails(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    def half(job: Job, target: Path, progress: Any) -> Any:
        target.write_bytes(b"half a file")
        raise MediaError("cut short")

    job = Job(InputFile(tmp_path / "copy", Path("stdin"), "standard input", streamed=True), None, ".vqc")
    (outcome,) = run_plan(Plan([job]), half, "Copying", workers=1, quiet=True)
    assert outcome.problem == "standard input: cut short"
    assert capfdbinary.readouterr().out == b""


def test_torch_out_of_memory_is_told_in_a_sentence(tmp_path: Path) -> None:
    def work(job: Job, target: Path, progress: Any) -> Any:
        raise RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory: ...")

    (outcome,) = run_plan(Plan(make_jobs(tmp_path, ["a"])), work, "", workers=1, quiet=True)
    assert outcome.problem.startswith("a: not enough memory")


def test_a_bad_file_in_the_model_folder_is_named_once_and_stops_nothing(
    run: Run, desk: Path, small_models: Path
) -> None:
    strange = small_models / "\x1b[31mstrange.safetensors"
    strange.write_bytes(b"not a model")
    try:
        Path("two.png").write_bytes(Path("photo.png").read_bytes())
        made = run("compress", "-m", "tiny-image", "photo.png", "two.png")
        restored = run("decompress", "photo.vqc", "two.vqc", "-o", "restored/")
        quiet = run("decompress", "photo.vqc", "-o", "quiet.png", "--quiet")
    finally:
        strange.unlink()
    for result in (made, restored):
        assert result.code == 0
        assert result.err.count("left out of the models") == 1
        assert r"\x1b[31mstrange.safetensors" in result.err
        assert "\x1b[31m" not in result.err
    assert (quiet.code, quiet.err) == (0, "")
    assert len(list(Path("restored").iterdir())) == 2
