"""Hostile files and models made from the golden ones, and what happens to them: for `scripts/fuzz` and the tests."""

from __future__ import annotations

import io
import json
import resource
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from vqc.errors import VQCError
from vqc.format.archive import HEAD_BYTES, HEADER_BYTES, read_entries, read_head
from vqc.format.archive import ITEMS as ITEMS_BLOCK
from vqc.format.container import VERSION_WITH_FIELDS, front_length, read_container, split_streams, write_container
from vqc.format.fields import varint
from vqc.format.index import FIELD as INDEX
from vqc.format.index import index_length
from vqc.format.stream import read_chunks, write_chunk
from vqc.models.files import zoo
from vqc.models.files.header import FORMAT, checksum, digest_of
from vqc.models.files.tensors import StoredTensor, digest_tensors
from vqc.models.parts import PARTS, PERCEPTUAL

GOLDEN = Path(__file__).resolve().parent.parent / "tests" / "golden"
SLOW_SECONDS = 2.0  # of processor time
LIMIT = 1 << 16  # pixels, or samples per channel
BIG_BYTES = 500 << 20  # more than was held before
CHECKSUM_BYTES = 4

Random = np.random.Generator


class Verdict(NamedTuple):
    """What became of a case."""

    seed: int
    name: str
    escape: str = ""  # an exception that is no VQCError
    seconds: float = 0.0
    grown: int = 0  # bytes of the process's largest size
    refused: bool = False  # by a VQCError


def judge(seed: int, name: str, use: Callable[[], object]) -> Verdict:
    """Uses a case, in this process."""
    begin, before = time.process_time(), _largest_size()
    escape, refused = "", False
    try:
        use()
    except VQCError:
        refused = True
    except Exception as error:
        escape = f"{type(error).__name__}: {error}"[:300]
    return Verdict(seed, name, escape, time.process_time() - begin, _largest_size() - before, refused)


def _largest_size() -> int:
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size if sys.platform == "darwin" else size * 1024


# .vqc files


def hostile_file(seed: int) -> tuple[str, bytes]:
    """A golden file with damage under a right checksum: (which, its bytes)."""
    rng = np.random.default_rng([1, seed])
    special = rng.random()
    if special < 0.1:
        return hostile_index(rng) if special < 0.05 else hostile_stream(rng)
    files = FILES_WITH_PRIOR if rng.random() < 0.02 else FILES_WITHOUT  # a prior takes a hundred times as long
    path = files[rng.integers(len(files))]
    content = bytearray(path.read_bytes()[:-CHECKSUM_BYTES])
    body = 4 + 3 + 6 + 3  # about where it begins
    for _ in range(rng.integers(1, 4)):
        change = FILE_CHANGES[rng.integers(len(FILE_CHANGES))]
        change(content, min(body, len(content)), rng)
    content = bytearray(path.read_bytes()[:4]) + content[4:]
    return path.name, bytes(content) + zlib.crc32(content).to_bytes(CHECKSUM_BYTES, "little")


def hostile_index(rng: Random) -> tuple[str, bytes]:
    """A golden file with an index, which or what follows is damaged, under right checksums: (which, its bytes)."""
    path = LONG_FILES[rng.integers(len(LONG_FILES))]
    data = write_container(replace(read_container(path.read_bytes()), indexed=True))
    length = front_length(data)
    begin = length - index_length(split_streams(read_container(data).body, 2))
    index, rest = bytearray(data[begin : length - CHECKSUM_BYTES]), bytearray(data[length:-CHECKSUM_BYTES])
    part = (index, rest)[rng.integers(2)]
    for _ in range(rng.integers(1, 4)):
        if rng.random() < 0.3:
            del part[int(rng.integers(len(part))) :]
        part[0:0] = rng.bytes(int(rng.integers(3))) if rng.random() < 0.3 else b""
        part += b"\0"
        part[int(rng.integers(len(part)))] ^= 1 << int(rng.integers(8))
    fields = varint(INDEX) + varint(len(index) + CHECKSUM_BYTES)
    shape_end = begin - len(varint(INDEX) + varint(length - begin)) - len(varint(length))
    front = data[:shape_end] + varint(len(fields) + len(index) + CHECKSUM_BYTES) + fields + index
    content = front + zlib.crc32(front).to_bytes(CHECKSUM_BYTES, "little") + rest
    return path.name, content + zlib.crc32(content).to_bytes(CHECKSUM_BYTES, "little")


