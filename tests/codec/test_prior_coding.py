"""Streams coded with a prior: they come back, cost what the prior says, and are refused when damaged."""

from __future__ import annotations

import time
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_priors import draw_codes, draw_model, draw_prior

from vqc.codec import prior_coding
from vqc.codec.batch_coding import read_each, write_each
from vqc.codec.prior_coding import CHECK_BYTES, StreamEnds, decode_with_prior, encode_with_prior
from vqc.codec.stream_coder import StreamCoder, write_streams
from vqc.entropy.range_coder import RangeEncoder
from vqc.errors import ContainerError, OptionError
from vqc.models.base import CodecModel
from vqc.models.prior import CodePrior
from vqc.nn.integer import IntegerLinear


def model_with_prior(kind: str) -> CodecModel:
    model = draw_model(kind)
    model.attach_prior(draw_prior(model))
    return model


MODELS = {kind: model_with_prior(kind) for kind in ("photo", "speech")}
each_kind = pytest.mark.parametrize("kind", MODELS)


def codes_of(kind: str, quality: int, grid: tuple[int, ...], items: int = 1, seed: int = 0) -> np.ndarray:
    return draw_codes(MODELS[kind], quality, grid, items, seed).numpy().astype(np.uint16)


@settings(max_examples=25, deadline=None)
@given(st.sampled_from([*MODELS]), st.integers(1, 2), st.integers(1, 19), st.integers(1, 19), st.integers(1, 3))
def test_random_codes_of_any_shape_come_back(kind: str, quality: int, height: int, width: int, items: int) -> None:
    grid = (height, width) if kind == "photo" else (height,)
    codes = codes_of(kind, quality, grid, items, seed=width)
    data = encode_with_prior(MODELS[kind].prior, codes, quality)
    assert np.array_equal(decode_with_prior(MODELS[kind].prior, data, codes.shape, quality), codes)


@each_kind
def test_bytes_are_what_the_prior_says(kind: str) -> None:
    codes = codes_of(kind, 2, (40, 30) if kind == "photo" else (300,))
    costs = np.full(codes.shape, np.nan, np.float32)
    data = encode_with_prior(MODELS[kind].prior, codes, 2, costs)
    signal = torch.from_numpy(codes.astype(np.int64))
    places = torch.cat([index for index, _ in MODELS[kind].prior.coding_steps(signal, 2)]).numpy()
    bits = MODELS[kind].prior.bits(signal, 2).numpy()
    usual = bits < 8  # far from 2^-24, the smallest probability
    assert costs.reshape(-1)[places][usual] == pytest.approx(bits[usual], abs=0.02)
    ideal = float(costs.sum(dtype=np.float64))
    assert 0.9999 * ideal <= 8 * (len(data) - CHECK_BYTES) <= ideal * 1.001 + 8
    again = np.full(codes.shape, np.nan, np.float32)
    decode_with_prior(MODELS[kind].prior, data, codes.shape, 2, again)
    assert np.array_equal(again, costs)


