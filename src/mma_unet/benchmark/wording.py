"""Numbers and findings in words, the same in the page, in Markdown and on the console."""

from __future__ import annotations

import math
from collections.abc import Sequence

from mma_unet.benchmark.comparison import Comparison
from mma_unet.benchmark.statistics import LEVEL, Summary

__all__ = ["arrow", "findings", "join", "notices", "number", "signed"]

_MANY = 8
"""Metrics beyond which the findings are told by method, not by metric."""


def arrow(higher_is_better: bool | None) -> str:
    """An arrow towards better; nothing where neither direction is."""
    return {True: "↑", False: "↓", None: ""}[higher_is_better]


def number(value: float) -> str:
    """Three decimals, fewer for large values; a dash where there is no value.

    Example:
        >>> number(0.51949), number(17.7083), number(846.176), number(float("nan"))
        ('0.519', '17.708', '846.2', '–')
    """
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    text = f"{value:.3f}" if abs(value) < 100 else f"{value:.1f}"
    return text.removeprefix("-") if not text.strip("-0.") else text


def signed(value: float) -> str:
    """As `number`, with its sign, unless it rounds to zero.

    Example:
        >>> signed(0.25), signed(-0.25), signed(-1e-9)
        ('+0.250', '−0.250', '0.000')
    """
    text = number(value).removeprefix("-")
    if text == "–" or not text.strip("0."):
        return text
    return ("+" if value > 0 else "−") + text


def join(words: Sequence[str], last: str = "and") -> str:
    """Words as in a sentence.

    Example:
        >>> join(["a", "b", "c"])
        'a, b and c'
    """
    *rest, final = words
    return f"{', '.join(rest)} {last} {final}" if rest else final


def _images(count: int) -> str:
    return f"{count} image{'s' * (count != 1)}"


def notices(comparison: Comparison) -> list[str]:
    """What a reader must know first: the common subset and why, and what is undefined."""
    lines = []
    count, total = len(comparison.names), comparison.pairs
    if count < total:
        lines.append(
            f"Only {count} of {total} pairs are compared, those that every method has; all means, "
            f"ranks and intervals below are over these {count}."
        )
    for name, missing in comparison.lacking.items():
        shown = missing if len(missing) <= 12 else [*missing[:11], f"{len(missing) - 11} more"]
        lines.append(f"{name} lacks {_images(len(missing))}: {join(shown)}.")
    summary = comparison.summary()
    for column, spec in enumerate(comparison.specs):
        for row, method in enumerate(comparison.methods):
            missing_count = int(summary.undefined[row, column])
            if missing_count:
                lines.append(
                    f"{spec.label} is undefined for {_images(missing_count)} of {method.name}, "
                    "left out of its mean."
                )
    if count < 10:
        lines.append(f"{_images(count)} are too few for the intervals to be trusted.")
    return [*lines, *comparison.problems, *comparison.remarks]


def findings(comparison: Comparison, summary: Summary) -> list[str]:
    """The outcome in sentences: who is ahead, and how the first method stands to the others."""
    names = [method.name for method in comparison.methods]
    ranked = [i for i in summary.order if not math.isnan(summary.mean_rank[i])]
    lines = []
    if ranked:
        top = [f"{names[i]} ({summary.mean_rank[i]:.2f})" for i in ranked[:3]]
        lines.append(f"Best mean rank: {', then '.join(top)}, of {len(names)} methods.")
    decided = [
        (column, spec.label, int(summary.rank[:, column].argmin()))
        for column, spec in enumerate(comparison.specs)
        if not math.isnan(summary.rank[:, column].max())
    ]
    if len(decided) > _MANY:
        for row in ranked:
            won = [label for _, label, best in decided if best == row]
            if won:
                lines.append(f"{names[row]} has the best mean in {join(won)}.")
        return lines
    for column, label, best in decided:
        near = [n for i, n in enumerate(names) if summary.near_best[i][column] and i != best]
        text = f"{label}: {names[best]} has the best mean, {number(summary.mean[best, column])}"
        lines.append(f"{text}; {join(near)} cannot be told from it." if near else f"{text}.")
    return lines


def comparison_sentence(comparison: Comparison, summary: Summary, row: int) -> str:
    """How one method stands to the first named one, in one sentence."""
    reference = comparison.methods[0].name
    groups: dict[str, list[str]] = {"better": [], "worse": [], "unclear": []}
    for column, spec in enumerate(comparison.specs):
        word = summary.verdict[row][column]
        if word:
            groups[word].append(spec.label)
    parts = [f"{word} in {join(groups[word])}" for word in ("better", "worse") if groups[word]]
    text = f"{comparison.methods[row].name} is {join(parts)}" if parts else ""
    if groups["unclear"]:
        rest = f"not told apart in {join(groups['unclear'])}"
        text = f"{text}, {rest}" if text else f"{comparison.methods[row].name} is {rest}"
    if not text:
        return ""
    preposition = "than" if parts and not groups["unclear"] else "compared with"
    return f"{text}, {preposition} {reference}."


def stretched_finding(comparison: Comparison, stretched: Summary) -> str:
    """Who is ahead once every output is stretched, in one sentence."""
    ranked = [i for i in stretched.order if not math.isnan(stretched.mean_rank[i])][:3]
    top = [f"{comparison.methods[i].name} ({stretched.mean_rank[i]:.2f})" for i in ranked]
    return f"With every output stretched to the full range: {', then '.join(top)}." if top else ""


def interval_note(comparison: Comparison) -> str:
    """How intervals are made, for the foot of the tables."""
    return (
        f"Intervals are {LEVEL:.0%} percentile intervals of a paired bootstrap: "
        f"{comparison.resamples} draws of {_images(len(comparison.names))} with replacement "
        f"(seed {comparison.seed}), the same draws for every method and metric. They tell how much "
        "the outcome hangs on this choice of images, not how other scenes would turn out, and "
        "they are not corrected for the number of comparisons."
    )
