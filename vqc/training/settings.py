"""The settings of a training run: presets, changes of them (`--set`), and the resolved values in a run folder.

A preset is a small TOML file: the kind of model and, in three tables, only the fields that differ from the defaults::

    kind = "image-vqvae"
    [model]                 the config of the network             --set model.codebook_size=1024
    [task]                  losses, batches, starting values      --set task.batch_size=64
    [loop]                  steps, learning rate, precision       --set loop.learning_rate=3e-4
"""

from __future__ import annotations

import dataclasses
import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from vqc.errors import OptionError, did_you_mean
from vqc.models.config import config_to_dict
from vqc.models.kinds import load
from vqc.models.parts import trainables
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
    """The tables of a preset by name, or of a TOML or JSON file; OptionError when there is none."""
    bundled = PRESETS / f"{name_or_file}.toml"
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
    _refuse_unknown(tables, ("kind", *SECTIONS), where)
    kind = str(tables["kind"])
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
    built = {s: _build(classes[s], values[s], s, where) for s in SECTIONS}
    return Settings(kind=kind, **built)


def _build(config_class: type[Any], values: Mapping[str, Any], section: str, where: str) -> Any:
    fields = {field.name: field for field in dataclasses.fields(config_class)}
    _refuse_unknown(values, tuple(fields), f"[{section}] of {where}")
    for name, value in values.items():
        _check(f"{section}.{name}", value, fields[name])
    try:
        return config_class(**{name: _frozen(value) for name, value in values.items()})
    except (TypeError, ValueError) as error:
        raise OptionError(f"the settings of [{section}] cannot be used: {error}") from None


def _check(name: str, value: Any, field: dataclasses.Field[Any]) -> None:
    """OptionError unless a value has the type of the field's default."""
    default = field.default
    if default is dataclasses.MISSING:
        return
    if default is None or value is None:
        if value is not None and isinstance(value, bool | str | list | dict):
            raise OptionError(f"{name} is {value!r} where a number is expected")
        return
    number = isinstance(default, float) and type(value) is int
    sequence = isinstance(default, tuple) and isinstance(value, list | tuple)
    if not (number or sequence or type(value) is type(default)):
        kind = "list" if isinstance(default, tuple) else type(default).__name__
        raise OptionError(f"{name} is {value!r} where a value of type {kind} is expected, such as {default!r}")


def _refuse_unknown(values: Mapping[str, Any], known: Sequence[str], where: str) -> None:
    for key in values:
        if key not in known:
            raise OptionError(
                f"{where} has no key {key!r}{did_you_mean(key, known)}; known are {', '.join(sorted(known))}"
            )


def _frozen(value: Any) -> Any:
    return tuple(_frozen(v) for v in value) if isinstance(value, list | tuple) else value
