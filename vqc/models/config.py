"""Model configs: frozen keyword-only dataclasses, written to JSON and read back with every key checked.

A config holds numbers, strings, booleans and (nested) tuples of them, nothing else: two equal configs have the same
canonical JSON, and so the same digest. Annotations say of what type a field is, and `limited` between which limits its
numbers are; both are checked whoever makes a config, so that a network is never asked for sizes that make no sense.
"""

from __future__ import annotations

import dataclasses
import json
import math
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import chain, cycle
from operator import gt
from types import MappingProxyType
from typing import Any, Literal, TypeVar

from vqc.errors import CheckpointError

C = TypeVar("C", bound="Config")
T = TypeVar("T")

Shapes = tuple[tuple[int, int, int], ...]  # of groups of codes: how many, dimensions of each, entries of each codebook
MOST_ITEMS = 256  # of a list

# Metadata of a field that came after the first model files: left out of the JSON while it has its default, so that the
# configs of old files keep their JSON, and with it their digest.
WRITTEN_WHEN_SET: Mapping[str, bool] = MappingProxyType({"written_when_set": True})


def limited(default: T, least: float, most: float, *, written_when_set: bool = False) -> T:
    """A field with this default whose numbers, however nested in tuples, are at least `least` and at most `most`."""
    metadata = {"least": least, "most": most} | (dict(WRITTEN_WHEN_SET) if written_when_set else {})
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, kw_only=True)
class Config:
    """Base of all configs. ValueError: a field is not of its type, or beyond its limits."""

    def __post_init__(self) -> None:
        hints = _hints(type(self))  # type: ignore[arg-type]  # a class, which can be hashed
        for one in dataclasses.fields(self):
            least, most = one.metadata.get("least", -math.inf), one.metadata.get("most", math.inf)
            value = getattr(self, one.name)
            if not _fits(value, hints[one.name], least, most):
                raise ValueError(f"{one.name} is {_short(value)}, not {_described(hints[one.name], least, most)}")


def check_codebooks(shapes: Shapes, entries: Sequence[Sequence[int]], *, dims: int, qualities: int) -> None:
    """ValueError unless shapes cut up to `dims` dimensions, and the entries in use are in the codebooks.

    Args:
        entries: how many of each shape are in use, [qualities, shapes]; () for all.
    """
    sizes = [size for _, _, size in shapes]
    if not shapes or sum(count * each for count, each, _ in shapes) > dims:
        raise ValueError(f"{shapes} are not shapes of codes for 1 to {dims:,} dimensions")
    if len(entries) not in (0, qualities) or any(len(used) != len(sizes) for used in entries):
        raise ValueError(f"{entries} are not entries in use of {len(sizes)} shapes at {qualities} qualities")
    if any(map(gt, chain.from_iterable(entries), cycle(sizes))):
        raise ValueError(f"{entries} are more entries in use than the codebooks of {sizes} have")


def config_to_dict(config: Any) -> dict[str, Any]:
    """The fields of a frozen dataclass as plain JSON values (tuples become lists)."""
    values = {one: getattr(config, one.name) for one in dataclasses.fields(config)}
    return {
        one.name: _plain(value)
        for one, value in values.items()
        if not (one.metadata.get("written_when_set") and value == one.default)
    }


def config_from_dict(config_class: type[C], values: Mapping[str, Any], *, where: str = "this model") -> C:
    """The config with these fields; unknown keys, missing ones and values of another type are a CheckpointError."""
    fields = {one.name: one for one in dataclasses.fields(config_class)}
    unknown = sorted(set(values) - set(fields))
    if unknown:
        raise CheckpointError(
            f"{where} has the unknown config key {_short(unknown[0])}; it was made for another version of vqc, "
            f"known are {', '.join(sorted(fields))}"
        )
    for name, one in fields.items():
        required = one.default is dataclasses.MISSING and one.default_factory is dataclasses.MISSING
        if required and name not in values:
            raise CheckpointError(f"{where} lacks the config key {name!r}; the model file is incomplete, get it again")
    try:
        return config_class(**{name: _frozen(value) for name, value in values.items()})
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"the config of {where} cannot be used: {error}") from None


def canonical_json(value: Any) -> str:
    """The one JSON text of a value: sorted keys, no spaces."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


@cache
def _hints(config_class: type[Any]) -> dict[str, Any]:
    return typing.get_type_hints(config_class)


def _fits(value: Any, hint: Any, least: float, most: float) -> bool:
    """Whether a value is of the type of an annotation, and its numbers within the limits."""
    if typing.get_origin(hint) is Literal:
        return isinstance(value, str) and value in typing.get_args(hint)
    if typing.get_origin(hint) is tuple:
        if not isinstance(value, tuple) or len(value) > MOST_ITEMS:
            return False
        items = _items(hint, len(value))
        return len(items) == len(value) and all(_fits(*pair, least, most) for pair in zip(value, items, strict=True))
    if hint in (int, float):
        return type(value) in (int, hint) and least <= value <= most  # no NaN is
    return type(value) is hint


def _items(hint: Any, length: int) -> tuple[Any, ...]:
    """What the items of a tuple of this length are to be."""
    items = typing.get_args(hint)
    return items[:1] * length if items[-1] is Ellipsis else items


def _described(hint: Any, least: float, most: float) -> str:
    """What `_fits` wants, in words."""
    if typing.get_origin(hint) is Literal:
        return " or ".join(map(repr, typing.get_args(hint)))
    if typing.get_origin(hint) is tuple:
        first, *rest = typing.get_args(hint)
        count = f"at most {MOST_ITEMS}" if rest[-1:] == [Ellipsis] else str(1 + len(rest))
        return f"a list of {count}, each {_described(first, least, most)}"
    kinds = {int: "a whole number", float: "a number", bool: "true or false"}
    limits = f" from {least:,} to {most:,}" if hint in (int, float) and most < math.inf else ""
    return kinds.get(hint, "a text") + limits


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}..."


def _plain(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return [_plain(v) for v in value]
    assert value is None or isinstance(value, bool | int | float | str), f"a config cannot hold {type(value)}"
    return value


def _frozen(value: Any) -> Any:
    return tuple(_frozen(v) for v in value) if isinstance(value, list | tuple) else value
