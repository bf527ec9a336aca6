"""What is read and what is written is settled before any work."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from vqc.cli.inputs import InputFile
from vqc.cli.outputs import Naming
from vqc.cli.plan import Conversion, Existing, Plan, existing_policy, make_plan
from vqc.errors import MediaError, OptionError, OutputError

SUFFIXES = frozenset({".png", ".jpg", ".wav"})


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with pictures at two depths, a hidden file, a text file and a lone clip beside it; we stand in it."""
    for name in ("photos/a.png", "photos/sub/b.JPG", "photos/.hidden/c.png", "photos/.d.png", "photos/notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "clip.wav").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def plan(
    inputs: Iterable[str],
    output: str | None = None,
    *,
    force: bool = False,
    existing: Existing = "refuse",
    stdin: Path | None = None,
    suffix_of: Callable[[InputFile], str] = lambda _: ".vqc",
) -> Plan:
    wanted = Conversion(suffixes=SUFFIXES, sought="pictures", suffix_of=suffix_of, naming=Naming(SUFFIXES))
    return make_plan(list(inputs), output, wanted, stdin=stdin, existing="replace" if force else existing)


def pairs(result: Plan) -> list[tuple[str, str | None]]:
    return [(job.source.name, job.target and str(job.target)) for job in result.jobs]


def test_a_file_goes_beside_itself_and_folders_keep_their_tree(tree: Path) -> None:
    assert pairs(plan(["clip.wav"])) == [("clip.wav", "clip.vqc")]
    assert pairs(plan(["clip.wav"], "x.bin")) == [("clip.wav", "x.bin")]
    assert pairs(plan(["clip.wav"], "photos")) == [("clip.wav", "photos/clip.vqc")]
    assert pairs(plan(["clip.wav"], "new/")) == [("clip.wav", "new/clip.vqc")]
    assert pairs(plan(["photos"])) == [
        ("photos/a.png", "photos/a.vqc"),
        ("photos/sub/b.JPG", "photos/sub/b.vqc"),
    ]
    assert pairs(plan(["photos", "clip.wav"], "out")) == [
        ("photos/a.png", "out/a.vqc"),
        ("photos/sub/b.JPG", "out/sub/b.vqc"),
        ("clip.wav", "out/clip.vqc"),
    ]


def test_an_input_given_twice_is_done_once(tree: Path) -> None:
    assert pairs(plan(["photos", "photos/a.png", "./photos/a.png"], "out")) == pairs(plan(["photos"], "out"))


def test_standard_streams(tree: Path) -> None:
    stdin = tree / "copy"
    stdin.touch()
    assert pairs(plan(["-"], stdin=stdin)) == [("standard input", None)]
    assert pairs(plan(["-"], "x.vqc", stdin=stdin)) == [("standard input", "x.vqc")]
    assert pairs(plan(["clip.wav"], "-")) == [("clip.wav", None)]
    with pytest.raises(OptionError, match="only input"):
        plan(["-", "clip.wav"], stdin=stdin)
    with pytest.raises(OptionError, match="one file at a time"):
        plan(["photos"], "-")


def test_sources_whose_names_differ_in_the_suffix_alone_have_a_result_each(tree: Path) -> None:
    (tree / "photos/a.jpg").touch()
    result = plan(["photos"], "out")
    assert [target for _, target in pairs(result)] == ["out/a.jpg.vqc", "out/a.png.vqc", "out/sub/b.vqc"]
    assert result.notes[0] == "names that differ in the suffix alone are kept whole: out/a.jpg.vqc, out/a.png.vqc"
    assert pairs(plan(["photos/a.png"])) == [("photos/a.png", "photos/a.png.vqc")], "alone too: the next run is of both"
    assert not plan(["photos/a.png"], "out.png.vqc").notes
    assert not plan(["photos/a.png"], "a.png.vqc").notes, "who names the result needs no word about its name"
    (tree / "more").mkdir()
    (tree / "more/b.JPG").touch()
    alike = plan(["photos/sub/b.JPG", "more/b.JPG"], "out/")
    assert (pairs(alike), alike.notes) == ([("photos/sub/b.JPG", "out/b.vqc")], []), "whole names are alike as well"
    assert "out/b.vqc is the result of photos/sub/b.JPG" in str(alike.failures[0][1])
    (tree / "scan").touch()
    (tree / "scan.png").touch()
    assert pairs(plan(["scan", "scan.png"])) == [("scan", "scan.vqc"), ("scan.png", "scan.png.vqc")]


def test_of_two_sources_with_one_result_the_second_fails_and_the_rest_goes_on(tree: Path) -> None:
    (tree / "a.png").touch()
    result = plan(["photos/a.png", "a.png", "clip.wav"], "out")
    assert [target for _, target in pairs(result)] == ["out/a.vqc", "out/clip.vqc"]
    (failure,) = result.failures
    assert failure[0] == "a.png"
    assert "out/a.vqc is the result of photos/a.png" in str(failure[1])


def test_loops_of_links_are_no_outputs(tree: Path) -> None:
    (tree / "loop").symlink_to("loop")
    result = plan(["clip.wav"], "loop")
    assert "exists already" in str(result.failures[0][1])
    for output in ("loop/", "loop/x.vqc"):
        with pytest.raises(OutputError, match="not a folder"):
            plan(["clip.wav"], output)


