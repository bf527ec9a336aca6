"""Some of what `scripts/fuzz` tries: hostile files and models give the one error, or work, and take little."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from vqc.models.files import zoo

sys.path.insert(0, str(Path(__file__).parent.parent / "scripts"))
from fuzz_tools import BIG_BYTES, GOLDEN, SLOW_SECONDS, Verdict, try_archives, try_files, try_models, warm_up


@pytest.fixture(autouse=True, scope="module")
def _golden_models() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(zoo, "BUNDLED_FOLDER", GOLDEN)
        warm_up()
        yield


def check(verdicts: Iterable[Verdict], least: float = 0.5) -> None:
    done = list(verdicts)
    bad = [v for v in done if v.escape or v.seconds > SLOW_SECONDS or v.grown > BIG_BYTES]
    assert not bad, f"see scripts/fuzz --first {bad[0].seed}"
    assert least < sum(v.refused for v in done) / len(done) < 1  # neither harmless nor all refused at the door


def test_hostile_files() -> None:
    verdicts = list(try_files(range(250)))
    check(verdicts)
    assert {"avif", "lossless", "image", "photo", "speech"} <= {v.name.partition("-")[0] for v in verdicts}


def test_hostile_archives(tmp_path: Path) -> None:
    check(try_archives(range(120), tmp_path), least=0.3)  # of many the items that are whole are read


def test_hostile_models(tmp_path: Path) -> None:
    check(try_models(range(200), tmp_path))
