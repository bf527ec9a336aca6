"""Every mistake a user can make, as one exception tree, and the warnings.

Each message is one sentence that names the thing, says what is wrong with it, and says what to do next.
The command line prints it after ``vqc:`` and exits with `exit_code`. A warning is printed alike, unless with --quiet,
and the work goes on.
"""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar


class VQCError(Exception):
    """Base of all errors that a user can cause; anything else that escapes is a bug in vqc."""

    exit_code: ClassVar[int] = 1


class MediaError(VQCError):
    """An image or audio file cannot be read, or is of a kind that is not supported."""


class VQCWarning(UserWarning):
    """Base of all warnings, which are given to `warnings.warn`: one sentence, and the work goes on."""


class ModelWarning(VQCWarning):
    """A file in the model folder is left out, because it is no model or damaged."""


class MediaWarning(VQCWarning):
    """An image or audio file was read or written, but not all of it is as it should be."""


class ArchiveWarning(VQCWarning):
    """An archive was read, but only a part of it can be."""


class ContainerError(VQCError):
    """A ``.vqc`` file is damaged, cut short, implausible, or not a ``.vqc`` file at all."""


class ModelNotFoundError(VQCError):
    """No model with this name or digest is bundled or in the user's model folder."""


class ModelNameError(ModelNotFoundError):
    """A model was asked for by a name or a path that is not there."""

    exit_code: ClassVar[int] = 2


class CheckpointError(VQCError):
    """A model file cannot be read, or its config and tensors do not belong together."""


class OutputError(VQCError):
    """A result cannot be written: the target exists, or its folder is missing or read-only."""


class TargetError(VQCError):
    """A score or a size that was asked for is out of reach for this file."""


class TrainingError(VQCError):
    """Training cannot start or go on: no data, a run folder of another config, or a loss that is not finite."""


class MissingPackageError(VQCError):
    """A package that only an extra installs is not here, such as matplotlib."""


class OptionError(VQCError):
    """An option has a value that cannot be used."""

    exit_code: ClassVar[int] = 2


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`, did you mean 'photo'?` where a known word is near, and nothing otherwise."""
    found = difflib.get_close_matches(word, list(known), 1)
    return f", did you mean {found[0]!r}?" if found else ""


@contextmanager
def warnings_to(say: Callable[[VQCWarning], object], kind: type[VQCWarning]) -> Iterator[None]:
    """Give each different warning of a kind in the block to `say`, once; others are shown as before."""
    said = set[str]()
    with warnings.catch_warnings():
        warnings.simplefilter("always", kind)
        others = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
            if not isinstance(message, kind):
                others(message, category, *where, **more)
            elif str(message) not in said:  # a file may be read several times
                said.add(str(message))
                say(message)

        warnings.showwarning = show
        yield
