"""Whether the items of an archive are whole and can be read."""

from __future__ import annotations

from collections.abc import Iterator

from vqc.archive.reader import Archive
from vqc.errors import ContainerError

_TOGETHER = 128  # items that are read at once


def verify_archive(archive: Archive, *, decode: bool = True) -> Iterator[tuple[int, str]]:
    """Look at the items; tell how many were seen, and a sentence for each that is damaged or "".

    Args:
        decode: whether to read the codes as well; without, the model is not needed. The network is not run.

    Raises:
        ModelNotFoundError, CheckpointError: the model is not at hand, or damaged.
    """
    problems, waiting, seen = list[str](), list[int](), 0
    for item in archive.sound(problems):
        seen += 1
        try:
            archive.container(item.index) if decode else archive.stored(item.index)
        except ContainerError as error:
            yield seen, str(error)
            continue
        waiting.append(item.index)
        if len(waiting) == _TOGETHER:
            yield from ((seen, problem) for problem in _unreadable(archive, waiting, decode=decode))
            waiting.clear()
            yield seen, ""
    yield from ((seen, problem) for problem in (*_unreadable(archive, waiting, decode=decode), *problems))


def _unreadable(archive: Archive, indices: list[int], *, decode: bool) -> Iterator[str]:
    """A sentence for each of these items whose codes cannot be read."""
    if not decode or not indices:
        return
    try:
        archive.codes(indices)
    except ContainerError as error:
        if len(indices) == 1:
            yield f"{archive[indices[0]].name}: {error}"
            return
        for index in indices:
            yield from _unreadable(archive, [index], decode=True)
