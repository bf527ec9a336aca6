"""The settings of a training run: presets, changes of them (`--set`), and the resolved values in a run folder.

A preset is a small TOML file: the kind of model and, in three tables, only the fields that differ from the defaults::

    kind = "image-vqvae"
    [model]                 the config of the network             --set model.codebook_size=1024
    [task]                  losses, batches, starting values      --set task.batch_size=64
    [loop]                  steps, learning rate, precision       --set loop.learning_rate=3e-4
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from vqc.errors import OptionError, did_you_mean
from vqc.models.config import config_to_dict, from_mapping
from vqc.models.kinds import load, trainables
from vqc.training.loop.config import LoopConfig

PRESETS = Path(__file__).parent / "presets"
SECTIONS = ("model", "task", "loop")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """A run's kind of model and its three configs, every value resolved."""

    kind: str
    model: Any  # the config class of the kind
    task: Any  # the task config class of the kind
    loop: LoopConfig

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values, a table each for model, task and loop."""
        return {"kind": self.kind} | {s: config_to_dict(getattr(self, s)) for s in SECTIONS}


def preset_names() -> list[str]:
    """Names of the presets that come with vqc."""
    return sorted(path.stem for path in PRESETS.glob("*.toml"))


def read_preset(name_or_file: str) -> dict[str, Any]:
    """Read the tables of a preset by name, or of a TOML or JSON file; OptionError when there is none.

    The name of a kind without a preset of its name stands for the defaults of its configs.
    """
    bundled = PRESETS / f"{name_or_file}.toml"
    if name_or_file in trainables() and not bundled.is_file():
        return {"kind": name_or_file}
    path = bundled if bundled.is_file() else Path(name_or_file)
    if path.suffix not in (".toml", ".json"):
        raise OptionError(
            f"there is no preset {name_or_file!r}{did_you_mean(name_or_file, preset_names())}; presets are "
            f"{', '.join(preset_names())}, or a file ending in .toml or .json"
        )
    try:
        text = path.read_text(encoding="utf-8")
        tables: dict[str, Any] = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
    except OSError as error:
        raise OptionError(f"cannot read the preset {path}: {error.strerror or error}") from None
    except ValueError as error:
        raise OptionError(f"the preset {path} is not valid {path.suffix[1:].upper()}: {error}") from None
    return tables


def resolve(
    tables: Mapping[str, Any], changes: Mapping[str, Any] = MappingProxyType({}), *, where: str = "the preset"
) -> Settings:
    """Settings from a preset's tables and changes of them such as {"model.codebook_size": 1024}.

    OptionError: an unknown kind, table or key (the nearest known one is named), or a value of the wrong type.
    """
    kinds = trainables()
    if not isinstance(tables, Mapping) or tables.get("kind") not in kinds:
        raise OptionError(f"{where} must give a kind, one of {', '.join(kinds)}")
    kind = str(tables["kind"])
    for table in tables:
        if table not in ("kind", *SECTIONS):
            near = did_you_mean(table, SECTIONS)
            raise OptionError(f"{where} has no table {table!r}{near}; they are model, task and loop")
    values = {section: dict(tables.get(section, {})) for section in SECTIONS}
    for name, value in changes.items():
        section, _, key = name.partition(".")
        if section not in SECTIONS:
            raise OptionError(
                f"{name}: there is no section {section!r}{did_you_mean(section, SECTIONS)}; "
                "they are model, task and loop"
            )
        values[section][key] = value
    classes = {"model": load(kinds[kind].config), "task": load(kinds[kind].recipe).task_config, "loop": LoopConfig}
    built = {
        section: from_mapping(classes[section], values[section], where=f"[{section}] of {where}", error=OptionError)
        for section in SECTIONS
    }
    return Settings(kind=kind, **built)