@pytest.mark.parametrize("force", [False, True])
def test_a_result_never_replaces_an_input(tree: Path, force: bool) -> None:
    with pytest.raises(OutputError, match="replace this input"):
        plan(["clip.wav"], "./clip.wav", force=force)


def test_existing_results_are_refused_unless_forced(tree: Path) -> None:
    (tree / "clip.vqc").touch()
    result = plan(["clip.wav", "photos/a.png"], ".")
    assert pairs(result) == [("photos/a.png", "a.vqc")]
    (failure,) = result.failures
    assert isinstance(failure[1], OutputError)
    assert "--force" in str(failure[1])
    assert len(plan(["clip.wav", "photos/a.png"], ".", force=True).jobs) == 2


def test_results_that_exist_are_skipped_or_brought_up_to_date(tree: Path) -> None:
    for name, seconds in {"clip.wav": 1000, "clip.vqc": 2000, "photos/a.png": 3000, "photos/a.vqc": 2000}.items():
        (tree / name).touch()
        os.utime(tree / name, (seconds, seconds))
    inputs = ["clip.wav", "photos"]
    skipping, updating = plan(inputs, existing="skip"), plan(inputs, existing="update")
    assert [job.output for job in skipping.skipped] == ["clip.vqc", "photos/a.vqc"]
    assert [(job.output, job.replace) for job in skipping.jobs] == [("photos/sub/b.vqc", False)]
    assert [job.output for job in updating.skipped] == ["clip.vqc"]
    assert [(job.output, job.replace) for job in updating.jobs] == [("photos/a.vqc", True), ("photos/sub/b.vqc", False)]
    assert not skipping.failures
    assert not updating.failures


def test_what_to_do_with_results_that_exist_is_one_thing() -> None:
    assert existing_policy(force=False, skip=False) == "refuse"
    assert existing_policy(force=True, skip=False) == "replace"
    assert existing_policy(force=False, skip=True) == "skip"
    assert existing_policy(force=False, skip=False, update=True) == "update"
    with pytest.raises(OptionError, match="--force and --skip-existing exclude each other"):
        existing_policy(force=True, skip=True)
    with pytest.raises(OptionError, match="--skip-existing and --update exclude each other"):
        existing_policy(force=False, skip=True, update=True)


def test_nobody_is_told_to_replace_what_may_be_an_original(tree: Path) -> None:
    for name in ("clip.vqc", "photos/clip.wav", "clip.restored.wav"):
        (tree / name).touch()
    wanted = Conversion(
        suffixes=frozenset({".vqc"}),
        sought="files",
        suffix_of=lambda _: ".wav",
        naming=Naming(frozenset({".vqc"}), ".restored"),
        precious=True,
    )
    for output, target, forced in ((None, "clip.restored.wav", True), ("photos", "photos/clip.wav", False)):
        (failure,) = make_plan(["clip.vqc"], output, wanted, stdin=None, existing="refuse").failures
        assert str(failure[1]).startswith(f"{target}: this file exists already")
        assert ("--force" in str(failure[1])) == forced


def test_a_folder_in_the_place_of_a_result_is_never_replaced(tree: Path) -> None:
    (tree / "clip.vqc").mkdir()
    result = plan(["clip.wav"], force=True)
    assert not result.jobs
    assert "folder has this name" in str(result.failures[0][1])


def test_missing_inputs_and_empty_folders_fail_alone(tree: Path) -> None:
    (tree / "empty").mkdir()
    result = plan(["nothing.png", "empty", "clip.wav"], "out")
    assert pairs(result) == [("clip.wav", "out/clip.vqc")]
    assert [(name, type(error)) for name, error in result.failures] == [
        ("nothing.png", MediaError),
        ("empty", MediaError),
    ]


def test_what_is_no_ordinary_file_is_not_waited_for(tree: Path) -> None:
    os.mkfifo("pipe.png")
    result = plan(["pipe.png", "clip.wav"], "out")
    assert pairs(result) == [("clip.wav", "out/clip.vqc")]
    assert "standard input" in str(result.failures[0][1])


def test_a_source_without_a_suffix_for_its_result_fails_alone(tree: Path) -> None:
    def suffix_of(source: InputFile) -> str:
        if source.name == "clip.wav":
            raise MediaError("clip.wav: no")
        return ".vqc"

    result = plan(["photos", "clip.wav"], "out", suffix_of=suffix_of)
    assert len(result.jobs) == 2
    assert result.failures[0][0] == "clip.wav"


def test_impossible_output_folders_are_found_up_front(tree: Path) -> None:
    with pytest.raises(OutputError, match="no such folder"):
        plan(["clip.wav"], "nowhere/clip.vqc")
    with pytest.raises(OutputError, match="not a folder"):
        plan(["clip.wav"], "photos/notes.txt/clip.vqc")
    with pytest.raises(OutputError, match="need a folder"):
        plan(["photos"], "photos/notes.txt")


def test_a_folder_that_may_not_be_written_to_is_found_up_front(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda path, mode: Path(path).name != "photos")  # root may write anywhere
    with pytest.raises(OutputError, match="may not be written to"):
        plan(["clip.wav"], "photos/clip.vqc")
