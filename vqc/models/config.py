"""Model configs: frozen keyword-only dataclasses, written to JSON and read back with every key checked.

A config holds numbers, strings, booleans and (nested) tuples of them, nothing else: two equal configs have the same
canonical JSON, and so the same digest.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, TypeVar

from vqc.errors import CheckpointError

C = TypeVar("C")

# Metadata of a field that came after the first model files: left out of the JSON while it has its default, so that the
# configs of old files keep their JSON, and with it their digest.
WRITTEN_WHEN_SET: Mapping[str, bool] = MappingProxyType({"written_when_set": True})


def config_to_dict(config: Any) -> dict[str, Any]:
    """The fields of a frozen dataclass as plain JSON values (tuples become lists)."""
    values = {field: getattr(config, field.name) for field in dataclasses.fields(config)}
    return {
        field.name: _plain(value)
        for field, value in values.items()
        if not (field.metadata.get("written_when_set") and value == field.default)
    }


def config_from_dict(config_class: type[C], values: Mapping[str, Any], *, where: str = "this model") -> C:
    """The config with these fields; unknown keys, missing ones and values of another type are a CheckpointError."""
    fields = {field.name: field for field in dataclasses.fields(config_class)}  # type: ignore[arg-type]
    unknown = sorted(set(values) - set(fields))
    if unknown:
        raise CheckpointError(
            f"{where} has the unknown config key {unknown[0]!r}; it was made for another version of vqc, "
            f"known are {', '.join(sorted(fields))}"
        )
    for name, field in fields.items():
        if name in values:
            _check_type(name, values[name], field, where)
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise CheckpointError(f"{where} lacks the config key {name!r}; the model file is incomplete, get it again")
    try:
        return config_class(**{name: _frozen(value) for name, value in values.items()})
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"the config of {where} cannot be used: {error}") from None


def canonical_json(value: Any) -> str:
    """The one JSON text of a value: sorted keys, no spaces."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def _check_type(name: str, value: Any, field: dataclasses.Field[Any], where: str) -> None:
    if field.default is dataclasses.MISSING:
        return
    default = _plain(field.default)
    same = type(value) is type(default) or (isinstance(default, float) and type(value) is int)
    if default is not None and not same:
        kind = "list" if isinstance(default, list) else type(default).__name__
        raise CheckpointError(f"config key {name!r} of {where} is {value!r} where a value of type {kind} is expected")


def _plain(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return [_plain(v) for v in value]
    assert value is None or isinstance(value, bool | int | float | str), f"a config cannot hold {type(value)}"
    return value


def _frozen(value: Any) -> Any:
    return tuple(_frozen(v) for v in value) if isinstance(value, list | tuple) else value