@each_kind
def test_many_items_are_coded_in_turn(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    codes = codes_of(kind, 1, (3, 2) if kind == "photo" else (4,), items=7)
    monkeypatch.setattr(prior_coding, "_ITEMS", 3)
    data = encode_with_prior(MODELS[kind].prior, codes, 1)
    assert np.array_equal(decode_with_prior(MODELS[kind].prior, data, codes.shape, 1), codes)


@each_kind
def test_size_of_pieces_does_not_change_the_bytes(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    codes = codes_of(kind, 2, (9, 8) if kind == "photo" else (30,))
    data = encode_with_prior(MODELS[kind].prior, codes, 2)
    monkeypatch.setattr(prior_coding, "_FREQUENCIES", 60)
    assert encode_with_prior(MODELS[kind].prior, codes, 2) == data


@pytest.fixture(scope="module")
def ending() -> CodecModel:
    """A model whose streams end where their codes do."""
    model = model_with_prior("photo")
    model.prior.config = replace(model.prior.config, ends_early=True)
    return model


def codes_up_to(end: int, grid: tuple[int, int], items: int = 1) -> np.ndarray:
    codes = codes_of("photo", 2, grid, items, seed=end)
    codes[:, end:] = 0
    codes[-1, end - 1] = 1  # a code that is there
    return codes


def test_streams_end_where_codes_do(ending: CodecModel, monkeypatch: pytest.MonkeyPatch) -> None:
    prior, groups = ending.prior, len(ending.codebook_sizes(2))
    counts = StreamEnds(prior, groups).counts
    assert len(counts) > 2
    asked = list[tuple[int, ...]]()
    code = prior_coding.code_with_prior

    def counted(prior: CodePrior, shape: tuple[int, ...], *rest: object) -> np.ndarray:
        asked.append(shape)
        return code(prior, shape, *rest)

    monkeypatch.setattr(prior_coding, "code_with_prior", counted)
    for end in counts:
        codes, done = codes_up_to(end, (5, 4), items=2), []
        costs = np.full(codes.shape, np.nan, np.float32)
        data = encode_with_prior(prior, codes, 2, costs, done=done.append)
        assert np.array_equal(decode_with_prior(prior, data, codes.shape, 2, done=done.append), codes)
        assert asked[-2:] == [(2, end, 5, 4)] * 2
        assert sum(done) == 2 * codes.size
        assert not costs[:, end:].any()
        assert (costs[:, :end].sum((0, 2, 3)) > 0).all()


def test_an_end_takes_a_few_bits(ending: CodecModel) -> None:
    codes = codes_of("photo", 2, (9, 8))
    whole, ended = (len(encode_with_prior(model.prior, codes, 2)) for model in (MODELS["photo"], ending))
    assert whole <= ended <= whole + 1


def test_a_stream_that_could_have_ended_before_is_refused(ending: CodecModel, monkeypatch: pytest.MonkeyPatch) -> None:
    codes = codes_up_to(ending.prior.ends[1], (5, 4))

    def write_all(self: StreamEnds, encoder: RangeEncoder, codes: np.ndarray) -> int:
        encoder.encode(np.array([len(self.counts) - 1], np.int32), np.ones((1, len(self.counts))))
        return self.counts[-1]

    monkeypatch.setattr(StreamEnds, "write", write_all)
    data = encode_with_prior(ending.prior, codes, 2)
    with pytest.raises(ContainerError, match="do not fit its model's prior"):
        decode_with_prior(ending.prior, data, codes.shape, 2)


def test_items_that_end_elsewhere_are_coded_together(ending: CodecModel) -> None:
    coder, ends = StreamCoder(ending, 2), StreamEnds(ending.prior, len(ending.codebook_sizes(2))).counts
    codes = np.concatenate([codes_up_to(end, (5, 4)) for end in (ends[1], ends[-1], ends[0], ends[1])])
    streams = write_each(coder, codes, "prior")
    assert streams == [coder.write(item[None], "prior") for item in codes]
    assert np.array_equal(read_each(coder, streams, "prior", (5, 4)), codes)


@each_kind
def test_damaged_streams_are_refused_soon(kind: str) -> None:
    codes = codes_of(kind, 2, (9, 8) if kind == "photo" else (30,))
    prior, rng = MODELS[kind].prior, np.random.default_rng(0)
    data = encode_with_prior(prior, codes, 2)
    damaged = [b"", data[:1], data[:2], data[: len(data) // 2], data[:-1], data + b"\1", data + b"\0", bytes(len(data))]
    for _ in range(10):
        flipped = bytearray(data)
        flipped[rng.integers(len(data))] ^= 1 << int(rng.integers(8))
        damaged.append(bytes(flipped))
    begin = time.process_time()
    for stream in damaged:
        with pytest.raises(ContainerError, match="do not fit its model's prior"):
            decode_with_prior(prior, stream, codes.shape, 2)
    assert time.process_time() - begin < 20


@each_kind
def test_a_long_stream_of_few_codes_takes_little_memory(kind: str) -> None:
    shape = codes_of(kind, 2, (3, 2) if kind == "photo" else (4,)).shape
    tracemalloc.start()
    with pytest.raises(ContainerError, match="do not fit its model's prior"):
        decode_with_prior(MODELS[kind].prior, bytes(range(256)) * 400, shape, 2)
    assert tracemalloc.get_traced_memory()[1] < 50e6
    tracemalloc.stop()


def test_a_machine_that_computes_something_else_is_told() -> None:
    """What would be noise without the checksum of the codes: a little more in one bias of the reader's prior."""
    codes = codes_of("photo", 2, (9, 8))
    data = encode_with_prior(MODELS["photo"].prior, codes, 2)
    other = model_with_prior("photo").prior
    layer = next(module for module in other.modules() if isinstance(module, IntegerLinear))
    layer.bias += 50
    with pytest.raises(ContainerError, match="do not fit its model's prior"):
        decode_with_prior(other, data, codes.shape, 2)


def test_a_float_prior_cannot_drive_the_coder() -> None:
    with pytest.raises(AssertionError, match="floats differ"):
        encode_with_prior(draw_prior(draw_model("photo")), codes_of("photo", 2, (3, 3)), 2)


@each_kind
def test_auto_takes_the_smallest(kind: str) -> None:
    model, grid = MODELS[kind], (24, 20) if kind == "photo" else (80,)
    coder = StreamCoder(model, 2)
    parts = [codes_of(kind, 2, grid)]
    lengths = {mode: len(coder.write(parts[0], mode)) for mode in ("prior", "static", "none")}
    mode, streams = write_streams(coder, parts, "auto")
    assert len(streams[0]) == lengths[mode] == min(lengths.values())


def test_a_file_that_wants_a_prior_which_is_not_there() -> None:
    coder = StreamCoder(draw_model("photo"), 2)
    with pytest.raises(ContainerError, match="needs a learned prior"):
        coder.read(b"\0\0\0", "prior", 1, (2, 2))


def test_prior_can_only_be_asked_of_a_model_that_has_one() -> None:
    from vqc.codec.validation import check_mode

    assert check_mode(MODELS["photo"], "prior", "tiny") == "prior"
    with pytest.raises(OptionError, match="tiny has no learned prior"):
        check_mode(draw_model("photo"), "prior", "tiny")
