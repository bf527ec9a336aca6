"""The Python interface: what goes in comes out in the same form, and every mistake has its sentence."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import PIL.Image
import pytest
import soundfile
import torch

import vqc
from vqc.codec import files
from vqc.data.image_files import Picture, encode_image, read_image
from vqc.data.media_type import media_of_file
from vqc.errors import ContainerError, MediaError, ModelNotFoundError, OptionError, OutputError, VQCError
from vqc.format import container as container_module
from vqc.format.container import read_container, write_container
from vqc.metrics.mse import audio_mse, image_mse

pytestmark = pytest.mark.usefixtures("small_models")


def pixels(height: int = 20, width: int = 30) -> np.ndarray:
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([x * 4, y * 4, x + y], -1).astype(np.uint8)


def tone(samples: int = 400, channels: int = 2) -> np.ndarray:
    return (0.3 * np.sin(np.arange(samples)[:, None] * (0.1 + 0.05 * np.arange(channels)))).astype(np.float32)


def compress_image(media: Any, **options: Any) -> bytes:
    return vqc.compress(media, model="tiny-image", **options)


def compress_audio(media: Any, **options: Any) -> bytes:
    return vqc.compress(media, model="tiny-audio", **({"sample_rate": 8000} | options))


# Arrays, images and tensors


def test_the_same_image_in_every_form_gives_the_same_bytes() -> None:
    rgb = pixels()
    data = compress_image(rgb)
    tensor = torch.from_numpy(rgb).permute(2, 0, 1)
    assert compress_image(PIL.Image.fromarray(rgb)) == data
    assert compress_image(tensor) == data
    assert compress_image(tensor.float() / 255) == data
    assert compress_image(tensor.double() / 255) == data
    assert compress_image(Picture(rgb)) == data
    assert compress_image(np.asfortranarray(rgb)) == data
    read_only = rgb.copy()
    read_only.flags.writeable = False
    assert compress_image(read_only) == data


@pytest.mark.parametrize("channels", [0, 1, 2, 3, 4])
def test_images_come_back_with_their_channels(channels: int) -> None:
    image = np.dstack([pixels(), pixels()[..., :1]])[..., :channels] if channels else pixels()[..., 0]
    result = vqc.decompress(compress_image(image))
    assert isinstance(result, vqc.Image)
    expected = (20, 30) if channels < 2 else (20, 30, channels)
    assert result.array.shape == expected
    assert result.array.dtype == np.uint8
    if channels in (2, 4):
        assert np.array_equal(result.array[..., -1], image[..., -1])
    assert result.to_pil().mode == {0: "L", 1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[channels]
    assert np.array_equal(np.asarray(result.to_pil()), result.array)


def test_the_same_waveform_in_every_form_gives_the_same_bytes() -> None:
    stereo = np.round(tone() * 32768) / 32768
    data = compress_audio(stereo.astype(np.float32))
    assert compress_audio(stereo.astype(np.float64)) == data
    assert compress_audio((stereo * 32768).astype(np.int16)) == data
    assert compress_audio(torch.from_numpy(stereo.T.copy())) == data
    mono = stereo[:, :1]
    assert compress_audio(mono) == compress_audio(mono[:, 0]) == compress_audio(torch.from_numpy(mono[:, 0]))


@pytest.mark.parametrize("shape", [(400,), (400, 1), (400, 2), (1, 3)])
def test_waveforms_come_back_with_their_length_rate_and_channels(shape: tuple[int, ...]) -> None:
    result = vqc.decompress(compress_audio(np.zeros(shape, np.float32), sample_rate=44_100))
    assert isinstance(result, vqc.Audio)
    assert result.samples.shape == (shape[0], shape[1] if len(shape) > 1 else 1)
    assert result.samples.dtype == np.float32
    assert result.sample_rate == 44_100


@pytest.mark.parametrize(
    ("media", "error", "words"),
    [
        (lambda: pixels().astype(np.float32), MediaError, r"outside \[0, 1\]; scale or clamp it \(audio needs"),
        (lambda: np.zeros((2000, 2)), MediaError, "audio needs a sample_rate"),
        (lambda: pixels().astype(np.int64), MediaError, "type int64; give uint8"),
        (lambda: pixels()[None], MediaError, r"shape \(1, 20, 30, 3\)"),
        (lambda: np.zeros((3, 4, 5), np.uint8), MediaError, "1 to 4 channels"),
        (lambda: np.zeros((0, 4, 3), np.uint8), MediaError, "4 x 0 pixels"),
        (lambda: np.zeros(8, np.float32), OptionError, "needs a sample_rate"),
        (lambda: torch.zeros(2, 8), OptionError, "needs a sample_rate"),
        (lambda: torch.zeros(20, 30, 3), MediaError, r"give \[C, H, W\]"),
        (lambda: torch.full((3, 4, 4), 1.5), MediaError, r"outside \[0, 1\]"),
        (lambda: torch.full((3, 4, 4), torch.nan), MediaError, r"outside \[0, 1\]"),
        (lambda: torch.zeros(3, 4, 4, dtype=torch.int64), MediaError, "type int64; give uint8"),
        (lambda: "photo.png", OptionError, "use compress_file"),
        (lambda: b"\x89PNG", OptionError, "use compress_file"),
        (lambda: Path("photo.png"), OptionError, "use compress_file"),
        (lambda: [[1, 2], [3, 4]], OptionError, "cannot compress a list"),
        (lambda: PIL.Image.new("I;16", (4, 4)), MediaError, "16 bits"),
    ],
)
def test_what_is_no_image(media: Callable[[], Any], error: type[VQCError], words: str) -> None:
    with pytest.raises(error, match=words):
        compress_image(media())


@pytest.mark.parametrize(
    ("media", "rate", "error", "words"),
    [
        (lambda: np.zeros((2, 3, 4), np.float32), 8000, MediaError, r"shape \(2, 3, 4\)"),
        (lambda: np.zeros(5, np.int32), 8000, MediaError, "type int32"),
        (lambda: np.zeros(0, np.float32), 8000, MediaError, "no samples"),
        (lambda: np.full(5, 20_000.0), 8000, MediaError, "up to 20000; scale it"),
        (lambda: np.full(5, np.nan), 8000, MediaError, "no numbers"),
        (lambda: np.zeros(5), 0, MediaError, "0 samples per second"),
        (lambda: np.zeros((5, 300)), 8000, MediaError, "300 channels"),
        (lambda: PIL.Image.new("L", (4, 4)), 8000, OptionError, "sample_rate was given with an image"),
    ],
)
def test_what_is_no_waveform(media: Callable[[], Any], rate: int, error: type[VQCError], words: str) -> None:
    with pytest.raises(error, match=words):
        compress_audio(media(), sample_rate=rate)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"model": "tiny-audio"}, OptionError, "tiny-audio is for audio, but this is an image"),
        ({"model": "absent"}, ModelNotFoundError, "no model 'absent'.*tiny-image"),
        ({"quality": 2}, OptionError, "tiny-image are 1 to 1"),
        ({"entropy": "prior"}, OptionError, "prior"),
        ({"device": "tpu"}, OptionError, "device tpu"),
        ({"device": "cuda:x"}, OptionError, "device cuda:x"),
        ({"device": "cuda:99"}, OptionError, "device cuda:99"),
    ],
)
def test_options_that_cannot_be_used(options: dict[str, Any], error: type[VQCError], words: str) -> None:
    with pytest.raises(error, match=words):
        vqc.compress(pixels(), **({"model": "tiny-image"} | options))


def test_floats_are_images_as_their_levels_are() -> None:
    levels = pixels()
    for array in (levels / 255, (levels / 255).astype(np.float32), torch.from_numpy(levels / 255).permute(2, 0, 1)):
        assert compress_image(array) == compress_image(levels)
    gray = levels[..., 0]
    assert compress_image(gray / 255) == compress_image(gray)
    assert compress_image((gray / 255)[:, :2, None]) == compress_image(gray[:, :2])


@pytest.mark.parametrize("rate", [vqc.Rate(target_bytes=900), vqc.Rate(target_bpp=0.5), vqc.Rate(lmbda=500)])
def test_a_quality_and_a_target_exclude_each_other(rate: vqc.Rate) -> None:
    with pytest.raises(OptionError, match=r"quality 3 and (a target size|lambda 500) exclude each other; give one"):
        vqc.compress(pixels(), quality=3, rate=rate)


def test_open_files_are_read_where_paths_are(tmp_path: Path) -> None:
    PIL.Image.fromarray(pixels()).save(tmp_path / "a.png")
    png = io.BytesIO((tmp_path / "a.png").read_bytes())
    vqc.compress_file(png, tmp_path / "a.vqc", model="tiny-image")
    data = (tmp_path / "a.vqc").read_bytes()
    assert data == compress_image(pixels())
    vqc.decompress_file(io.BytesIO(data), tmp_path / "b.png")
    restored = vqc.decompress(data)
    assert isinstance(restored, vqc.Image)
    assert np.array_equal(np.asarray(PIL.Image.open(tmp_path / "b.png")), restored.array)
    assert np.array_equal(vqc.decompress(io.BytesIO(data)).array, restored.array)
    assert vqc.verify(io.BytesIO(data)).bytes == len(data)
    with (
        (tmp_path / "a.vqc").open(encoding="latin-1") as text,
        pytest.raises(MediaError, match="open it with mode 'rb'"),
    ):
        vqc.compress_file(text, tmp_path / "c.vqc")  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="by path, as bytes or open for reading, not as list"):
        vqc.compress_file([1], tmp_path / "c.vqc")  # type: ignore[arg-type]


def test_results_save_and_show_themselves(tmp_path: Path) -> None:
    image = vqc.decompress(compress_image(pixels()))
    assert isinstance(image, vqc.Image)
    image.save(tmp_path / "a.png")
    assert np.array_equal(np.asarray(PIL.Image.open(tmp_path / "a.png")), image.array)
    assert np.array_equal(np.asarray(PIL.Image.open(io.BytesIO(image._repr_png_()))), image.array)
    assert repr(image) == "Image(30 x 20 pixels, 3 channels)"
    with pytest.raises(OutputError, match="exists"):
        image.save(tmp_path / "a.png")
    image.save(tmp_path / "a.png", format="bmp", overwrite=True)
    with PIL.Image.open(tmp_path / "a.png") as again:
        assert again.format == "BMP"
    with pytest.raises(OptionError):
        image.save(tmp_path / "a.xyz")
    sound = vqc.decompress(compress_audio(tone()))
    assert isinstance(sound, vqc.Audio)
    sound.save(tmp_path / "a.wav")
    samples, rate = soundfile.read(tmp_path / "a.wav", always_2d=True)
    assert rate == sound.sample_rate
    assert np.abs(samples - sound.samples).max() < 1e-4
    assert repr(sound).startswith("Audio(")


def test_a_loaded_model_shows_itself_in_a_line() -> None:
    text = repr(vqc.load_model("tiny-image"))
    assert text.startswith("<model tiny-image for image: ")
    assert len(text) < 120


def test_the_errors_of_docstrings_are_where_users_look_for_them() -> None:
    for name in ("CheckpointError", "ContainerError", "MediaError", "ModelNotFoundError", "OptionError", "OutputError"):
        assert issubclass(getattr(vqc, name), vqc.VQCError)
        assert name in dir(vqc)


def test_a_model_can_be_a_path_or_loaded(small_models: Path) -> None:
    data = compress_image(pixels())
    assert vqc.compress(pixels(), model=small_models / "tiny-image.safetensors") == data
    assert vqc.compress(pixels(), model=vqc.load_model("tiny-image")) == data


def test_the_file_finds_its_model_and_says_so_when_it_is_not_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    data = compress_image(pixels())
    digest = read_container(data).header.digest
    assert vqc.load_model("tiny-image").info.digest.startswith(digest.hex())
    vqc.decompress(data)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    with pytest.raises(ModelNotFoundError, match=digest.hex()):
        vqc.decompress(data)
    with pytest.raises(ModelNotFoundError, match=digest.hex()):
        vqc.verify(data, decode=False)


def test_a_file_whose_codec_is_not_its_models() -> None:
    """The digest of an audio model with the size of an image, and the like, with a correct checksum."""
    image, sound = read_container(compress_image(pixels())), read_container(compress_audio(tone()))
    crossed = [
        vars(image.header) | {"digest": sound.header.digest},
        vars(sound.header) | {"digest": image.header.digest},
        vars(image.header) | {"codec": 3},
        vars(image.header) | {"quality": 2},
    ]
    for fields in crossed:
        data = write_container(type(image)(header=type(image.header)(**fields), body=image.body))
        with pytest.raises(ContainerError, match="asks for codec"):
            vqc.decompress(data)
        with pytest.raises(ContainerError, match="asks for codec"):
            vqc.verify(data, decode=False)


def test_a_file_of_an_unknown_kind_wants_another_version_and_no_other_model() -> None:
    image = read_container(compress_image(pixels()))
    header = type(image.header)(**vars(image.header) | {"codec": 251, "digest": b"strange"[:6]})
    data = write_container(type(image)(header=header, body=image.body))
    for read in (vqc.decompress, vqc.verify):
        with pytest.raises(ContainerError, match="codec 251, which this version of vqc does not know; update vqc"):
            read(data)


def test_limits() -> None:
    data = compress_image(pixels())
    with pytest.raises(ContainerError, match="over the limit of 599"):
        vqc.decompress(data, limit=599)
    vqc.decompress(data, limit=600)


def test_long_audio_is_not_restored_in_memory_unasked(monkeypatch: pytest.MonkeyPatch) -> None:
    from vqc.codec import api

    data = compress_audio(tone(400, 2))
    monkeypatch.setattr(api, "MAX_VALUES_OF_A_SMALL_FILE", 799)
    with pytest.raises(ContainerError, match="use decompress_file"):
        vqc.decompress(data)
    vqc.decompress(data, limit=400)


# Files


def write_media(folder: Path, name: str) -> Path:
    path = folder / name
    if name.endswith(".png"):
        path.write_bytes(encode_image(Picture(pixels()), "png"))
    else:
        soundfile.write(path, tone(), 22_050)
    return path


@pytest.mark.parametrize(
    ("name", "model", "out"), [("a.png", "tiny-image", "b.webp"), ("a.wav", "tiny-audio", "b.flac")]
)
def test_files_there_and_back(tmp_path: Path, name: str, model: str, out: str) -> None:
    source, middle, target = write_media(tmp_path, name), tmp_path / "a.vqc", tmp_path / out
    report = vqc.compress_file(source, middle, model=model, stats=True)
    data = middle.read_bytes()
    assert (report.bytes_in, report.bytes_out) == (source.stat().st_size, len(data))
    assert (report.model, report.quality) == (model, 1)
    assert report.entropy == read_container(data).header.entropy
    back = vqc.decompress_file(middle, target)
    assert (back.bytes_in, back.bytes_out) == (len(data), target.stat().st_size)
    assert back.rate == report.rate
    assert back.mse is None
    result = vqc.decompress(data)
    if isinstance(result, vqc.Image):
        assert np.array_equal(read_image(target).pixels, result.array)
        assert report.bits_per_pixel == report.rate == 8 * len(data) / 600
        assert report.pixels == 600
        mse = np.mean((result.array / 255 - pixels() / 255) ** 2)
    else:
        samples, rate = soundfile.read(target, always_2d=True)
        assert rate == 22_050
        assert np.abs(samples - result.samples).max() <= 1 / 32768
        assert report.kbps == report.rate == pytest.approx(8 * len(data) / (400 / 22_050) / 1000)
        assert (report.samples, report.sample_rate, report.channels) == (400, 22_050, 2)
        mse = np.mean((result.samples - soundfile.read(source, dtype="float32")[0]) ** 2)
    assert report.mse == pytest.approx(mse)
    assert report.psnr == pytest.approx(-10 * np.log10(mse))
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([name, "a.vqc", out])


@pytest.mark.parametrize(("name", "model"), [("a.png", "tiny-image"), ("a.wav", "tiny-audio")])
def test_bytes_instead_of_paths_and_a_format_instead_of_a_suffix(tmp_path: Path, name: str, model: str) -> None:
    source = write_media(tmp_path, name)
    from_path = vqc.compress_file(source, tmp_path / "1.vqc", model=model)
    from_bytes = vqc.compress_file(source.read_bytes(), tmp_path / "2.vqc", model=model)
    assert (tmp_path / "1.vqc").read_bytes() == (tmp_path / "2.vqc").read_bytes()
    assert from_path.bytes_in == from_bytes.bytes_in
    data = (tmp_path / "1.vqc").read_bytes()
    vqc.decompress_file(data, tmp_path / "plain", format="bmp" if name == "a.png" else "flac")
    assert (tmp_path / "plain").read_bytes()[:2] == (b"BM" if name == "a.png" else b"fL")


@pytest.mark.parametrize(
    ("name", "out", "words"), [("a.png", "b.wav", r"\.png"), ("a.wav", "b.png", r"\.wav"), ("a.png", "b", r"\.png")]
)
def test_a_suffix_that_does_not_fit(tmp_path: Path, name: str, out: str, words: str) -> None:
    model = "tiny-image" if name == "a.png" else "tiny-audio"
    vqc.compress_file(write_media(tmp_path, name), tmp_path / "a.vqc", model=model)
    with pytest.raises(OptionError, match=words):
        vqc.decompress_file(tmp_path / "a.vqc", tmp_path / out)
    assert not (tmp_path / out).exists()


def test_the_target_is_checked_before_the_source_is_read(tmp_path: Path) -> None:
    target = tmp_path / "a.vqc"
    target.write_bytes(b"old")
    for work in (vqc.compress_file, vqc.decompress_file):
        with pytest.raises(OutputError, match="exists already"):
            work(tmp_path / "missing.png", target)
        with pytest.raises(OutputError, match="does not exist"):
            work(tmp_path / "missing.png", tmp_path / "nowhere" / "a.vqc")
        with pytest.raises(MediaError, match=r"missing\.png: cannot be read"):
            work(tmp_path / "missing.png", target, overwrite=True)
    assert target.read_bytes() == b"old"


@pytest.mark.parametrize("name", ["a.png", "a.wav"])
def test_ctrl_c_leaves_nothing_behind(tmp_path: Path, name: str) -> None:
    model = "tiny-image" if name == "a.png" else "tiny-audio"
    source = write_media(tmp_path, name)

    def interrupt(share: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        vqc.compress_file(source, tmp_path / "a.vqc", model=model, progress=interrupt)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    vqc.compress_file(source, tmp_path / "a.vqc", model=model)
    with pytest.raises(KeyboardInterrupt):
        vqc.decompress_file(tmp_path / "a.vqc", tmp_path / f"b{source.suffix}", progress=interrupt)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([name, "a.vqc"])


def test_a_full_disk_is_an_output_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, os.strerror(28))

    source = write_media(tmp_path, "a.png")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match=r"a\.vqc: cannot be written: No space left"):
        vqc.compress_file(source, tmp_path / "a.vqc", model="tiny-image")
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_the_medium_is_told_by_the_content(tmp_path: Path) -> None:
    for name in ("a.png", "a.wav"):
        data = write_media(tmp_path, name).read_bytes()
        expected = "image" if name == "a.png" else "audio"
        disguised = tmp_path / ("x.wav" if name == "a.png" else "x.png")
        disguised.write_bytes(data)
        assert media_of_file(data) == media_of_file(disguised) == expected
    for form in ("jpeg", "webp", "tiff", "bmp"):
        assert media_of_file(encode_image(Picture(pixels()), form)) == "image"
    for container, subtype in (("FLAC", "PCM_16"), ("OGG", "VORBIS"), ("MP3", "MPEG_LAYER_III"), ("AIFF", "PCM_16")):
        file = io.BytesIO()
        soundfile.write(file, tone(), 22_050, format=container, subtype=subtype)
        assert media_of_file(file.getvalue()) == "audio", container
    with pytest.raises(MediaError, match="already"):
        media_of_file(compress_image(pixels()))
    with pytest.raises(MediaError, match="empty"):
        media_of_file(b"")


# Checking


@pytest.mark.parametrize("decode", [True, False])
def test_verify_good_files(tmp_path: Path, decode: bool) -> None:
    for data, model in (
        (compress_image(np.dstack([pixels()] * 2)[..., :4]), "image"),
        (compress_audio(tone()), "audio"),
    ):
        path = tmp_path / f"{model}.vqc"
        path.write_bytes(data)
        result = vqc.verify(path, decode=decode)
        assert result == vqc.verify(data, decode=decode)
        assert (result.model, result.bytes, result.decoded) == (f"tiny-{model}", len(data), decode)
        assert result.header == read_container(data).header


def test_verify_reads_every_code() -> None:
    container = read_container(compress_image(pixels(), entropy="none"))
    for body in (container.body[:-1], container.body + b"\0"):
        data = write_container(type(container)(header=container.header, body=body))
        vqc.verify(data, decode=False)  # the checksum is right
        with pytest.raises(ContainerError, match="codes take"):
            vqc.verify(data)
    with pytest.raises(MediaError, match="missing"):
        vqc.verify("missing.vqc")


def test_verify_without_decoding_needs_no_torch(tmp_path: Path) -> None:
    (tmp_path / "a.vqc").write_bytes(compress_audio(tone()))
    program = (
        "import sys, vqc; from vqc.codec.inspect.verify import verify; "
        "verify('a.vqc', decode=False); assert 'torch' not in sys.modules; print(vqc.__version__)"
    )
    root = Path(vqc.__file__).parent.parent
    environment = os.environ | {"PYTHONPATH": str(root)}
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert run.stderr == ""
    assert run.stdout.strip() == vqc.__version__


# Figures


def test_errors_are_means_over_all_of_the_signal(rng: np.random.Generator) -> None:
    before, after = rng.integers(0, 256, (2, 600, 7, 3), dtype=np.uint8)
    assert image_mse(before, after) == pytest.approx(np.mean((before / 255 - after / 255) ** 2))
    assert image_mse(before, before) == 0
    left, right = rng.standard_normal((2, 100, 2)).astype(np.float32)
    blocks = [left[:30], left[30:30], left[30:31], left[31:]], [right[:50], right[50:99], right[99:]]
    assert audio_mse(*blocks) == pytest.approx(np.mean((left.astype(float) - right) ** 2))


def test_a_perfect_round_trip_has_infinite_psnr() -> None:
    report = vqc.Report(
        model="m", quality=1, entropy="none", shape=read_container(compress_image(pixels())).header.shape,
        bytes_in=1, bytes_out=1, vqc_bytes=1, seconds=0.0, mse=0.0,
    )  # fmt: skip
    assert report.psnr == np.inf


def test_public_names_are_there_and_unknown_ones_are_not() -> None:
    for name in vqc.__all__:
        assert getattr(vqc, name) is not None
    assert set(vqc.__all__) <= set(dir(vqc))
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        vqc.nonsense  # noqa: B018
    assert files.compress_file is vqc.compress_file


def test_wrong_types_are_told_in_a_sentence() -> None:
    wave: Any = np.zeros(100, np.float32)
    for rate in (16_000.0, "16000", True):
        with pytest.raises(OptionError, match="whole number"):
            vqc.compress(wave, sample_rate=rate)  # type: ignore[arg-type]
    for data in (7, None, "x", Path("x.vqc")):
        with pytest.raises(OptionError, match="cannot decompress"):
            vqc.decompress(data)  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="by name, by path"):
        vqc.compress(wave, sample_rate=16_000, model=3)  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="by name"):
        vqc.compress(wave, sample_rate=16_000, device=None)  # type: ignore[arg-type]


def test_a_file_is_parsed_once_and_one_just_made_never(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, packed, target = tmp_path / "in.png", tmp_path / "packed.vqc", tmp_path / "out.png"
    source.write_bytes(encode_image(Picture(pixels()), "png"))
    sums = list[int]()

    def crc32(data: bytes) -> int:
        sums.append(len(data))
        return zlib.crc32(data)

    monkeypatch.setattr(container_module, "zlib", SimpleNamespace(crc32=crc32))
    report = vqc.compress_file(source, packed, model="tiny-image", stats=True)
    assert sums == [report.bytes_out - 4], "written"
    vqc.decompress_file(packed, target)
    assert sums == [report.bytes_out - 4] * 2, "and read"
