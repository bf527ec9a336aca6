#!/usr/bin/env python3
"""Write the measured tables of README.md and docs/, from what the other programs of this folder left in RESULTS.

python scripts/reproduce/pages.py RESULTS            write every table of which there are results
python scripts/reproduce/pages.py RESULTS --check    only say which differ; the exit code is 1 when one does

A table lies between `<!-- measured: NAME -->` and `<!-- end -->`, together with what is to be said of it as long as it
stands, such as that it is of earlier weights. Speed, memory and start-up differ from run to run, so --check passes over
them.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
BLOCK = re.compile(r"(<!-- measured: ([\w-]+) -->\n?)(.*?)(<!-- end -->)", re.DOTALL)
RATES = (0.06, 0.10, 0.15, 0.22, 0.34, 0.50)  # bpp at which codecs are compared
FULLSIZE_RATES = (0.03, 0.06, 0.10, 0.15, 0.22)
SPEECH_SCORES = (("PESQ-WB", "pesq_wb", 2), ("STOI", "stoi", 3), ("ESTOI", "estoi", 3))
SPEECH_SPECTRA = (  # of this codec alone
    ("ripple off by, fricatives, dB", "ripple_fricatives", 1),
    ("bands off by, fricatives, dB", "bands_fricatives", 1),
    ("bands off by, vowels, dB", "bands_vowels", 1),
)
VOICE_SCORES = (("dnsmos", 2), ("pitch_correlation", 2), ("pitch_error", 1))
PHOTO, SPEECH = "q6", "q5"  # the default qualities
ABSENT = "–"
SHOWN = re.compile(  # of what scripts/bench measures
    r"photo 768 x 512, (prior, quality \d|static, quality 6), .*|speech 60 s, (prior|static), quality 5, .*"
    r"|.*, peak|vqc --help|vqc compress small.png, above import torch|.*, range coded, besides the codes"
)
Document = Mapping[str, Any]


class Results:
    """The JSON documents of a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __getitem__(self, name: str) -> Any:
        return json.loads((self.folder / f"{name}.json").read_text(encoding="utf-8"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("--check", action="store_true", help="change nothing")
    options = parser.parse_args()
    results, differ = Results(options.results), []

    def renew(match: re.Match[str]) -> str:
        opening, name, old, closing = match.groups()
        try:
            new = BLOCKS[name](results)
        except FileNotFoundError as missing:
            print(f"{name}: not measured, there is no {missing.filename}")
            return match[0]
        if options.check and name in OF_THE_MOMENT:
            print(f"{name}: of the moment")
            return match[0]
        print(f"{name}: {'the same' if new == old else 'differs'}")
        if new != old:
            differ.append(name)
        return f"{opening}{new}{closing}"

    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        renewed = BLOCK.sub(renew, text)
        if renewed != text and not options.check:
            page.write_text(renewed, encoding="utf-8")
    if options.check and differ:
        sys.exit(1)


# --- tables -----------------------------------------------------------------------------------------------------------


def table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Markdown, the first column to the left and the others to the right."""
    lines = [headers, ["---", *["--:"] * (len(headers) - 1)], *rows]
    return (
        "".join(f"| {' | '.join(line)} |\n" for line in lines)
        .replace("| --- | --:", "|---|--:")
        .replace(" | --:", "|--:")
        .replace("--: |\n", "--:|\n")
    )


def fixed(value: float | None, places: int) -> str:
    return ABSENT if value is None else f"{value:,.{places}f}".replace("-", "−")


def signed(value: float | None, places: int, unit: str = "") -> str:
    return ABSENT if value is None else f"{value:+.{places}f}{unit}".replace("-", "−")


def own(document: Document) -> Sequence[Document]:
    """The points of the model itself, by rising quality."""
    return sorted(document["curves"][0]["points"], key=lambda point: int(point["setting"][1:]))


def scores(points: Iterable[Document], metric: str) -> list[float]:
    return [point["scores"][metric]["mean"] for point in points]


def curve(document: Document, codec: str, *, published: bool = False) -> Document | None:
    """Of another codec, measured in the same run, or published."""
    found = [c for c in document["curves"] if c["codec"] == codec and (c["origin"] == "published") == published]
    return found[0] if found and found[0]["points"] else None


def saved(static: Document, prior: Document) -> list[float]:
    """Percent by which the prior makes whole files smaller, by quality."""
    pairs = zip(own(static), own(prior), strict=True)
    return [100 * (1 - with_prior["rate"] / without["rate"]) for without, with_prior in pairs]


def quality_table(
    document: Document, static: Document | None, places: int, metrics: Iterable[tuple[str, str, int]]
) -> str:
    """Rates, scores and what the prior saves, if known, a column for each quality; metrics: (name, key, decimals)."""
    points, unit = own(document), document["rate_unit"]
    rows = [
        [unit, *(fixed(point["rate"], places) for point in points)],
        *([name, *(fixed(value, decimals) for value in scores(points, key))] for name, key, decimals in metrics),
    ]
    if static is not None:
        rows += [
            [f"{unit} with `--entropy static`", *(fixed(point["rate"], places) for point in own(static))],
            ["the prior saves", *(f"{value:.0f} %" for value in saved(static, document))],
        ]
    return table(["quality", *(point["setting"][1:] for point in points)], rows)


# --- blocks -----------------------------------------------------------------------------------------------------------


def photo_summary(results: Results) -> str:
    """Cells of the README's table: `photo` at its default quality, and what others need for the same."""
    document = results["photo"]
    point = next(point for point in own(document) if point["setting"] == PHOTO)
    others = [c for c in measured(document) if not c["codec"].startswith("avif-")]
    avif = [c for c in measured(document) if c["codec"].startswith("avif")]
    curves = {c["label"]: avif if c["codec"] == "avif" else [c] for c in others}
    bits = ", ".join(f"{name} {signed(bits_against(document, 'psnr', c), 0, ' %')}" for name, c in curves.items())
    psnr, ms_ssim = (scores([point], key)[0] for key in ("psnr", "ms_ssim"))
    ours = f"{fixed(point['rate'], 3)} bits per pixel, PSNR {fixed(psnr, 2)} dB, MS-SSIM {fixed(ms_ssim, 3)}"
    return f"{ours} | bits against others for the same PSNR: {bits}"


def speech_summary(results: Results) -> str:
    """Cells of the README's table: `speech` at its default quality, and others where they come nearest to its rate."""
    document = results["speech"]
    ours = next(point for point in own(document) if point["setting"] == SPEECH)
    nearest = [
        (c["label"], min(c["points"], key=lambda point: abs(point["rate"] - ours["rate"]))) for c in measured(document)
    ]
    return f"{heard(ours)} | {'; '.join(f'{label}: {heard(point)}' for label, point in nearest)}"


def heard(point: Document) -> str:
    values = (f"{name} {fixed(scores([point], key)[0], places)}" for name, key, places in SPEECH_SCORES[:2])
    return f"{fixed(point['rate'], 2)} kbps, {', '.join(values)}"


def measured(document: Document) -> list[Document]:
    """The curves of the other codecs that were run on the same files."""
    return [c for c in document["curves"][1:] if c["origin"] == "measured" and c["points"]]


def with_best_avif(document: Document) -> list[tuple[str, list[Document]]]:
    """The other codecs with their curves, of which the best counts for each score; last AVIF, however asked for."""
    others = measured(document)
    avif = [c for c in others if c["codec"].startswith("avif")]
    best = [("AVIF, its best for each", avif)] if len(avif) > 1 else []
    return [(c["label"], [c]) for c in others] + best


def worst(gains: Iterable[float | None]) -> float | None:
    """What is left against the best of several."""
    known = [gain for gain in gains if gain is not None]
    return min(known) if known else None


def bits_against(document: Document, metric: str, curves: Iterable[Document]) -> float | None:
    known = [document["bd_rates"][metric].get(c["codec"]) for c in curves]
    return max((bits for bits in known if bits is not None), default=None)


def photo(results: Results) -> str:
    """Kodak."""
    document = results["photo"]
    quality = quality_table(document, results["photo-static"], 3, (("PSNR, dB", "psnr", 2), ("MS-SSIM", "ms_ssim", 3)))
    sources = "; ".join(f"{c['label']}: {c['source']}" for c in measured(document))
    return (
        f"{quality}\nThe same files through other codecs, at the same sizes and at their smallest, in the same run:\n"
        "PSNR of `photo` above theirs in dB at equal bpp, and how many bits more (+) or fewer (−) it takes for the\n"
        f"same score (Bjøntegaard rate); {ABSENT} where a codec does not reach the rate.\n\n"
        f"{against_table(document, RATES)}\n{sources}.\n"
    )


def fullsize(results: Results) -> str:
    """Photos of 8 megapixels and more."""
    document = results["fullsize"]
    quality = quality_table(document, None, 3, (("PSNR, dB", "psnr", 2), ("MS-SSIM", "ms_ssim", 4)))
    return f"{quality}\n{against_table(document, FULLSIZE_RATES)}"


def against_table(document: Document, rates: Sequence[float]) -> str:
    """The model beside other codecs; of AVIF in several ways the best counts for each column."""
    points = own(document)
    rows = [
        [label, *(signed(worst(gain(points, c["points"], rate) for c in curves), 1) for rate in rates)]
        + [signed(bits_against(document, metric, curves), 0, " %") for metric in ("psnr", "ms_ssim")]
        for label, curves in with_best_avif(document)
    ]
    return table(["vqc against", *(f"{rate:.2f} bpp" for rate in rates), "bits, by PSNR", "bits, by MS-SSIM"], rows)


def gain(points: Sequence[Document], others: Sequence[Document], rate: float) -> float | None:
    """dB above another codec at a rate that both reach, both curves straight in the logarithm of the rate."""
    at = []
    for curve_points in (points, others):
        rates = [point["rate"] for point in curve_points]
        if not min(rates) <= rate <= max(rates):
            return None
        at.append(np.interp(np.log(rate), np.log(rates), scores(curve_points, "psnr")))
    return float(at[0] - at[1])


def speech(results: Results) -> str:
    """LibriSpeech test-other."""
    document = results["speech"]
    quality = quality_table(document, results["speech-static"], 2, (*SPEECH_SCORES, *SPEECH_SPECTRA))
    others = [
        (c["label"] + (" (published)" if c["origin"] == "published" else ""), point)
        for c in document["curves"][1:]
        for point in c["points"]
    ]
    others.sort(key=lambda other: other[1]["rate"])
    rows = [
        ["kbps", *(fixed(point["rate"], 2) for _, point in others)],
        *(
            [label, *(fixed(point["scores"].get(metric, {}).get("mean"), places) for _, point in others)]
            for label, metric, places in SPEECH_SCORES
        ),
    ]
    sources = "; ".join(f"{c['label']}: {c['source']}" for c in measured(document))
    return (
        f"{quality}\nThe same files through other codecs, each utterance at its best alignment ({sources}):\n\n"
        f"{table(['', *(label for label, _ in others)], rows)}"
    )


def cifar10(results: Results) -> str:
    """The paper's image model, and lossless codecs on the same images."""
    document = results["cifar10"]
    quality = document["qualities"][0]
    mse, psnr = (scores(own(document), key)[0] for key in ("mse", "psnr"))
    lossless = [fixed(bits_per_dimension(document, codec), 2) for codec in ("jxl-lossless", "png")]
    rows = [
        ["MSE on [0, 1] (PSNR)", ABSENT, f"{fixed(mse, 5)} ({fixed(psnr, 1)} dB)"],
        ["perplexity of 512 codes", ABSENT, fixed(quality["maps"][0]["perplexity"], 0)],
        ["`rate_bpd`, whole files", "0.8092 bpd (report, does not say of what)", fixed(quality["rate_bpd"], 3)],
        ["`ideal_bpd`, codes under the PixelCNN prior", "as above", fixed(quality["ideal_bpd"], 3)],
        ["`total_bpd`, codes and residual", "4.67 (paper, all test images)", fixed(quality["total_bpd"], 2)],
        ["lossless files of the same images: JPEG XL, PNG", ABSENT, ", ".join(lossless)],
    ]
    return table(["`cifar10`: 64 codes of 9 bits an image", "report or paper", "vqc"], rows)


def cifar10_maps(results: Results) -> str:
    """The same family of models with more codes: codes and residual as lossless compression."""
    document = results["cifar10-maps"]
    quality = document["qualities"][0]
    few = ", ".join(fixed(bits_per_dimension(document, codec), 2) for codec in ("jxl-lossless", "png"))
    rows = [
        ["`total_bpd`, codes and residual", "4.67 (paper, all test images)", fixed(quality["total_bpd"], 3)],
        ["of it `ideal_bpd`, the codes", ABSENT, fixed(quality["ideal_bpd"], 3)],
        [
            f"{quality['files']} images as whole files, without residual (JPEG XL lossless, PNG)",
            ABSENT,
            f"{fixed(quality['rate_bpd'], 2)} ({few})",
        ],
    ]
    return table(["`cifar10-maps`: fourteen code maps of 8×8", "paper", "vqc"], rows)


def librispeech(results: Results) -> str:
    """The paper's shape of speech codes."""
    document = results["librispeech"]
    mse, relative = (scores(own(document), key)[0] for key in ("mse", "relative_mse"))
    perplexity = document["qualities"][0]["maps"][0]["perplexity"]
    rows = [
        ["MSE on [−1, 1]", "0.006", fixed(mse, 5)],
        ["the same as a share of the signal's power", "about 1", fixed(relative, 2)],
        ["perplexity of 512 codes", "less than a fifth in use", fixed(perplexity, 0)],
        ["kbps, whole files", ABSENT, fixed(own(document)[0]["rate"], 2)],
    ]
    return table(["`librispeech`: 250 codes of 9 bits a second", "report", "vqc"], rows)


def wavenet(results: Results) -> str:
    """What a WaveNet saves of codes of speakers that nothing was trained on."""
    rows = []
    for model in ("phones", "librispeech"):
        maps = results[model]["qualities"][0]["maps"][0]
        order_0, bits = np.log2(maps["perplexity"]), maps["bits_per_code"]
        below = f"{100 * (1 - bits / order_0):.1f} %"
        rows.append([f"`{model}`", f"{maps['codes']:,}", fixed(order_0, 2), fixed(bits, 2), below])
    return table(["codes of test-other", "codes", "bits a code, order-0", "under the WaveNet", "fewer"], rows)


def drawn_images(results: Results) -> str:
    """Images drawn from the prior of cifar10."""
    study = results["samples-cifar10"]
    guided = [results[f"samples-cifar10-guidance-{guidance}"] for guidance in (2, 3, 4)]
    sets = study["sets"] + [
        row | {"name": f"{row['name']}, guidance {more['guidance']:g}"}
        for more in guided
        for row in more["sets"]
        if row["name"] == "drawn of a class"
    ]
    rows = [
        [
            row["name"],
            fixed(row["frechet"], 2),
            fixed(row["gradient"], 1),
            ABSENT if row["taken"] is None else f"{100 * row['taken']:.1f} %",
        ]
        for row in sets
    ]
    headers = [f"{study['images']:,} images each", "Fréchet distance", "mean gradient, levels", "taken for their class"]
    drawn, held_out = float(np.mean(study["nearest_rms"])), study["held_out_rms"]
    return (
        f"{table(headers, rows)}\nThe classifier is right on {100 * study['accuracy']:.1f} % of the held-out images. "
        f"From drawn images it is {drawn:.1f} levels (root mean square) to the nearest of all training images, from "
        f"held-out ones, restored, {held_out:.1f}.\n"
    )


def drawn_speech(results: Results) -> str:
    """Speech drawn from the WaveNet over the codes of phones."""
    study = results["samples-phones"]
    rows = [
        [row["name"], fixed(row["frechet"], 0), fixed(row["phones"], 1), fixed(row["dnsmos"], 2)]
        for row in study["sets"]
    ]
    what = f"`phones`: {study['clips']} clips of {study['seconds']:.0f} s each"
    return table([what, "Fréchet distance", "phones heard a second", "DNSMOS"], rows)


def voices(document: Document) -> str:
    """Conversions before their judges."""
    rows = [
        [
            row["name"],
            *(spread(row[field], places) for field, places in (("to_target", 3), ("to_source", 3))),
            share_of(row["nearer"]),
            *(spread(row[field], 1, 100) for field in ("phone_errors", "above_restored")),
            *(spread(row[field], places) for field, places in VOICE_SCORES),
        ]
        for row in document["rows"]
    ]
    headers = [
        f"{document['conversions']} conversions",
        *("similarity to target", "to source", "nearer target", "phone errors, %", "above restored, points"),
        *("DNSMOS", "pitch: correlation", "off by, semitones"),
    ]
    converted = next((row for row in document["rows"] if row["name"] == "converted"), None)
    margin = converted and converted["above_strangers"]
    said = f"\nSimilarity to the target above that of two speakers: {spread(margin, 3)}.\n" if margin else ""
    return table(headers, rows) + said


def spread(value: Document | None, places: int, times: float = 1.0) -> str:
    """A mean, and what its 95 % interval reaches to either side."""
    if value is None:
        return ABSENT
    mean = f"{times * value['mean']:.{places}f}".replace("-", "−")
    return f"{mean} ± {times * value['half_width']:.{places}f}"


def share_of(value: Document | None) -> str:
    """A share and its 95 % interval, in percent."""
    return f"{100 * value['share']:.0f} % ({100 * value['low']:.0f}–{100 * value['high']:.0f})" if value else ABSENT


def phonemes(results: Results) -> str:
    """How well codes tell phones."""
    rows = [
        [
            f"`{study['model']}`, {study['codes_per_second']:.0f} codes a second",
            "49.3 % (7.2 %)",
            f"{100 * study['accuracy']:.1f} % ({100 * study['chance']:.1f} %, {100 * study['majority']:.1f} %)",
        ]
        for study in (results[f"phonemes-{model}"] for model in ("voice", "phones", "librispeech"))
    ]
    headers = ["10 ms frames of test-other, 41 classes", "paper (chance)", "vqc (chance, always the most frequent)"]
    return table(headers, rows)


def bits_per_dimension(document: Document, codec: str) -> float | None:
    """Of whole files of a lossless codec."""
    found = curve(document, codec)
    return found["points"][0]["rate"] / 3 if found else None


def machine(results: Results) -> str:
    """Speed, memory and start-up."""
    document = results["bench"]
    kept = [figure for figure in document["figures"] if SHOWN.fullmatch(figure["what"])]
    rows = [[figure["what"], f"{figure['value']:.2f} {figure['unit']}"] for figure in kept]
    about = ", ".join(f"{key} {document[key]}" for key in ("machine", "cores", "threads", "torch"))
    return f"{about}\n\n{table(['what', 'measured'], rows)}"


def against(results: Results) -> str:
    """Times beside those of an earlier commit, and the bars that were set for them."""
    rows = [
        [
            row["what"],
            ABSENT if row["before"] is None else f"{row['before']:.2f} {row['unit']}",
            f"{row['now']:.2f} {row['unit']}",
            ABSENT if row["ratio"] is None else f"{row['ratio']:.2f}",
            f"{row['sense']} {row['bar']:g}{'' if row['met'] else ', missed'}",
        ]
        for row in results["bench-against"]["against"]
    ]
    return table(["what", "then", "now", "ratio", "bar"], rows)


def codecs(results: Results) -> str:
    """One photo by vqc and by other codecs at the same size."""
    rows = [
        [row["codec"], f"{row['bytes']:,}", fixed(row["psnr"], 2), fixed(row["encode"], 2), fixed(row["decode"], 3)]
        for row in results["bench-codecs"]["codecs"]
    ]
    return table(["a photo of 768 × 512", "bytes", "PSNR, dB", "encode, s", "decode, s"], rows)


def portability(results: Results) -> str:
    """Mismatches by way to compute. How integers are multiplied is no question of the floats."""
    exact, rounded = results["portability"], results["portability-float"]
    floats = {way_of(row): outcome(row) for row in rounded}
    rows = [[*way_of(row), row["products"], outcome(row), floats.get(way_of(row), ABSENT)] for row in exact]
    headers = ["torch", "instructions", "threads", "8-bit products by", "integers: mismatches", "float32: mismatches"]
    return table(headers, rows)


def way_of(row: Document) -> tuple[str, str, str]:
    where = row["instructions"] if row["device"] == "cpu" else row["device"]
    return row["torch"], where, str(row["threads"])


def outcome(row: Document) -> str:
    return f"{row['mismatches']} of {row['streams']}"


BLOCKS: Mapping[str, Callable[[Results], str]] = {
    "photo-summary": photo_summary,
    "speech-summary": speech_summary,
    "photo": photo,
    "fullsize": fullsize,
    "speech": speech,
    "cifar10": cifar10,
    "cifar10-maps": cifar10_maps,
    "drawn-images": drawn_images,
    "librispeech": librispeech,
    "wavenet": wavenet,
    "drawn-speech": drawn_speech,
    "phonemes": phonemes,
    "voice-known": lambda results: voices(results["voice-known"]),
    "voice-unheard": lambda results: voices(results["voice-unheard"]),
    "machine": machine,
    "against": against,
    "codecs": codecs,
    "portability": portability,
}
OF_THE_MOMENT = {"machine", "against", "codecs"}

if __name__ == "__main__":
    main()
