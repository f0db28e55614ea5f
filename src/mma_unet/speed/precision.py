"""What a runtime and precision cost in quality: the five metrics on real pairs, against fp32."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mma_unet.data import Pair
from mma_unet.inference import Fuser
from mma_unet.inference.quantize import QualityReport, quality
from mma_unet.tables import markdown

__all__ = ["quality_losses", "quality_markdown"]

Progress = Callable[[str, int, int], None]


def quality_losses(
    model: str,
    pairs: Sequence[Pair],
    others: Sequence[tuple[str, str, str]],
    *,
    progress: Progress | None = None,
) -> dict[str, QualityReport]:
    """Mean metrics of `model` in fp32 on PyTorch, and of others beside it.

    Args:
        model: Weights by name or file.
        pairs: Registered pairs.
        others: `(model or exported file, runtime, precision)`.
        progress: Called with what is scored, how many are done, and of how many.
    """
    step = progress or (lambda *_: None)
    step(f"{model} torch fp32", 0, len(others) + 1)
    before = quality(Fuser(model, device="cpu", runtime="torch", precision="fp32"), pairs)
    reports = {}
    for done, (source, runtime, precision) in enumerate(others, 1):
        fuser = Fuser(source, device="cpu", runtime=runtime, precision=precision)
        name = f"{source} {fuser.runtime.name} {fuser.runtime.precision}"
        step(name, done, len(others) + 1)
        reports[name] = QualityReport(before, quality(fuser, pairs), len(pairs))
    return reports


def quality_markdown(model: str, reports: dict[str, QualityReport]) -> str:
    """The reports as a Markdown table: means in fp32, then changes in percent."""
    first = next(iter(reports.values()))
    rows = [[f"{model} torch fp32", *(f"{value:.4f}" for value in first.before.values())]]
    for name, report in reports.items():
        rows.append([name, *(f"{value:+.2f} %" for value in report.change.values())])
    return f"{markdown(['', *first.before], rows)}\n\nMeans over {first.pairs} pairs.\n"
