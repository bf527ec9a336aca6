"""The recipe of priors: they learn from the codes that a trained codec makes of the data, encoded once, kept on disk.

The result is the codec's file with the prior inside: the same weights and codes, and smaller files.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor

from vqc.data.batches import Shard
from vqc.data.datasets import AudioDataset, ImageDataset
from vqc.data.derived import Progress
from vqc.errors import OptionError, TrainingError
from vqc.models.base import CodecModel
from vqc.models.config import config_to_dict
from vqc.models.files.checkpoint import LoadedModel, load_checkpoint, save_again
from vqc.models.kinds import build_prior, prior_kind_named, trainables
from vqc.models.parts import PRIOR
from vqc.models.prior import CodePrior
from vqc.nn.integer import IntegerLinear, dequantized, forget_calibration, is_calibrated
from vqc.nn.integer_conv import IntegerConv
from vqc.training.parts.base import PartRecipe
from vqc.training.parts.code_cache import CachedCodes, digest_for_codes, open_codes
from vqc.training.parts.prior import PriorTask, PriorTaskConfig, described, relative_weights
from vqc.training.recipe import Exported, check_same_settings
from vqc.training.run import read_run
from vqc.training.settings import Settings
from vqc.training.stages import tracked

# Settings of layers that begin at zero, so that a prior without them can be trained on with them.
_ADDED = ("spatial_passes", "channel_steps", "extra_coarse_levels", "classes")


@dataclass(frozen=True)
class CodeDataset:
    """The codes of a dataset of images or recordings, by quality."""

    data: ImageDataset | AudioDataset
    codec: CodecModel
    codes: Mapping[int, CachedCodes]

    def __getattr__(self, name: str) -> Any:
        """Split, counts and captions are those of the data."""
        return getattr(self.data, name)


class PriorRecipe(PartRecipe):
    """See `vqc.training.recipe.Recipe`."""

    task_config = PriorTaskConfig
    examples = "streams of codes"
    export_loops = 2

    def build(self, settings: Settings) -> CodePrior:
        codec: CodecModel = self.codec(settings).model
        config = config_to_dict(settings.model)
        prior = build_prior(
            trainables()[settings.kind].name, config, codec, where="the prior of these [model] settings"
        )
        prior.register_load_state_dict_post_hook(lambda loaded, _: loaded.prepare(codec))  # type: ignore[no-untyped-call]
        return prior

    def open_data(
        self, sources: Sequence[str], settings: Settings, *, download: bool, progress: Progress | None
    ) -> CodeDataset:
        loaded = self.codec(settings)
        codec: Any = loaded.model
        chosen = settings.task.qualities or range(1, codec.qualities + 1)
        if not set(chosen) <= set(range(1, codec.qualities + 1)):
            raise OptionError(f"task.qualities is {list(chosen)}; {loaded.info.name} has 1 to {codec.qualities}")
        data = super().open_data(sources, settings, download=download, progress=progress)
        digest, cut = digest_for_codes(loaded), {"views": settings.task.views, "piece": settings.task.piece}
        codes = {q: open_codes(codec, digest, data, q, **cut, progress=progress) for q in chosen}
        return CodeDataset(data, codec, codes)

    def initialise(self, model: CodePrior, dataset: CodeDataset, settings: Settings) -> None:
        model.initialise(dataset.codec)

    def warm_start(self, model: CodePrior, path: str, dataset: CodeDataset, settings: Settings) -> None:
        """Load the prior of a model file, or the best weights of a run folder."""
        try:
            state = _trained_prior(Path(path), model, self.codec(settings).model)
            model.load_state_dict(widened(model, state))
        except (AttributeError, KeyError, RuntimeError):
            raise TrainingError(f"the prior in {path} is for other codebooks; leave out --start-from") from None
        forget_calibration(model)

    def describe(self, path: str) -> str:
        return f"run {Path(path).name}" if Path(path).is_dir() else super().describe(path)

    def make_task(self, model: CodePrior, dataset: CodeDataset, settings: Settings, shard: Shard) -> PriorTask:
        return PriorTask(
            model,
            dataset.codec,
            dataset.codes,
            settings.task,
            weights=relative_weights(dataset.data),
            labels=labels_of(dataset.data, model),
            seed=settings.loop.seed,
            shard=shard,
        )

    def export(self, model: CodePrior, dataset: CodeDataset, settings: Settings) -> Exported:
        """The codec as its file has it, with this prior in integers."""
        loaded = load_checkpoint(settings.task.codec)
        task = PriorTask(
            model.eval(), dataset.codec, dataset.codes, settings.task, labels=labels_of(dataset.data, model)
        )
        floats = {q: task.measure(q, settings.task.report_codes) for q in tracked(task.codes)}
        if not is_calibrated(model):
            task.calibrate()
        try:
            loaded.model.attach_prior(model)
        except OverflowError as error:
            raise TrainingError(
                f"the prior cannot be turned into integers: {error}; "
                "train it with a lower learning rate or more loop.weight_decay"
            ) from None
        integers = {q: task.measure(q, settings.task.report_codes) for q in tracked(task.codes)}
        figures = {f"quality_{q}": described(floats[q], integers[q]) for q in task.codes}
        if model.classes:
            for q in task.codes:
                told = task.measure(q, settings.task.report_codes, told=True)
                figures[f"quality_{q}"]["bits_per_code_told"] = round(told.bits_per_code, 5)
        return Exported(loaded, figures)

    def save(self, path: Path, exported: Exported, name: str, training: Mapping[str, Any]) -> str:
        """Write the codec's file with the prior inside; its description of the other parts stays."""
        loaded: LoadedModel = exported.model
        return save_again(
            path, loaded, name=name, parts={PRIOR.name: {"training": training, "figures": exported.figures}}
        )


