"""Tables are given for the files that they were measured on and for no others."""

from vqc.evaluation.reference_curves import reference_curves, utterances
from vqc.metrics.bjontegaard import bd_rate

KODAK = [f"folder/kodim{i:02}.png" for i in range(1, 25)]


def test_curves_of_kodak() -> None:
    curves = {curve.codec: curve for curve in reference_curves("image", KODAK)}
    assert {"jpeg", "webp", "avif", "jxl", "bpg-444", "vtm", "cheng2020-anchor"} <= set(curves)
    for curve in curves.values():
        rates = [point.rate for point in curve.points]
        psnr = [point.scores["psnr"].mean for point in curve.points]
        assert rates == sorted(rates)
        assert psnr == sorted(psnr)
        assert curve.origin == "published"
        assert curve.source
    assert "ms_ssim" not in curves["elic2022"].points[0].scores


def test_codecs_measured_in_the_run_are_left_to_it() -> None:
    assert not {"jpeg", "avif"} & {curve.codec for curve in reference_curves("image", KODAK, ("jpeg", "avif"))}


def test_other_files_have_no_table() -> None:
    assert reference_curves("image", KODAK[:-1]) == []
    assert reference_curves("image", [*KODAK, "another.png"]) == []
    assert reference_curves("audio", KODAK) == []
    assert reference_curves("audio", ["1688-142285-0003.flac"]) == []


def test_curves_of_speech() -> None:
    assert len(utterances()) == 30
    curves = {curve.codec: curve for curve in reference_curves("audio", [f"{name}.flac" for name in utterances()])}
    assert set(curves) == {"lyra-v2", "opus", "codec2"}
    assert [point.setting for point in curves["opus"].points] == ["6 kbps", "8 kbps", "12 kbps"]
    assert set(curves["lyra-v2"].points[0].scores) == {"pesq_wb", "stoi", "estoi", "dnsmos"}


def test_the_known_order_of_codecs() -> None:
    """AVIF needs less than half of what JPEG does on Kodak, VTM less than AVIF."""
    curves = {
        c.codec: ([p.rate for p in c.points], [p.scores["psnr"].mean for p in c.points])
        for c in reference_curves("image", KODAK)
    }
    avif, vtm = (bd_rate(*curves["jpeg"], *curves[name]) for name in ("avif", "vtm"))
    assert avif is not None
    assert vtm is not None
    assert vtm < avif < -50