def hostile_stream(rng: Random) -> tuple[str, bytes]:
    """A golden recording that came in, with damage under right checksums of front, chunks and all: (which, bytes)."""
    path = LIVE_FILES[0 if rng.random() < 0.02 else rng.integers(1, len(LIVE_FILES))]  # the first has a prior
    data = path.read_bytes()
    length = front_length(data)
    chunks = [*read_chunks(io.BytesIO(data[length:]).read)]
    streams, samples = [chunk.stream or b"" for chunk in chunks], chunks[-1].samples or 1
    front = data[: length - CHECKSUM_BYTES]
    if rng.random() < 0.3:
        front = front[:4] + _bent(front[4:], rng)
    for _ in range(rng.integers(0, 4)):
        at = int(rng.integers(len(streams)))
        streams[at] = (_bent(streams[at], rng), streams[at][: int(rng.integers(9))], rng.bytes(40))[rng.integers(3)]
    if rng.random() < 0.3:
        streams = [streams[int(rng.integers(len(streams)))] for _ in range(rng.integers(1, 40))]
    if rng.random() < 0.5:
        samples = int(rng.choice([1, samples - 1, samples + 1, len(streams) * samples // len(chunks), 2**36, 2**62]))
    *before, last = [stream or b"\0" for stream in streams]
    body = b"".join([*map(write_chunk, before), write_chunk(last, None if rng.random() < 0.1 else samples)])
    if rng.random() < 0.2:
        body = _bent(body, rng) if rng.random() < 0.5 else body[: int(rng.integers(len(body)))]
    return path.name, _mended(_mended(front) + body)


def _header_byte(content: bytearray, body: int, rng: Random) -> None:
    content[int(rng.choice([4, 5, 6, *range(13, max(14, body))])) % len(content)] = int(rng.integers(256))


def _huge_number(content: bytearray, body: int, rng: Random) -> None:
    at = int(rng.integers(13, 17))
    content[at : at + 1] = b"\x80" * int(rng.integers(1, 9)) + bytes([int(rng.integers(128))])


def _body_bits(content: bytearray, body: int, rng: Random) -> None:
    for _ in range(rng.integers(1, 9)):
        content[int(rng.integers(min(13, len(content) - 1), len(content)))] ^= 1 << int(rng.integers(8))


def _cut(content: bytearray, body: int, rng: Random) -> None:
    del content[int(rng.integers(min(13, len(content)), len(content) + 1)) :]
    content.extend(b"\0" * max(0, 13 - len(content)))


def _zeros(content: bytearray, body: int, rng: Random) -> None:
    del content[body:]
    content.extend(bytes(int(rng.integers(300))))


def _noise(content: bytearray, body: int, rng: Random) -> None:
    del content[body:]
    content.extend(rng.bytes(int(rng.integers(300))))


def _more(content: bytearray, body: int, rng: Random) -> None:
    content.extend(rng.bytes(int(rng.integers(1, 40))))


FILE_CHANGES = (_header_byte, _header_byte, _huge_number, _body_bits, _cut, _zeros, _noise, _more)
FILES = sorted(path for path in GOLDEN.glob("*.vqc") if "two-" not in path.name)
LONG_FILES = sorted(path for path in GOLDEN.glob("*.vqc") if "two-" in path.name)
LIVE_FILES = sorted(GOLDEN.glob("*-live.*.vqc"), key=lambda path: ".prior." not in path.name)
FILES_WITH_PRIOR = [path for path in FILES if ".prior." in path.name]
FILES_WITHOUT = [path for path in FILES if ".prior." not in path.name]


# archives


def hostile_archive(seed: int) -> tuple[str, bytes]:
    """A golden archive with damage under right checksums: (which, its bytes)."""
    rng = np.random.default_rng([3, seed])
    path = ARCHIVES[rng.integers(len(ARCHIVES))]
    header, *blocks = parts_of(path.read_bytes())
    for _ in range(rng.integers(1, 4)):
        change = ARCHIVE_CHANGES[rng.integers(len(ARCHIVE_CHANGES))]
        with suppress(VQCError):  # what was bent before cannot be taken apart again
            header, blocks = change(header, blocks, rng)
    data = _mended(header) + b"".join(_mended(front) + rest for front, rest in blocks)
    if rng.random() < 0.1:
        data = data[: int(rng.integers(len(data) + 1))] + rng.bytes(int(rng.integers(0, 9)))
    return path.name, data


Blocks = list[tuple[bytes, bytes]]  # of each: head and directory without the checksum, data


def parts_of(data: bytes) -> tuple[Any, ...]:
    """An archive taken apart, believed: its header, then its blocks; all without checksums."""
    parts: list[Any] = [data[: HEADER_BYTES - CHECKSUM_BYTES]]
    at = HEADER_BYTES
    while at < len(data):
        head = read_head(data[at : at + HEAD_BYTES])
        parts.append((data[at : at + head.front - CHECKSUM_BYTES], data[at + head.front : at + head.length]))
        at += head.length
    return tuple(parts)


def _mended(data: bytes) -> bytes:
    return data + zlib.crc32(data).to_bytes(CHECKSUM_BYTES, "little")


def _bent(data: bytes, rng: Random, first: int = 0) -> bytes:
    """Some bytes changed, put in or taken away."""
    content = bytearray(data)
    for _ in range(rng.integers(1, 4)):
        at, kind = int(rng.integers(first, max(first + 1, len(content)))), rng.integers(4)
        if kind == 0:
            content[at : at + 1] = b"\x80" * int(rng.integers(1, 9)) + bytes([int(rng.integers(128))])
        elif kind == 1:
            del content[at : at + int(rng.integers(1, 5))]
        else:
            content[at : at + 1] = bytes([int(rng.integers(256))])
    return bytes(content)


def _bent_header(header: bytes, blocks: Blocks, rng: Random) -> tuple[bytes, Blocks]:
    content = bytearray(header)
    content[int(rng.integers(4, 8))] = int(rng.integers(256))
    return bytes(content), blocks


def _bent_directory(header: bytes, blocks: Blocks, rng: Random) -> tuple[bytes, Blocks]:
    """What is in a block changed, with the lengths in its head mended."""
    which = int(rng.integers(len(blocks)))
    front, data = blocks[which]
    head = read_head(front + bytes(HEAD_BYTES))
    inside = _bent(front[head.head :], rng)
    blocks[which] = (front[:1] + varint(len(inside)) + varint(len(data)) + inside, data)
    return header, blocks


def _bent_head(header: bytes, blocks: Blocks, rng: Random) -> tuple[bytes, Blocks]:
    which = int(rng.integers(len(blocks)))
    blocks[which] = (_bent(blocks[which][0][:8], rng) + blocks[which][0][8:], blocks[which][1])
    return header, blocks


def _bent_items(header: bytes, blocks: Blocks, rng: Random) -> tuple[bytes, Blocks]:
    """Bytes of items changed, and all checks of their block mended."""
    which = int(rng.integers(len(blocks)))
    front, data = blocks[which]
    head = read_head(front + bytes(HEAD_BYTES))
    if head.kind != ITEMS_BLOCK or not data:
        return header, blocks
    bent = bytearray(data)
    for _ in range(rng.integers(1, 9)):
        bent[int(rng.integers(len(bent)))] = int(rng.integers(256))
    entries = read_entries(_mended(front), head._replace(data=len(data)), header[5])
    checks = b"".join((zlib.crc32(bent[e.start : e.start + e.length]) & 0xFFFF).to_bytes(2, "little") for e in entries)
    blocks[which] = (front[: -len(checks)] + checks, bytes(bent))
    return header, blocks


def _moved_blocks(header: bytes, blocks: Blocks, rng: Random) -> tuple[bytes, Blocks]:
    return header, [blocks[int(rng.integers(len(blocks)))] for _ in range(rng.integers(1, 6))]


ARCHIVE_CHANGES = (
    *(_bent_header, _bent_directory, _bent_directory, _bent_directory, _bent_head),
    *(_bent_items, _bent_items, _moved_blocks),
)
ARCHIVES = sorted(GOLDEN.glob("*.vqca"))


# model files


class Model(NamedTuple):
    """A model file taken apart."""

    info: dict[str, Any]
    tensors: dict[str, StoredTensor]


def read_model(path: Path) -> Model:
    """A model file, believed."""
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    header, body = json.loads(data[8 : 8 + length]), data[8 + length :]
    info = json.loads(header.pop("__metadata__")["info"])
    tensors = {
        name: StoredTensor(name, t["dtype"], tuple(t["shape"]), body[slice(*t["data_offsets"])])
        for name, t in header.items()
    }
    return Model(info, tensors)


def write_model(model: Model, **changed: str) -> bytes:
    """The bytes of a model file, digest and checksums as they should be but for metadata that is given."""
    info, tensors = model
    try:
        parts = {part.name: info[part.name] for part in PARTS if info.get(part.name) is not None}
        digest = digest_of(info["kind"], info["config"], tensors.values(), parts)
        if isinstance(parts.get(PERCEPTUAL.name), dict):
            own = digest_tensors([], (t for t in tensors.values() if t.name.startswith(PERCEPTUAL.prefix)))
            info = info | {PERCEPTUAL.name: parts[PERCEPTUAL.name] | {"digest": own}}
    except (KeyError, TypeError, ValueError):
        digest = "0" * 64
    metadata = {"format": FORMAT, "info": json.dumps(info), "digest": digest} | changed
    metadata = {"check": checksum(metadata)} | metadata
    entries, body = dict[str, Any](), b""
    for name, tensor in tensors.items():
        stop = len(body) + len(tensor.data)
        entries[name] = {"dtype": tensor.dtype, "shape": list(tensor.shape), "data_offsets": [len(body), stop]}
        body += bytes(tensor.data)
    header = json.dumps({"__metadata__": metadata} | entries).encode()
    return len(header).to_bytes(8, "little") + header + body


def hostile_model(seed: int) -> tuple[str, bytes]:
    """A golden model with something changed: (which, its bytes)."""
    rng = np.random.default_rng([2, seed])
    small = rng.random() < 0.97
    path = (SMALL_MODELS if small else MODELS)[rng.integers(len(SMALL_MODELS if small else MODELS))]
    model = read_model(path)
    for _ in range(rng.integers(1, 3)):
        change = MODEL_CHANGES[rng.integers(len(MODEL_CHANGES))]
        change(model, rng)
    data = write_model(model)
    if rng.random() < 0.1:
        bent = bytearray(data)
        for _ in range(rng.integers(1, 4)):
            bent[int(rng.integers(len(bent)))] ^= 1 << int(rng.integers(8))
        data = bytes(bent)
    return path.name, data


STRANGE: tuple[Any, ...] = (
    *(None, True, "", "x", "\x1b[31m", "../x", "a" * 5000, [], {}, [[]], [["x"]], {"a": {"a": {}}}),
    *(-1, 0, 1, 2, 3, 4, 7, 8, 64, 255, 256, 4096, 65_536, 65_537, 300_000_000, 2**31, 2**63, 10**40),
    *(0.5, -1.5, 1e-30, 1e30, 1e308, float("nan"), float("inf")),
    *([1], [2, 2], [64] * 4, [1] * 256, [[1, 1, 2]], [[1, 1, 65_536]], [[300, 1, 2]], [[4096, 1, 4096]]),
)


def _strange(rng: Random) -> Any:
    return STRANGE[rng.integers(len(STRANGE))]


def _field(model: Model, rng: Random) -> None:
    _replace(model.info, rng)


def _config_field(model: Model, rng: Random) -> None:
    parts = [model.info, *(p for p in map(model.info.get, ("prior", "likelihood")) if isinstance(p, dict))]
    part = parts[rng.integers(len(parts))]
    if isinstance(part.get("config"), dict):
        _replace(part["config"], rng)


def _replace(values: dict[str, Any], rng: Random) -> None:
    if not values or rng.random() < 0.05:
        values[f"new{rng.integers(9)}"] = _strange(rng)
        return
    name = list(values)[rng.integers(len(values))]
    if rng.random() < 0.1:
        del values[name]
    elif isinstance(values[name], list) and values[name] and rng.random() < 0.5:
        values[name] = [*values[name]]
        values[name][rng.integers(len(values[name]))] = _strange(rng)
    else:
        values[name] = _strange(rng)


def _part(model: Model, rng: Random) -> None:
    name = ("prior", "likelihood", "sharp", "history", "figures", "training")[rng.integers(6)]
    model.info[name] = {} if rng.random() < 0.3 else _strange(rng)


def _numbers(model: Model, rng: Random) -> None:
    """Some numbers of a tensor, which the config does not forbid."""
    name = _some(model, rng)
    tensor = model.tensors[name]
    kind = NUMPY_TYPES.get(tensor.dtype, "i1")
    values = np.frombuffer(tensor.data, kind).copy()
    if not len(values):
        return
    strange: tuple[float, ...] = (0, 1, -1, 100, 127, -128)
    if kind[1] == "f":
        strange = (np.nan, np.inf, -np.inf, 0, -1, 6e4, -6e4, 1e-7)
    at = slice(None) if rng.random() < 0.3 else rng.integers(len(values), size=rng.integers(1, 5))
    values[at] = strange[rng.integers(len(strange))]
    model.tensors[name] = tensor._replace(data=values.tobytes())


def _table(model: Model, rng: Random) -> None:
    tensor = model.tensors.get("static_table")
    if tensor is not None and tensor.dtype in ("I32", "U16"):
        values = np.frombuffer(tensor.data, NUMPY_TYPES[tensor.dtype]).astype("<i8")
        values[rng.integers(len(values), size=rng.integers(1, 5))] += rng.integers(-70_000, 70_000)
        values = values.astype(NUMPY_TYPES[tensor.dtype])
        model.tensors["static_table"] = tensor._replace(data=values.tobytes())


def _shape(model: Model, rng: Random) -> None:
    name = _some(model, rng)
    tensor = model.tensors[name]
    shapes = (tensor.shape[::-1], (*tensor.shape, 1), (0, *tensor.shape), (2**40, *tensor.shape), tensor.shape[1:])
    model.tensors[name] = tensor._replace(shape=shapes[rng.integers(len(shapes))])


def _type(model: Model, rng: Random) -> None:
    name = _some(model, rng)
    types = ("F64", "F32", "F16", "BF16", "I64", "I32", "I16", "U16", "I8", "U8", "BOOL", "x")
    model.tensors[name] = model.tensors[name]._replace(dtype=types[rng.integers(len(types))])


def _names(model: Model, rng: Random) -> None:
    name = _some(model, rng)
    tensor = model.tensors.pop(name)
    if rng.random() < 0.5:
        model.tensors[f"{name}{_strange(rng)}"[:300]] = tensor


def _some(model: Model, rng: Random) -> str:
    return list(model.tensors)[rng.integers(len(model.tensors))]


MODEL_CHANGES = (
    *(_field, _field, _config_field, _config_field, _config_field, _part, _part),
    *(_numbers, _numbers, _table, _shape, _type, _names),
)
NUMPY_TYPES = {"F16": "<f2", "F32": "<f4", "F64": "<f8", "I16": "<i2", "I32": "<i4", "I64": "<i8", "U16": "<u2"}
SMALL_MODELS = [GOLDEN / f"{name}.safetensors" for name in ("image", "audio", "maps", "phones")]
MODELS = sorted(GOLDEN.glob("*.safetensors"))


def use_file(data: bytes) -> None:
    """Restores a hostile file, as a program would that expects no more than so many pixels or samples.

    First what is whole of it, as it comes in, and a part.
    """
    import vqc
    from vqc.codec.live.restore import decompress_stream

    if data[3] == VERSION_WITH_FIELDS:
        with suppress(VQCError):
            decompress_stream(io.BytesIO(data), io.BytesIO(), limit=LIMIT)
        with suppress(VQCError):
            vqc.decompress_file(
                data, io.BytesIO(), format="wav" if data[4] % 2 == 0 else "png", salvage=True, limit=LIMIT
            )
        with suppress(VQCError), vqc.open(data, limit=LIMIT) as file:
            file.seek(file.frames // 2)
            file.read(100)
    vqc.decompress(data, limit=LIMIT)


def use_archive(path: Path) -> None:
    """Lists a hostile archive and reads its items, one by one and together."""
    from vqc.archive.reader import Archive

    with Archive(path, device="cpu", limit=LIMIT) as opened:
        found = list(opened.sound([]))
        opened[-1:]
        for item in found[:3]:
            item.to_vqc()
            item.decode()
        opened.codes([item.index for item in found[:8]])


def use_model(path: Path) -> None:
    """Loads a hostile model, compresses with it, and restores that."""
    from vqc.codec.api import compress
    from vqc.codec.open import open_codec
    from vqc.models.files.checkpoint import load_checkpoint

    loaded = load_checkpoint(path)
    if loaded.info.media == "image":
        picture = np.random.default_rng(0).integers(0, 256, (20, 24, 3), np.uint8)
        open_codec("image", loaded, "cpu").decompress(compress(picture, model=loaded))
    else:
        waveform = np.random.default_rng(0).normal(0, 0.1, 2000).astype(np.float32)
        for _ in open_codec("audio", loaded, "cpu").decompress(compress(waveform, sample_rate=16_000, model=loaded)):
            pass


def warm_up() -> None:
    """Restores every golden file, so that no case pays for what the first of its kind loads; and all models stay."""
    zoo._load_state = lru_cache(maxsize=None)(zoo._load_state.__wrapped__)
    for path in FILES:
        use_file(path.read_bytes())


def try_files(seeds: range) -> Iterator[Verdict]:
    """What becomes of hostile files; the golden models are to be those at hand."""
    for seed in seeds:
        name, data = hostile_file(seed)
        yield judge(seed, name, lambda data=data: use_file(data))  # type: ignore[misc]


def try_archives(seeds: range, folder: Path) -> Iterator[Verdict]:
    """What becomes of hostile archives, each written into the folder."""
    yield from try_written(seeds, folder / "hostile.vqca", hostile_archive, use_archive)


def try_models(seeds: range, folder: Path) -> Iterator[Verdict]:
    """What becomes of hostile models, each written into the folder."""
    yield from try_written(seeds, folder / "hostile.safetensors", hostile_model, use_model)


def try_written(
    seeds: range, path: Path, hostile: Callable[[int], tuple[str, bytes]], use: Callable[[Path], object]
) -> Iterator[Verdict]:
    """What becomes of hostile files that are used by their path."""
    for seed in seeds:
        name, data = hostile(seed)
        path.write_bytes(data)
        yield judge(seed, name, lambda: use(path))