def labels_of(dataset: ImageDataset | AudioDataset, prior: CodePrior) -> NDArray[np.int64] | None:
    """Labels int64 [N] of all items for a prior of classes, −1 where the data tell none; None for other priors.

    TrainingError: the data have none of its classes.
    """
    if not prior.classes:
        return None
    numbers = {name: number for number, name in enumerate(prior.classes)}
    labels = np.array([numbers.get(label, -1) for label in dataset.labels], dtype=np.int64)
    if not (labels >= 0).any():
        raise TrainingError(
            f"no item of {dataset.title} is of a class of model.classes, such as {prior.classes[0]!r}; give data with "
            "these classes, as CIFAR-10 has them, or --set model.classes=[]"
        )
    return labels


def _trained_prior(path: Path, like: CodePrior, codec: CodecModel) -> dict[str, Tensor]:
    """The float weights of a prior of the same [model] settings, for the codebooks of a codec."""
    if path.is_dir():
        best, settings = path / "best.safetensors", read_run(path).settings
        if settings.kind != prior_kind_named(like.kind).presets[0] or not best.exists():
            raise TrainingError(f"{path} is not the folder of a run that has trained a prior of the kind {like.kind}")
        check_grown(path, settings.model, like.config)
        return _fill_missing(like, load_file(best))
    model = load_checkpoint(path).model
    found = model.prior
    if found is None or found.kind != like.kind:
        raise TrainingError(f"{path} holds no prior of the kind {like.kind}; leave out --start-from")
    check_grown(path, found.config, like.config)
    found.remap_codebooks(model, codec, like)
    return _fill_missing(like, dequantized(found, like))


def _fill_missing(like: CodePrior, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Complete weights for a new prior, maybe with more passes and steps: new layers stay as made, mostly zero."""
    return {name: state.get(name, tensor) for name, tensor in like.state_dict().items()}


def widened(like: CodePrior, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights for a prior whose layers may be wider: it does what the narrow one did, as what is new adds nothing yet.

    New outputs begin as made, and those of before see nothing of new inputs.
    """
    made = {name: tensor.clone() for name, tensor in like.state_dict().items()}
    layers = dict(like.named_modules())
    for name, trained in state.items():
        of, own = name.rpartition(".")[::2]
        if isinstance(layers[of], IntegerLinear) and own == "weight":
            above = layers[of.rpartition(".")[0]]
            taps = math.prod(above.kernel) if isinstance(above, IntegerConv) else 1
            made[name][: len(trained)] = 0
            into = made[name].view(len(made[name]), taps, -1)  # [O, taps, I]
            trained = trained.view(len(trained), taps, -1)
        else:
            into = made[name]
        into[tuple(map(slice, trained.shape))] = trained
    return made


def check_grown(path: Path, found: Any, own: Any) -> None:
    """TrainingError unless weights of these settings can begin a prior of those: the same, or some layers wider."""
    for name in getattr(own, "growing", ()):
        if getattr(found, name) > getattr(own, name):
            raise TrainingError(f"the prior in {path} is wider; raise model.{name} to {getattr(found, name)}")
    check_same_settings(path, _architecture_key(found), _architecture_key(own), "prior")


def _architecture_key(config: Any) -> Any:
    """The settings that weights depend on: not dropout, shapes of slices, ends of streams, or what may be added."""
    if hasattr(config, "slices"):
        config = dataclasses.replace(config, slices=(sum(config.slices, ()),))
    neutral: dict[str, Any] = (
        {"dropout": 0.0, "ends_early": False}
        | dict.fromkeys(_ADDED, ())
        | dict.fromkeys(getattr(config, "growing", ()), 1)
    )
    return dataclasses.replace(config, **{name: value for name, value in neutral.items() if hasattr(config, name)})
