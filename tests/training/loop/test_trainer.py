"""The loop: a resumed run is the uninterrupted one, and the best validation is what is kept."""

from __future__ import annotations

import json
import math
import signal
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from training_toys import Adversarial, Toy, Watcher, rows

from vqc.errors import TrainingError
from vqc.training.loop.config import LoopConfig, learning_rate_at
from vqc.training.loop.task import Losses, Task
from vqc.training.loop.trainer import Trainer

CLOCK = {"minutes", "steps_per_second", "data_share"}  # no two runs agree on these
INTERRUPT = partial(signal.raise_signal, signal.SIGINT)


def logged(folder: Path) -> list[dict[str, float]]:
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if k not in CLOCK} for line in lines]


def state(folder: Path) -> dict[str, Tensor]:
    return {k: t for k, t in load_file(folder / "state.safetensors").items() if k != "loop.seconds"}


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize(("task", "accumulate"), [(Toy, 1), (Adversarial, 3)])
def test_an_interrupted_run_goes_on_as_if_it_had_not_been(
    task: Callable[[], Toy], accumulate: int, tmp_path: Path
) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    config = LoopConfig(
        steps=20, log_every=1, warmup_steps=5, weight_decay=0.1, validate_steps=4, accumulate=accumulate
    )
    Trainer(task(), config, whole).run()
    for stop in (3, 8, 20):
        torch.manual_seed(stop)  # the global generator may be anywhere
        outcome = Trainer(task(), config, parts, callbacks=[Watcher({stop: INTERRUPT})]).run()
        assert (outcome.step, outcome.interrupted) == (stop, True)
        lost = Trainer(task(), config, parts)  # killed after a step that was logged but not saved
        lost.train_step()
    outcome = Trainer(task(), config, parts).run()
    assert (outcome.step, outcome.interrupted) == (20, False)
    assert logged(parts) == logged(whole)
    assert [row["step"] for row in logged(whole) if "val_score" in row] == [4, 8, 12, 16, 20]
    assert same(state(parts), state(whole))
    assert same(load_file(parts / "best.safetensors"), load_file(whole / "best.safetensors"))


class Counting(Toy):
    """Reports the number of each step, and every third step another figure."""

    def loss(self, batch: Tensor, step: int) -> Losses:
        figures = {"number": torch.tensor(float(step)), **({"third": float(step)} if step % 3 == 0 else {})}
        return Losses(super().loss(batch, step).total, figures)


def test_rows_are_means_since_the_last_row(tmp_path: Path) -> None:
    """And not figures of the batch at hand, which say more of the batch than of the model."""
    config = LoopConfig(steps=10, log_every=5, accumulate=2)
    task, losses = Counting(), list[float]()
    loss = task.loss
    task.loss = lambda *given: losses.append(float((found := loss(*given)).total.detach())) or found  # type: ignore[method-assign,func-returns-value]
    Trainer(task, config, tmp_path).run()
    rows = [row for row in logged(tmp_path) if "loss" in row]
    assert [row["step"] for row in rows] == [5, 10]
    assert [row["number"] for row in rows] == [2.0, 7.0]
    assert [row["third"] for row in rows] == [1.5, 7.5], "of the steps that had it"
    assert [row["loss"] for row in rows] == pytest.approx([sum(losses[:10]) / 10, sum(losses[10:]) / 10], rel=1e-6)


@pytest.mark.parametrize("stop", [2, 5, 8])
def test_means_go_on_after_an_interruption(stop: int, tmp_path: Path) -> None:
    config = LoopConfig(steps=10, log_every=5)
    Trainer(Counting(), config, tmp_path / "whole").run()
    first = Trainer(Counting(), config, tmp_path / "parts")
    for _ in range(stop):
        first.train_step()
    first.checkpoint()
    Trainer(Counting(), config, tmp_path / "parts").run()
    assert logged(tmp_path / "parts") == logged(tmp_path / "whole")


