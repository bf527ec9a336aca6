"""A model on a data set: every file measured, in several processes, and put together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from vqc.data.benchmarks import Benchmark, BenchmarkItem
from vqc.data.data_source import evenly_spaced
from vqc.data.derived import Progress
from vqc.errors import MediaError, MediaWarning, warnings_to
from vqc.evaluation.baselines.scoring import unmatched
from vqc.evaluation.code_statistics import CodeStatistics, describe_maps
from vqc.evaluation.comparison import baseline_curves, bd_rates, curve_of
from vqc.evaluation.measure import FileMeasurement, MeasureOptions, measure
from vqc.evaluation.reference_curves import reference_curves
from vqc.evaluation.results import Curve, Evaluation, Example, QualityResult
from vqc.models.base import CodecModel
from vqc.models.files.zoo import load_model
from vqc.scheduling.scheduler import LostError, Retry, map_unordered
from vqc.scheduling.workers import Workers


@dataclass(frozen=True, kw_only=True)
class EvaluationOptions:
    """Options of an evaluation.

    workers: processes of this machine, or of a cluster.
    files: of how many items whole files are written; the others count for everything but the rates of files.
    examples: how many items are kept with what became of them, and at which qualities.
    notes: sentences to begin the notes of the result with.
    """

    plan: MeasureOptions
    data: Benchmark
    workers: Workers | int = 1
    files: int | None = None
    examples: int = 0
    example_qualities: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class _Work:
    item: BenchmarkItem
    plan: MeasureOptions
    whole: bool
    show: tuple[int, ...]


def evaluate(request: EvaluationOptions, progress: Progress | None = None) -> Evaluation:
    """Measure the model on every item, and what it is compared with on the same ones.

    Raises:
        MediaError: no item could be read.
        OptionError: the model does not have a quality, entropy mode or decoder that is asked for, or is for another
            medium.
        ModelNotFoundError, CheckpointError: the model is not there, or damaged.
    """
    plan, notes = request.plan, list(request.notes)
    model, info = load_model(plan.model)
    measured: dict[int, FileMeasurement] = {}
    for count, (index, result) in enumerate(map_unordered(_attempt, _work(request), request.workers, RETRY), 1):
        if isinstance(result, FileMeasurement):
            measured[index] = result
        else:
            notes.append(f"left out: {result}")
        if progress is not None:
            progress(count, len(request.data.items))
    results = [measured[index] for index in sorted(measured)]
    if not results:
        raise MediaError(f"nothing of {request.data.description} can be measured; {notes[-1]}")
    name = f"{info.name} (sharp)" if plan.sharp else info.name
    curves = _curves(results, plan, name, request.data)
    for result in results:
        notes += result.notes
    targets = {result.name: result.bytes for result in results if result.bytes}
    written = [score for result in results for score in result.scores if score.bytes]
    notes += unmatched(written, plan.against, targets)
    return Evaluation(
        media=plan.media,
        model=name,
        digest=info.digest,
        info={"training": info.training, "figures": info.figures, "config": info.config, "history": info.history},
        data=request.data.description,
        dimensions=sum(result.dimensions for result in results),
        curves=curves,
        qualities=tuple(_quality(model, quality, results) for quality in plan.qualities),
        files=tuple(score for result in results for score in result.scores),
        examples=tuple(_examples(results)),
        notes=tuple(dict.fromkeys(notes)),
        bd_rates=bd_rates(curves),
    )


def _work(request: EvaluationOptions) -> list[_Work]:
    items = request.data.items
    numbers = range(len(items))
    whole = {*evenly_spaced(numbers, len(items) if request.files is None else request.files)}
    shown = {*evenly_spaced(numbers, request.examples)} & whole
    return [
        _Work(item=item, plan=request.plan, whole=i in whole, show=request.example_qualities if i in shown else ())
        for i, item in enumerate(items)
    ]


def _attempt(work: _Work) -> FileMeasurement | str:
    """Measure one file; a sentence says why that cannot be read."""
    notes = list[str]()
    try:
        with warnings_to(lambda warning: notes.append(str(warning)), MediaWarning):
            measured = measure(work.item, work.plan, whole=work.whole, show=work.show)
    except MediaError as error:
        return str(error)
    measured.notes = notes + measured.notes
    return measured


def _is_sentence(result: FileMeasurement | str) -> bool:
    return isinstance(result, str)


def _lost(work: _Work, error: LostError) -> str:
    return f"{work.item.name}: {error}"


RETRY = Retry(failed=_is_sentence, lost=_lost)


def _curves(results: Sequence[FileMeasurement], plan: MeasureOptions, name: str, data: Benchmark) -> tuple[Curve, ...]:
    """The model's, those of codecs measured beside it, those of tables for this data."""
    written = [score for result in results for score in result.scores if score.bytes]
    ours = [score for score in written if score.codec == "vqc"]
    files = len({score.item for score in ours})
    source = f"vqc, entropy {plan.entropy}" + (f", effort {plan.effort}" if plan.effort is not None else "")
    source += ", sharp decoder" if plan.sharp else ""
    own = curve_of("vqc", f"vqc {name}", "vqc", source, ours, files)
    curves = (
        own,
        *baseline_curves(written, plan.against, files),
        *reference_curves(plan.media, [item.name for item in data.items], besides=plan.against),
    )
    return tuple(curve for curve in curves if curve.points)


def _quality(model: CodecModel, quality: int, results: Sequence[FileMeasurement]) -> QualityResult:
    """One quality, all files added up."""
    sums = CodeStatistics.total(result.codes[quality] for result in results)
    dimensions = sum(result.dimensions for result in results)
    whole = [result for result in results if result.bytes.get(quality)]
    ideal = float(sums.bits.sum()) / dimensions
    known = all(quality in result.residual_bits for result in results)
    residual = sum(result.residual_bits[quality] for result in results) / dimensions if known else None
    return QualityResult(
        quality=quality,
        files=len(whole),
        seconds=sum(result.seconds[quality] for result in results),
        rate_bpd=8 * sum(result.bytes[quality] for result in whole) / max(1, sum(r.dimensions for r in whole)),
        ideal_bpd=ideal,
        total_bpd=None if residual is None else ideal + residual,
        maps=describe_maps(model, quality, sums),
    )


def _examples(results: Sequence[FileMeasurement]) -> Iterator[Example]:
    """One for each example file and quality."""
    for result in results:
        for versions in result.versions.values():
            assert result.original is not None, "kept with the versions"
            yield Example(
                item=result.name,
                original=result.original.signal,
                sample_rate=result.original.sample_rate,
                bytes=result.original.bytes,
                versions=tuple(versions),
            )
