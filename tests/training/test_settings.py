"""Presets and overrides: every bundled preset resolves, a mistake names what was meant."""

from __future__ import annotations

import dataclasses
import json
import math
import re
import tomllib
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest

from vqc.cli.train_plan import toml
from vqc.errors import OptionError
from vqc.models.config import Config
from vqc.models.kinds import load, trainables
from vqc.training.loop.config import LoopConfig
from vqc.training.options import parse_settings, parse_time
from vqc.training.recipe import recipe_of
from vqc.training.settings import PRESETS, preset_names, read_preset, resolve


@pytest.mark.parametrize("name", preset_names())
def test_a_preset_resolves_and_says_only_what_differs_from_the_defaults(name: str) -> None:
    tables = read_preset(name)
    settings, plain = resolve(tables), resolve({"kind": tables["kind"]})
    for section in ("model", "task", "loop"):
        for key in tables.get(section, {}):
            assert getattr(getattr(settings, section), key) != getattr(getattr(plain, section), key), key
    recipe = recipe_of(settings.kind)
    if not trainables()[settings.kind].is_part:  # which need the codec that they are for
        recipe.build(settings)


def test_the_record_of_a_run_resolves_to_the_same_settings(tmp_path: Path) -> None:
    settings = resolve(read_preset("librispeech"), {"task.crop": 640, "loop.minutes": None, "loop.steps": 7})
    record = json.loads(json.dumps(settings.as_dict()))
    assert resolve(record) == settings
    assert (settings.loop.minutes, settings.loop.steps) == (None, 7)


def test_printed_settings_are_a_preset(tmp_path: Path) -> None:
    settings = resolve(read_preset("photo"))
    lines = [f"kind = {toml(settings.kind)}"]
    for section, values in settings.as_dict().items():
        if section != "kind":
            lines += [f"[{section}]", *(f"{k} = {toml(v)}" for k, v in values.items() if v is not None)]
    file = tmp_path / "mine.toml"
    file.write_text("\n".join(lines))
    assert resolve(read_preset(str(file))) == settings


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("model.codebok_size=4", "did you mean 'codebook_size'"),
        ("modle.codebook_size=4", "did you mean 'model'"),
        ("loop.learning_rate=fast", "not a number above 0"),
        ("task.batch_size=1.5", "not a whole number from 1"),
        ("model.strides=[3]", "strides"),
        ("batch_size=3", "section.key=value"),
        ("loop.steps", "section.key=value"),
        ("loop.minutes=[3]", "not a number above 0 or none"),
    ],
)
def test_a_wrong_override_is_one_sentence(override: str, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        resolve(read_preset("cifar10"), parse_settings([override]))


def config_classes() -> list[type[Config]]:
    tasks = {load(row.recipe).task_config for row in trainables().values()}
    return [LoopConfig, *sorted(tasks, key=attrgetter("__name__"))]


@pytest.mark.parametrize("config_class", config_classes())
def test_every_number_of_a_config_has_its_least_where_it_is_declared(config_class: type[Config]) -> None:
    for field in dataclasses.fields(config_class):
        if not {"int", "float"} & set(re.findall(r"\w+", str(field.type))):
            continue
        limits = field.metadata["limits"]
        least = max(limits.least, limits.above)
        for beyond in (least - 1, limits.most + 1 if limits.most < math.inf else math.nan, math.nan):
            value = (beyond,) * max(1, len(field.default)) if isinstance(field.default, tuple) else beyond
            with pytest.raises(ValueError, match=f"{field.name} is"):
                config_class(**{field.name: value})


@pytest.mark.parametrize("wrong", [{"decay": "exponential"}, {"decay_from": 1.0}, {"minutes": 0.0}])
def test_limits_may_exclude_themselves_and_words_are_to_choose_from(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        LoopConfig(**wrong)


def test_the_name_of_a_kind_stands_for_its_defaults() -> None:
    assert resolve(read_preset("audio-vqvae")) == resolve({"kind": "audio-vqvae"})
    assert resolve(read_preset("speech")) != resolve({"kind": "speech"}), "a preset of that name is meant"


def test_an_unknown_preset_names_the_nearest() -> None:
    with pytest.raises(OptionError, match="did you mean 'librispeech'"):
        read_preset("librispech")


def test_damaged_and_missing_preset_files_are_one_sentence(tmp_path: Path) -> None:
    broken = tmp_path / "mine.toml"
    broken.write_text("kind = ")
    for name in (str(broken), str(tmp_path / "no.json")):
        with pytest.raises(OptionError, match="preset"):
            read_preset(name)
    broken.write_text("kind = 'vae'")
    with pytest.raises(OptionError, match="one of photo"):
        resolve(read_preset(str(broken)))


def test_values_are_toml_and_words_are_strings() -> None:
    assert parse_settings(["model.widths=[8, 16]", "loop.steps=7"]) == {"model.widths": [8, 16], "loop.steps": 7}
    assert parse_settings(["loop.precision=bfloat16"]) == {"loop.precision": "bfloat16"}
    assert parse_settings([' loop.precision = "auto"']) == {"loop.precision": "auto"}
    assert parse_settings(["loop.minutes=none"]) == {"loop.minutes": None}


@pytest.mark.parametrize(("text", "minutes"), [("90s", 1.5), ("30m", 30), ("2h", 120), ("1h30m", 90), ("45", 45)])
def test_times(text: str, minutes: float) -> None:
    assert parse_time(text) == pytest.approx(minutes)


@pytest.mark.parametrize("text", ["", "soon", "-3m", "2d", "0", "nan", "1e9h"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(OptionError, match="not one like 90s"):
        parse_time(text)


def test_presets_begin_with_a_comment_that_says_what_they_are() -> None:
    for path in PRESETS.glob("*.toml"):
        text = path.read_text(encoding="utf-8")
        assert text.startswith("# ")
        assert tomllib.loads(text)
