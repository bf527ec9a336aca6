"""What is read and what is written is settled before any work."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import pytest

from vqc.cli.listing import Plan, Source, make_plan
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


def plan(inputs: Iterable[str], output: str | None = None, *, force: bool = False, stdin: Path | None = None) -> Plan:
    return make_plan(
        list(inputs), output, suffixes=SUFFIXES, sought="pictures", suffix_of=lambda _: ".vqc", stdin=stdin, force=force
    )


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


def test_of_two_sources_with_one_result_the_second_fails_and_the_rest_goes_on(tree: Path) -> None:
    others = len(plan(["photos"], "out").jobs)
    (tree / "photos/a.jpg").touch()
    result = plan(["photos"], "out")
    assert len(result.jobs) == others
    (failure,) = result.failures
    assert failure[0] == "photos/a.png"
    assert "out/a.vqc is the result of photos/a.jpg" in str(failure[1])


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
    def suffix_of(source: Source) -> str:
        if source.name == "clip.wav":
            raise MediaError("clip.wav: no")
        return ".vqc"

    result = make_plan(
        ["photos", "clip.wav"],
        "out",
        suffixes=SUFFIXES,
        sought="pictures",
        suffix_of=suffix_of,
        stdin=None,
        force=False,
    )
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
