"""Checks of the description in a model file: complete, before any of it is believed, printed or built.

Files come from anywhere. A description that passes holds the fields that this version knows, each of its type; numbers
are finite, texts can be printed, and the name can be that of a file.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from vqc.models.parts import PARTS

MAX_QUALITIES = 255  # a byte of a .vqc file
_MOST_LETTERS = 4000  # of a text
_MOST_NESTED = 8
_COUNT = 1 << 62


class UnknownFieldError(ValueError):
    """A field that this version does not know, or one that it needs and is not there."""


def strict_json(text: str) -> Any:
    """The value of a JSON text in which no key comes twice and every number is one; ValueError otherwise.

    Readers differ in which of two equal keys they take: what one has checked another would not use.
    """
    return json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse_constant)


def check_description(values: Mapping[str, Any]) -> None:
    """ValueError names the first field that cannot be as it is; see `UnknownFieldError` for others."""
    _check(values, _FIELDS, optional=("training", "figures", "history", *(part.name for part in PARTS)))
    for part in PARTS:
        own = values.get(part.name)
        if own is None:
            continue
        if not isinstance(own, dict):
            raise ValueError(f"its {part.name} is {shortened(own)}")
        _check(own, {name: _OF_PARTS[name] for name in part.fields}, optional=part.optional, of=part.name)
    if values["default_quality"] > values["qualities"]:
        raise ValueError(f"its default_quality is {values['default_quality']} of {values['qualities']}")


def is_model_name(name: object) -> bool:
    """True for what can be the name of a model: a printable name of a file on any system, and no option."""
    return (
        isinstance(name, str)
        and 1 <= len(name) <= 80
        and name.isprintable()
        and name == name.strip()
        and name[0] not in ".-"
        and not set(name) & set('/\\:*?"<>|')
    )


def is_digest(value: object) -> bool:
    """True for a SHA-256 in hex."""
    return isinstance(value, str) and re.fullmatch("[0-9a-f]{64}", value) is not None


def shortened(value: object) -> str:
    """A value that a stranger wrote, for a message: what cannot be printed is escaped, a long one cut."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}..."


def _check(values: Mapping[str, Any], fields: Mapping[str, _Test], *, optional: tuple[str, ...], of: str = "") -> None:
    own, where = f"{of} " * bool(of), f" of its {of}" * bool(of)
    if unknown := sorted(set(values) - set(fields) - set(optional)):
        raise UnknownFieldError(f"the {own}field {shortened(unknown[0])} is not known")
    for name, test in fields.items():
        if name not in values:
            if name not in optional:
                raise UnknownFieldError(f"the {own}field {name!r} is missing")
        elif not test(values[name]):
            raise ValueError(f"the {name}{where} is {shortened(values[name])}")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        raise ValueError("a key comes twice")
    return values


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number")


def _is_plain(value: object, nested: int = _MOST_NESTED) -> bool:
    """Finite numbers, printable texts, truths, nothing, and lists and objects of them."""
    if isinstance(value, str):
        return len(value) <= _MOST_LETTERS and value.isprintable()
    if isinstance(value, list):
        return nested > 0 and all(_is_plain(item, nested - 1) for item in value)
    if isinstance(value, dict):
        return nested > 0 and all(_is_plain(one, nested - 1) for pair in value.items() for one in pair)
    return value is None or isinstance(value, bool) or _is_number(value)


def _is_number(value: object) -> bool:
    return (type(value) is float and math.isfinite(value)) or (type(value) is int and -_COUNT <= value <= _COUNT)


def _is_notes(value: object) -> bool:
    return isinstance(value, dict) and _is_plain(value)


def _is_word(value: object) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= 80 and value.isprintable()


def _is_curves(value: Any) -> bool:
    """By name, points [step, value]."""
    return _is_notes(value) and all(
        isinstance(points, list)
        and all(isinstance(point, list) and len(point) == 2 and all(map(_is_number, point)) for point in points)
        for points in value.values()
    )


def _whole(least: int, most: int) -> _Test:
    return lambda value: type(value) is int and least <= value <= most


_Test = Callable[[Any], bool]
_TOLD: dict[str, _Test] = {"parameters": _whole(0, _COUNT), "training": _is_notes, "figures": _is_notes}
_FIELDS: Mapping[str, _Test] = MappingProxyType(
    {
        "name": is_model_name,
        "kind": _is_word,
        "media": lambda value: value in ("image", "audio"),
        "config": _is_notes,
        "qualities": _whole(1, MAX_QUALITIES),
        "default_quality": _whole(1, MAX_QUALITIES),
        "history": _is_curves,
        **_TOLD,
    }
)
_OF_PARTS: Mapping[str, _Test] = MappingProxyType({"kind": _is_word, "config": _is_notes, "digest": is_digest, **_TOLD})
