"""Tables say what the evaluation found, with the digits that mean something."""

from __future__ import annotations

import csv
import dataclasses
import json
from pathlib import Path

import pytest
from tiny_evaluation import tiny_evaluation

from vqc.errors import OutputError
from vqc.evaluation import result_tables
from vqc.evaluation.results import Estimate


def test_every_table_has_a_cell_under_every_header() -> None:
    for media in ("image", "audio"):
        made = result_tables.tables(tiny_evaluation(media))
        assert len(made) == 4
        for table in made:
            assert {len(row) for row in table.rows} == {len(table.headers)}


def test_the_table_of_curves_has_the_interval_beside_the_mean() -> None:
    table = result_tables.curve_table(tiny_evaluation())
    assert table.headers == ("codec", "setting", "bpp", "files", "MSE", "PSNR, dB", "MS-SSIM")
    first = dict(zip(table.headers, table.rows[0], strict=True))
    assert first["codec"] == "vqc tiny"
    assert first["PSNR, dB"] == "26.00 ± 0.40"
    assert first["MSE"] == "0.002512"
    assert table.rows[-1][0] == "Paper's codec (published)"
    assert len(result_tables.curve_table(tiny_evaluation(), published=False).rows) == len(table.rows) - 4


def test_bd_rates_have_their_sign() -> None:
    table = result_tables.bd_table(tiny_evaluation())
    assert table.headers == ("against", "PSNR")
    assert table.rows == (("Good codec", "+21.3 %"), ("Bad <codec>", "−38.5 %"))


def test_a_total_is_a_column_only_where_it_is_known() -> None:
    assert "total_bpd" in result_tables.rate_table(tiny_evaluation()).headers
    table = result_tables.rate_table(tiny_evaluation("audio"))
    assert "total_bpd" not in table.headers
    assert table.rows[0] == ("q1", "0.600", "0.03750", "0.03712", "0.750")


def test_an_evaluation_without_rivals_has_no_table_of_them() -> None:
    alone = dataclasses.replace(tiny_evaluation(), bd_rates={}, notes=())
    assert len(result_tables.tables(alone)) == 3


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.098765, "0.0988"),
        (1.5, "1.50"),
        (98.44, "98.4"),
        (999.7, "1,000"),
        (12345.6, "12,346"),
        (0, "0.00"),
        (-0.5, "−0.500"),
        (0.0000123, "1.23e−05"),
        (None, "–"),
    ],
)
def test_numbers_have_three_digits(value: float | None, text: str) -> None:
    assert result_tables.number(value) == text


def test_small_errors_keep_their_digits_and_intervals_their_place() -> None:
    assert result_tables.score("mse", 0.00000123) == "0.00000123"
    assert result_tables.estimate("mse", Estimate(0.00000123, 0.00000011)) == "0.00000123 ± 0.00000011"
    assert result_tables.estimate("psnr", Estimate(31.418, 0.042)) == "31.42 ± 0.04"
    assert result_tables.estimate("psnr", Estimate(31.418, 0)) == "31.42"
    assert result_tables.estimate("psnr", None) == "–"


def test_the_json_is_the_evaluation(tmp_path: Path) -> None:
    found = json.loads(json.dumps(result_tables.as_json(tiny_evaluation()), allow_nan=False))
    assert found["curves"][0]["points"][1]["scores"]["psnr"] == {"mean": 29.0, "half_width": 0.4}
    assert found["qualities"][3]["maps"][0]["perplexity"] == 120.5
    assert found["bd_rates"] == {"psnr": {"good": 21.3, "bad": -38.46}}
    assert found["notes"][0].startswith("left out")


def test_the_csv_has_a_line_for_every_file_and_setting(tmp_path: Path) -> None:
    path = tmp_path / "scores.csv"
    result_tables.write_csv(tiny_evaluation(), path)
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3 * 4 * 2
    assert rows[1]["file"] == "two & <three>.png"
    assert float(rows[0]["psnr"]) == 26
    assert rows[0]["bpp"] == "0.1"
    with pytest.raises(OutputError, match="exists already"):
        result_tables.write_csv(tiny_evaluation(), path)
    result_tables.write_csv(tiny_evaluation(), path, overwrite=True)


def test_what_was_not_written_whole_has_no_size_in_the_csv(tmp_path: Path) -> None:
    whole = tiny_evaluation()
    quick = dataclasses.replace(whole, files=[dataclasses.replace(whole.files[0], bytes=0, rate=0.0)])
    result_tables.write_csv(quick, tmp_path / "a.csv")
    assert "one.png,vqc,q1,,," in (tmp_path / "a.csv").read_text()
