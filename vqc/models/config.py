"""Model configs: frozen keyword-only dataclasses, written to JSON and read back with every key checked.

A config holds numbers, strings, booleans, None and (nested) tuples of them, nothing else: two equal configs have the
same canonical JSON, and so the same digest. A field says where it stands what holds for it alone: its annotation of
what type it is and which words there are to choose from, `limited` between which limits its numbers lie. Both are
checked whoever makes a config, be it a model file, a preset or ``--set``: no network is asked for senseless sizes.
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
from types import MappingProxyType, NoneType, UnionType
from typing import Any, Literal, NamedTuple, TypeVar

from vqc.errors import CheckpointError, VQCError, did_you_mean

C = TypeVar("C", bound="Config")
T = TypeVar("T")

Shapes = tuple[tuple[int, int, int], ...]  # of groups of codes: how many, dimensions of each, entries of each codebook
MOST_ITEMS = 256  # of a list

# Metadata of a field that came after the first model files: left out of the JSON while it has its default, so that the
# configs of old files keep their JSON, and with it their digest.
WRITTEN_WHEN_SET: Mapping[str, bool] = MappingProxyType({"written_when_set": True})


class Limits(NamedTuple):
    """Limits of the numbers of a field: `least` and `most` may be reached, `above` and `below` may not."""

    least: float = -math.inf
    most: float = math.inf
    above: float = -math.inf
    below: float = math.inf

    def allow(self, number: float) -> bool:
        """True for a number between them; never for NaN and infinity."""
        return self.least <= number <= self.most and self.above < number < self.below

    def __str__(self) -> str:
        """In words, after the type: " from 1 to 4,096"."""
        lower = f" from {self.least:,}" if self.least > -math.inf else ""
        lower = f" above {self.above:,}" if self.above > -math.inf else lower
        upper = f" to {self.most:,}" if self.most < math.inf else ""
        return lower + (f" and below {self.below:,}" if self.below < math.inf else upper)


NO_LIMITS = Limits()


def limited(
    default: T, least: float = -math.inf, most: float = math.inf, *, written_when_set: bool = False, **strictly: float
) -> T:
    """A field with this default whose numbers, however nested in tuples, lie between limits.

    Args:
        least: limit that may be reached.
        most: likewise.
        strictly: `above` and `below`, limits that may not.
    """
    metadata: dict[str, Any] = {"limits": Limits(least, most, **strictly)}
    return field(default=default, metadata=metadata | (dict(WRITTEN_WHEN_SET) if written_when_set else {}))


@dataclass(frozen=True, kw_only=True)
class Config:
    """Base of all configs. ValueError: a field is not of its type, or beyond its limits."""

    def __post_init__(self) -> None:
        hints = _hints(type(self))  # type: ignore[arg-type]  # a class, which can be hashed
        for one in dataclasses.fields(self):
            value, limits = getattr(self, one.name), one.metadata.get("limits", NO_LIMITS)
            if not _fits(value, hints[one.name], limits):
                raise ValueError(f"{one.name} is {_short(value)}, not {_described(hints[one.name], limits)}")


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


def from_mapping(
    config_class: type[C],
    values: Mapping[str, Any],
    *,
    where: str = "this config",
    error: type[VQCError] = CheckpointError,
) -> C:
    """The config with these fields, lists becoming tuples.

    Args:
        where: what they stand in, for messages.
        error: raised for a key that is unknown (the nearest known one is named) or missing, and for values that are of
            another type, beyond their limits, or do not fit together.
    """
    fields = {one.name: one for one in dataclasses.fields(config_class)}
    for key in values:
        if key not in fields:
            known = ", ".join(sorted(fields)) or "none"
            raise error(f"{where} has no key {_short(key)}{did_you_mean(key, list(fields))}; known are {known}")
    for name, one in fields.items():
        if one.default is dataclasses.MISSING and name not in values:
            raise error(f"{where} lacks the key {name!r}")
    try:
        return config_class(**{name: _frozen(value) for name, value in values.items()})
    except (ValueError, RecursionError) as reason:
        raise error(f"{where} cannot be used: {reason}") from None


def canonical_json(value: Any) -> str:
    """The one JSON text of a value: sorted keys, no spaces."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


@cache
def _hints(config_class: type[Any]) -> dict[str, Any]:
    return typing.get_type_hints(config_class)


def _fits(value: Any, hint: Any, limits: Limits) -> bool:
    """True for a value of the type of an annotation whose numbers are within the limits."""
    origin, options = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return isinstance(value, str) and value in options
    if origin is UnionType:
        return any(_fits(value, one, limits) for one in options)
    if origin is tuple:
        if not isinstance(value, tuple) or len(value) > MOST_ITEMS:
            return False
        items = _items(hint, len(value))
        return len(items) == len(value) and all(_fits(*pair, limits) for pair in zip(value, items, strict=True))
    if hint in (int, float):
        return type(value) in (int, hint) and limits.allow(value)
    return type(value) is hint


def _items(hint: Any, length: int) -> tuple[Any, ...]:
    """Annotations of the items of a tuple of this length."""
    items = typing.get_args(hint)
    return items[:1] * length if items[-1] is Ellipsis else items


def _described(hint: Any, limits: Limits) -> str:
    """Say in words what `_fits`."""
    origin, options = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return " or ".join(map(repr, options))
    if origin is UnionType:
        return " or ".join(_described(one, limits) for one in options)
    if origin is tuple:
        first, *rest = options
        count = f"at most {MOST_ITEMS}" if rest[-1:] == [Ellipsis] else str(1 + len(rest))
        return f"a list of {count}, each {_described(first, limits)}"
    kinds = {int: "a whole number", float: "a number", bool: "true or false", str: "a text", NoneType: "none"}
    return kinds[hint] + (str(limits) if hint in (int, float) else "")


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
