"""What a runtime and precision cost in quality: the five metrics on real pairs, against fp32."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mma_unet.data import Pair
from mma_unet.errors import InputError
from mma_unet.inference import Fuser
from mma_unet.inference.quantize import QualityReport, quality
from mma_unet.speed.latency import cases
from mma_unet.tables import escaped, markdown

__all__ = ["quality_cases", "quality_losses", "quality_markdown"]

Progress = Callable[[str, int, int], None]


def quality_cases(
    model: str,
    files: Sequence[str] = (),
    runtimes: Sequence[str] | None = None,
    precisions: Sequence[str] | None = None,
) -> list[tuple[str, str, str]]:
    """`(model or file, runtime, precision)` to compare with `model` in fp32 on PyTorch.

    Args:
        model: Weights by name or file.
        files: Exported files.
        runtimes: All by default.
        precisions: fp32 and bf16 by default.

    Raises:
        InputError: Nothing.
    """
    wanted, _ = cases(
        [model], runtimes or ["torch", "onnxruntime", "openvino"], precisions or ["fp32", "bf16"]
    )
    found = [(c.preset, c.runtime, c.precision) for c in wanted if c.device == "cpu"]
    found = [case for case in found if case[1:] != ("torch", "fp32")]
    found += [(file, "auto", "auto") for file in files]
    if not found:
        raise InputError("there is nothing to compare: give another --runtime or --precision")
    return found


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
    rows = [[f"{escaped(model)} torch fp32", *(f"{value:.4f}" for value in first.before.values())]]
    for name, report in reports.items():
        rows.append([name, *(f"{value:+.2f} %" for value in report.change.values())])
    return f"{markdown(['', *first.before], rows)}\n\nMeans over {first.pairs} pairs.\n"
