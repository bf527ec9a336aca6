"""Two processes that share every batch come to what one process with the whole batch comes to."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
import torch
import two_ranks
from forked import Program
from safetensors.torch import load_file
from two_ranks import SCENARIOS, everything, run_scenario

from vqc.errors import TrainingError
from vqc.nn.distributed import chosen_rows, mean_over_ranks, rows_of_all_ranks
from vqc.training.loop.distributed import Ranks, join


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that two processes have left."""
    folder = tmp_path_factory.mktemp("ranks")
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "WORLD_SIZE": "2"}
    environments = [shared | {"RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(2)]
    processes = [Program(two_ranks.main, folder, folder=folder, environment=own) for own in environments]
    ended = [process.ended() for process in processes]
    errors = b"\n".join(err for _, _, err in ended).decode()
    assert [code for code, _, _ in ended] == [0, 0], errors
    assert "Warning" not in errors
    return folder


@pytest.mark.parametrize("name", SCENARIOS)
def test_replicas_are_equal_to_the_bit(name: str, results: Path) -> None:
    first, second = (load_file(results / f"{name}-{rank}.safetensors") for rank in range(2))
    assert first.keys() == second.keys()
    assert [key for key in first if not torch.equal(first[key], second[key])] == []


@pytest.mark.parametrize("name", SCENARIOS)
def test_two_processes_come_to_what_one_does(name: str, results: Path, tmp_path: Path) -> None:
    shared = load_file(results / f"{name}-0.safetensors")
    alone = everything(run_scenario(name, tmp_path, slice(None)))
    assert shared.keys() == alone.keys()
    # In float64, where rounding is out of sight: AdamW makes steps of gradients that are nothing but rounding.
    torch.testing.assert_close(shared, alone, rtol=1e-9, atol=1e-9)


def test_entries_were_revived_and_added_on_the_way(results: Path) -> None:
    """Else the tests above would say nothing of revival and growth."""
    revived = load_file(results / "ema-0.safetensors")
    assert len(revived["model.1.codebook"].unique(dim=0)) == 16
    assert len(load_file(results / "dynamic-0.safetensors")["model.1.codebook"]) > 4


def test_a_rank_other_than_0_writes_nothing(results: Path) -> None:
    assert sorted(path.name for path in (results / "rank-0" / "ema").iterdir()) == [
        "best.safetensors",
        "metrics.jsonl",
        "state.json",
        "state.safetensors",
    ]
    assert not (results / "rank-1").exists()


def test_ranks_stop_at_the_same_step(results: Path) -> None:
    """By the clock of rank 0 when the time is up, or when either was asked to; both say so."""
    first, second = (load_file(results / f"others-{rank}.safetensors") for rank in range(2))
    assert first["timed"].tolist() == second["timed"].tolist()
    assert first["timed"][0] >= 5
    assert first["stopped"].tolist() == second["stopped"].tolist() == [4, True]
    assert int(load_file(results / "rank-0" / "stopped" / "state.safetensors")["loop.step"]) == 4


def test_a_loss_that_is_not_finite_on_one_rank_stops_all(results: Path) -> None:
    first, second = ((results / f"error-{rank}.txt").read_text() for rank in range(2))
    assert first == second
    assert "not finite at step 2 with learning rate" in first


def test_rows_of_all_ranks_are_in_order(results: Path) -> None:
    for rank in range(2):
        assert load_file(results / f"others-{rank}.safetensors")["ordered"].tolist() == [0, 1, 2, 10, 11, 12]


def test_a_process_by_itself_is_rank_0_of_1(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with join() as ranks:
        assert ranks == Ranks(0, 1, 0)
        assert ranks.first
        assert not torch.distributed.is_initialized()
        rows = torch.randn(5, 2)
        assert rows_of_all_ranks(rows) is rows
        assert mean_over_ranks(rows) is rows
        assert torch.equal(chosen_rows(rows, torch.tensor([4, 0, 4])), rows[[4, 0, 4]])


def test_half_an_environment_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(TrainingError, match="RANK is not set as torchrun does; start several"), join():
        pass