def test_a_finished_run_has_nothing_more_to_do(tmp_path: Path) -> None:
    config = LoopConfig(steps=3, log_every=1)
    first = Trainer(Toy(), config, tmp_path).run()
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert Trainer(Toy(), config, tmp_path).run() == first
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_the_best_validation_is_kept(tmp_path: Path) -> None:
    task, scores = Toy(), iter([3.0, 1.0, 2.0])
    task.validate = lambda: {"score": next(scores)}  # type: ignore[method-assign]
    trainer = Trainer(task, LoopConfig(steps=100, ema_decay=0.0), tmp_path)
    kept = []
    for _ in range(3):
        trainer.train_step()
        trainer.validate()
        kept.append(load_file(tmp_path / "best.safetensors")["0.weight"])
    assert not torch.equal(kept[0], kept[1])
    assert torch.equal(kept[1], kept[2])
    assert trainer.best == 1.0


def test_validation_sees_averaged_weights_and_gives_back_the_own(tmp_path: Path) -> None:
    task = Toy()
    weight = task.model.get_parameter("0.weight")
    trainer = Trainer(task, LoopConfig(steps=100, ema_decay=0.9, learning_rate=0.1), tmp_path)
    expected = weight.detach().clone()
    for step in range(5):
        trainer.train_step()
        decay = min(0.9, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * weight.detach()
    own = weight.detach().clone()
    seen = []

    def validate() -> dict[str, float]:
        assert not task.model.training
        seen.append(weight.detach().clone())
        return {"score": 0.0}

    task.validate = validate  # type: ignore[method-assign]
    trainer.validate()
    torch.testing.assert_close(seen[0], expected)
    assert not torch.equal(seen[0], own)
    assert torch.equal(weight, own)


def test_batches_of_a_step_add_up_to_one_large_batch(tmp_path: Path) -> None:
    """The gradient of the mean is the mean of the gradients; there is no codebook here, which would move in between."""

    class Linear(Toy):
        def __init__(self, count: int) -> None:
            super().__init__()
            self.model, self.count = nn.Linear(4, 4), count

        def batch(self, step: int) -> Tensor:
            return rows(0, step * self.count // 12, 12, 4)[step * self.count % 12 :][: self.count]

        def loss(self, batch: Tensor, step: int) -> Losses:
            return Losses((self.model(batch) - batch.flip(1)).square().mean(), {"mean": batch.mean()})

    runs = []
    for accumulate in (1, 3):
        torch.manual_seed(0)
        config = LoopConfig(steps=8, log_every=2, accumulate=accumulate, learning_rate=0.01, precision="float32")
        trainer = Trainer(Linear(12 // accumulate), config, tmp_path / str(accumulate))
        while trainer.step < 8:
            trainer.train_step()
        runs.append((trainer.task.model.state_dict(), logged(trainer.folder.path)))
    torch.testing.assert_close(runs[0][0], runs[1][0])
    for one, three in zip(runs[0][1], runs[1][1], strict=True):
        assert one == pytest.approx(three, rel=1e-4, abs=1e-6)


def test_the_critic_is_moved_by_its_own_loss_alone(tmp_path: Path) -> None:
    task = Adversarial()
    config = LoopConfig(steps=9, warmup_steps=0, final_learning_rate_ratio=1.0, critic_learning_rate=0.02)
    trainer = Trainer(task, config, tmp_path)
    begun = [p.detach().clone() for p in task.critic.parameters()]
    while trainer.step < 4:
        trainer.train_step()
    assert all(torch.equal(p, old) for p, old in zip(task.critic.parameters(), begun, strict=True))
    trainer.train_step()
    moved = [p.detach().clone() for p in task.critic.parameters()]
    task.critic.load_state_dict(dict(zip(task.critic.state_dict(), begun, strict=True)))
    task.critic_loss(task.batch(4), 4).total.backward()  # on what the model made in that step
    for p, now in zip(task.critic.parameters(), moved, strict=True):
        assert p.grad is not None
        certain = p.grad.abs() > 1e-5
        assert certain.any()
        # The first step of AdamW is the learning rate against the sign of the gradient.
        torch.testing.assert_close(now[certain], (p - 0.02 * p.grad.sign())[certain], rtol=1e-3, atol=1e-4)


def test_sigterm_saves_and_ends_the_run_and_handlers_are_given_back(tmp_path: Path) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    terminate = partial(signal.raise_signal, signal.SIGTERM)
    watcher = Watcher({2: terminate})
    outcome = Trainer(Toy(), LoopConfig(steps=9, log_every=1), tmp_path, callbacks=[watcher]).run()
    assert outcome.interrupted
    assert int(load_file(tmp_path / "state.safetensors")["loop.step"]) == outcome.step == 2
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
    assert watcher.told[-1] == ("ended", outcome)


@pytest.fixture
def listening() -> Iterator[None]:
    """Ctrl-C as a program in a terminal hears it; what runs in the background of a script is deaf to it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("listening")
def test_a_second_interruption_is_obeyed_at_once(tmp_path: Path) -> None:
    task, loss = Toy(), Toy.loss

    def impatient(batch: Tensor, step: int) -> Losses:
        if step == 2:
            INTERRUPT()
            INTERRUPT()
        return loss(task, batch, step)

    task.loss = impatient  # type: ignore[method-assign]
    watcher = Watcher()
    with pytest.raises(KeyboardInterrupt):
        Trainer(task, LoopConfig(steps=9), tmp_path, callbacks=[watcher]).run()
    assert not (tmp_path / "state.safetensors").exists()
    assert watcher.told[-1][1].interrupted


def test_an_interrupted_validation_does_not_count(tmp_path: Path) -> None:
    task = Toy()
    task.validate = INTERRUPT  # type: ignore[method-assign,assignment]
    config = LoopConfig(steps=4, log_every=1, validate_steps=2)
    outcome = Trainer(task, config, tmp_path).run()
    assert outcome == (2, outcome.seconds, math.inf, True)
    assert not (tmp_path / "best.safetensors").exists()
    assert torch.equal(task.model.get_parameter("0.weight"), state(tmp_path)["model.0.weight"])
    Trainer(Toy(), config, tmp_path).run()
    assert [row["step"] for row in logged(tmp_path) if "val_score" in row] == [2, 4]


def test_callbacks_hear_what_is_written(tmp_path: Path) -> None:
    watcher = Watcher()
    config = LoopConfig(steps=5, log_every=2, validate_steps=3)
    outcome = Trainer(Toy(), config, tmp_path, callbacks=[watcher]).run()
    assert watcher.told[0] == ("started", (5, None, 0, tmp_path))
    assert [name for name, _ in watcher.told] == [
        "started", "logged", "validated", "logged", "validated", "ended",
    ]  # fmt: skip
    heard = [what[0] if name == "validated" else what for name, what in watcher.told[1:-1]]
    assert heard == [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert watcher.told[2][1][1]  # the first is the best so far
    assert 0 <= heard[0]["data_share"] <= 1
    assert heard[2]["steps_per_second"] * 60 * (heard[2]["minutes"] - heard[0]["minutes"]) == pytest.approx(2, rel=1e-3)
    assert outcome.best == pytest.approx(min(row["val_score"] for row in heard if "val_score" in row))


@pytest.mark.parametrize("where", ["loss", "gradient"])
def test_a_loss_that_is_not_finite_is_one_error(where: str, tmp_path: Path) -> None:
    task = Toy()

    def loss(batch: Tensor, step: int) -> Losses:
        total = task.model(batch).quantized.square().sum()
        if step == 3:
            total = total * math.nan if where == "loss" else (0 * total).sqrt()  # √ is not differentiable at 0
        return Losses(total, {})

    task.loss = loss  # type: ignore[method-assign]
    watcher = Watcher()
    config = LoopConfig(steps=90, learning_rate=0.5, warmup_steps=8, final_learning_rate_ratio=1.0)
    with pytest.raises(TrainingError, match=r"not finite at step 3 with learning rate 2\.50e-01; .* lower"):
        Trainer(task, config, tmp_path, callbacks=[watcher]).run()
    assert watcher.told[-1] == ("ended", (3, pytest.approx(0, abs=60), math.inf, True))


def test_only_the_passes_of_training_are_in_bfloat16(tmp_path: Path) -> None:
    seen = {}
    for precision in ("bfloat16", "float32"):
        task = Toy()

        def loss(batch: Tensor, step: int, task: Toy = task, precision: str = precision) -> Losses:
            seen[precision] = task.model.get_submodule("0")(batch).dtype
            return Toy.loss(task, batch, step)

        def validate(precision: str = precision) -> dict[str, float]:
            seen[f"validation in {precision}"] = torch.float32 if not torch.is_autocast_enabled("cpu") else None
            return {"score": 0.0}

        task.loss, task.validate = loss, validate  # type: ignore[method-assign]
        Trainer(task, LoopConfig(steps=2, precision=precision), tmp_path / precision).run()  # type: ignore[arg-type]
    assert seen == {
        "bfloat16": torch.bfloat16,
        "float32": torch.float32,
        "validation in bfloat16": torch.float32,
        "validation in float32": torch.float32,
    }


def test_networks_are_compiled_where_it_is_wished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[nn.Module] = []
    monkeypatch.setattr(nn.Module, "compile", lambda self: compiled.append(self))
    for choice in ("auto", "off", "on"):
        task = Toy()
        task.networks = (task.model.get_submodule("0"),)  # type: ignore[attr-defined]
        Trainer(task, LoopConfig(steps=1, compile=choice), tmp_path / choice)  # type: ignore[arg-type]
    assert compiled == list(task.networks)  # type: ignore[attr-defined]


def test_a_run_folder_of_another_model_is_refused(tmp_path: Path) -> None:
    Trainer(Toy(), LoopConfig(steps=1), tmp_path).run()
    with pytest.raises(TrainingError, match="another model"):
        Trainer(Toy(width=5), LoopConfig(steps=2), tmp_path)


def test_a_damaged_state_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state.safetensors").write_bytes(b"not a state")
    with pytest.raises(TrainingError, match="is damaged; remove it"):
        Trainer(Toy(), LoopConfig(steps=2), tmp_path)


def test_the_learning_rate_warms_up_and_falls_to_its_floor() -> None:
    config = LoopConfig(steps=1000, learning_rate=1.0, warmup_steps=10, final_learning_rate_ratio=0.1)
    assert learning_rate_at(config, 0, 0.0) == pytest.approx(0.1)
    rates = [learning_rate_at(config, step, 0.0) for step in range(10, 1001)]
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] == pytest.approx(0.1)
    timed = LoopConfig(minutes=2, learning_rate=1.0, warmup_steps=0, final_learning_rate_ratio=0.0)
    assert learning_rate_at(timed, 5, 60.0) == pytest.approx(0.5)
    late = LoopConfig(minutes=2, learning_rate=1.0, final_learning_rate_ratio=0.2, decay="linear", decay_from=0.4)
    rates = [learning_rate_at(late, 1000, 120 * share) for share in (0, 0.4, 0.7, 1, 1.2)]
    assert rates == pytest.approx([1, 1, 0.6, 0.2, 0.2])


class ChannelsLast(Task):
    """A convolution whose weights lie channels last in memory, as image models have them."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.model = nn.Conv2d(3, 4, 3).to(memory_format=torch.channels_last)

    def batch(self, step: int) -> Tensor:
        return torch.rand(2, 3, 6, 6, generator=torch.Generator().manual_seed(step))

    def loss(self, batch: Tensor, step: int) -> Losses:
        return Losses((self.model(batch) - 1).square().mean(), {})

    def validate(self) -> Mapping[str, float]:
        return {"score": 0.0}


def test_moments_are_restored_in_the_memory_format_of_the_weights(tmp_path: Path) -> None:
    config = LoopConfig(steps=6, log_every=1, warmup_steps=0)
    whole = Trainer(ChannelsLast(), config, tmp_path / "whole")
    whole.run()
    for stop in (3, 6):
        parts = Trainer(ChannelsLast(), config, tmp_path / "parts")
        while parts.step < stop:
            parts.train_step()
        parts.checkpoint()
    assert torch.equal(parts.task.model.weight, whole.task.model.weight)
