"""`vqc eval`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vqc.cli.commands import App
from vqc.cli.eval_phonemes import phonemes
from vqc.cli.options import Entropy, ForceOption, JsonOption, QuietOption, ThreadsOption, model_option

evaluation = App("Measure models, and other codecs on the same files.", invoke_without_command=True)


ModelOption = Annotated[
    str | None,
    model_option("Name or file. [default: by data; without, all bundled]"),
]
DataOption = Annotated[
    str | None,
    typer.Option("--data", metavar="DATA", help="File, folder, kodak, cifar10 or LibriSpeech. [default: samples]"),
]
QualityOption = Annotated[
    str | None,
    typer.Option("--quality", "-q", metavar="1,4,8", help="Such as 1,4,8, or all. [default: the model's]"),
]
SplitOption = Annotated[
    str | None, typer.Option("--split", metavar="PART", help="Part of the data: test, validation, test-other, …")
]
ListOption = Annotated[
    Path | None, typer.Option("--list", metavar="FILE", help="Only the files that it names, one a line.")
]
LimitOption = Annotated[
    int | None, typer.Option("--limit", metavar="N", min=1, help="At most so many items, evenly spaced.")
]
FilesOption = Annotated[
    int | None,
    typer.Option("--files", metavar="N", min=1, help="Write whole files of at most so many. [default: all]"),
]
DownloadOption = Annotated[bool, typer.Option("--download", help="Get named data that is not here.")]
AgainstOption = Annotated[
    str, typer.Option("--against", metavar="CODECS", help="jpeg,webp,avif,jxl,png; opus,codec2,flac; or all.")
]
EntropyOption = Annotated[
    Entropy, typer.Option("--entropy", metavar="MODE", help="Code packing: auto, prior, static or none.")
]
EffortOption = Annotated[
    int | None, typer.Option("--effort", metavar="0..9", min=0, max=9, help="Of compressing, as in vqc compress.")
]
SharpOption = Annotated[bool, typer.Option("--sharp", help="Restore with the model's sharp decoder.")]
MetricsOption = Annotated[
    str | None, typer.Option("--metrics", metavar="KEYS", help="Such as psnr,ms_ssim, or none. [default: all]")
]
ReportOption = Annotated[
    Path | None, typer.Option("--report", metavar="HTML", help="Write a page with figures, pictures and sounds.")
]
CsvOption = Annotated[Path | None, typer.Option("--csv", metavar="CSV", help="Write a line for every file.")]
ExplainOption = Annotated[bool, typer.Option("--explain", help="Say what the numbers mean, and end.")]
CoresOption = Annotated[
    int | None, typer.Option("--jobs", metavar="N", min=1, help="Files at the same time. [default: cores]")
]


@evaluation.callback(epilog="Example: vqc eval --data kodak -q all --against jpeg,avif --report kodak.html")
def measure(
    context: typer.Context,
    model: ModelOption = None,
    data: DataOption = None,
    quality: QualityOption = None,
    split: SplitOption = None,
    listed: ListOption = None,
    limit: LimitOption = None,
    files: FilesOption = None,
    download: DownloadOption = False,
    against: AgainstOption = "",
    effort: EffortOption = None,
    sharp: SharpOption = False,
    metrics: MetricsOption = None,
    entropy: EntropyOption = "auto",
    report: ReportOption = None,
    csv: CsvOption = None,
    explain: ExplainOption = False,
    jobs: CoresOption = None,
    threads: ThreadsOption = None,
    force: ForceOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Measure models, and other codecs on the same files."""
    if context.invoked_subcommand:
        return
    from vqc.cli.eval_run import Wish, explain_numbers, run_evaluation

    if explain:
        explain_numbers(as_json=json)
        return
    wish = Wish(
        model=model,
        data=data,
        quality=quality,
        split=split,
        listed=listed,
        limit=limit,
        files=files,
        download=download,
        against=against,
        effort=effort,
        sharp=sharp,
        metrics=metrics,
        entropy=entropy,
        report=report,
        csv=csv,
        jobs=jobs,
        force=force,
        json=json,
        quiet=quiet,
    )
    run_evaluation(wish)


evaluation.command(epilog="Example: vqc eval phonemes --data LibriSpeech/test-other")(phonemes)
