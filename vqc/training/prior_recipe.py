"""How priors are trained: on the codes that a trained codec makes of the data, encoded once and kept on disk."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vqc.atomic import write_atomically
from vqc.data.batches import Shard
from vqc.data.packs import AudioPack, ImagePack, open_audio, open_images
from vqc.errors import OptionError, TrainingError
from vqc.models.base import AudioModel
from vqc.models.checkpoint import LoadedModel
from vqc.models.library import load_model
from vqc.models.paper_priors import PRIOR_KINDS, CodePrior
from vqc.training.code_cache import CachedCodes, open_codes
from vqc.training.prior import PriorTask, PriorTaskConfig, relative_chances
from vqc.training.recipe import Finished, Progress, Recipe
from vqc.training.settings import Settings


@dataclass(frozen=True, kw_only=True)
class PriorRunConfig(PriorTaskConfig):
    """Which codes, beside how they are drawn."""

    codec: str = ""  # model file whose codes these are
    qualities: tuple[int, ...] = ()  # empty: all


@dataclass(frozen=True)
class CodePack:
    """The codes of a pack of images or recordings, by quality."""

    data: ImagePack | AudioPack
    codec: LoadedModel
    codes: Mapping[int, CachedCodes]

    def __getattr__(self, name: str) -> Any:
        """Split, counts and captions are those of the data."""
        return getattr(self.data, name)


class PriorRecipe(Recipe):
    """See `vqc.training.recipe.Recipe`."""

    task_config = PriorRunConfig
    examples = "streams of codes"
    model_file = "prior.safetensors"

    def build(self, settings: Settings) -> CodePrior:
        return CodePrior(settings.model)

    def open_data(
        self, sources: Sequence[str], settings: Settings, *, download: bool, progress: Progress | None
    ) -> CodePack:
        codec = load_model(settings.task.codec)
        model: Any = codec.model
        chosen = settings.task.qualities or range(1, model.qualities + 1)
        if not set(chosen) <= set(range(1, model.qualities + 1)):
            raise OptionError(f"task.qualities is {list(chosen)}; {codec.info.name} has 1 to {model.qualities}")
        data: ImagePack | AudioPack
        if isinstance(model, AudioModel):
            data = open_audio(sources, model.sample_rate, download=download, progress=progress)
        else:
            data = open_images(sources, download=download, progress=progress)
        codes = {q: open_codes(model, codec.info.digest, data, q, progress=progress) for q in chosen}
        return CodePack(data, codec, codes)

    def start(self, model: CodePrior, pack: CodePack, settings: Settings) -> None:
        model.start_from(pack.codec.model)

    def warm_start(self, model: CodePrior, path: str) -> None:
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            model.load_state_dict(load_file(path))
        except (OSError, SafetensorError, RuntimeError):
            raise TrainingError(f"{path} is not a prior of the same [model] settings; leave out --start-from") from None

    def describe(self, path: str) -> str:
        return Path(path).name

    def make_task(self, model: CodePrior, pack: CodePack, settings: Settings, shard: Shard) -> PriorTask:
        return PriorTask(
            model,
            pack.codec.model,
            pack.codes,
            settings.task,
            chances=relative_chances(pack.data),
            seed=settings.loop.seed,
            shard=shard,
        )

    def finish(self, model: CodePrior, pack: CodePack, settings: Settings) -> Finished:
        task = PriorTask(model.eval(), pack.codec.model, pack.codes, settings.task)
        figures = {f"quality_{q}": task.measure(q)._asdict() for q in pack.codes}
        return Finished(model, figures)

    def save(self, path: Path, finished: Finished, name: str, training: Mapping[str, Any]) -> str:
        """Weights in safetensors; the metadata holds config and figures. A prior has no digest of its own."""
        from safetensors.torch import save

        from vqc.models.config import config_to_dict

        prior: CodePrior = finished.model
        kind = next(kind for kind, config in PRIOR_KINDS.items() if isinstance(prior.config, config))
        info = {
            "name": name,
            "kind": kind,
            "config": config_to_dict(prior.config),
            "training": dict(training),
            "figures": dict(finished.figures),
        }
        tensors = {key: t.detach().cpu().contiguous() for key, t in prior.state_dict().items()}
        write_atomically(path, save(tensors, {"format": "vqc-prior", "info": json.dumps(info)}), overwrite=True)
        return ""
