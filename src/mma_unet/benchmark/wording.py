"""Numbers and findings in words, the same in the page, in Markdown and on the console."""

from __future__ import annotations

import math
from collections.abc import Sequence

from mma_unet.benchmark.comparison import Comparison
from mma_unet.benchmark.scores import Scores
from mma_unet.benchmark.statistics import LEVEL, Summary
from mma_unet.metrics import METRICS

__all__ = ["findings", "join", "notices", "number", "score_table", "signed"]

_MANY = 8
"""Metrics beyond which the findings are told by method, not by metric."""


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


def score_table(scores: Scores) -> tuple[list[str], list[list[str]]]:
    """Header and rows: mean and median of each metric, an arrow towards better, the undefined."""
    arrows = {spec.label: spec.arrow for spec in METRICS.values()}
    mean, median, undefined = scores.mean(), scores.median(), scores.undefined()
    rows = [
        [f"{label} {arrows[label]}", number(mean[label]), number(median[label])]
        for label in scores.labels
    ]
    header = ["Metric", "Mean", "Median"]
    if any(undefined.values()):
        header.append("Undefined for")
        for row, count in zip(rows, undefined.values(), strict=True):
            row.append(_images(count) if count else "")
    return header, rows


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
    lines += _undefined(comparison, comparison.summary())
    if comparison.stretched is not None:
        after = _undefined(comparison, comparison.summary(stretched=True))
        lines += [f"After stretching: {line}" for line in after]
    if count < 10:
        lines.append(f"{_images(count)} are too few for the intervals to be trusted.")
    return [*lines, *comparison.problems, *comparison.remarks]


def _undefined(comparison: Comparison, summary: Summary) -> list[str]:
    """What the tables leave out because a metric has no value, metrics of one fate together."""
    methods, total = comparison.methods, len(comparison.names)
    never: dict[str, list[str]] = {}
    partly: dict[str, list[str]] = {}
    infinite: dict[str, list[str]] = {}
    for column, spec in enumerate(comparison.specs):
        counts = [int(n) for n in summary.undefined[:, column]]
        absent = [m.name for m, n in zip(methods, counts, strict=True) if n == total]
        some = [f"{m.name} {n}" for m, n in zip(methods, counts, strict=True) if 0 < n < total]
        if absent:
            who = "every method" if len(absent) == len(methods) else join(absent)
            never.setdefault(who, []).append(spec.label)
        if some:
            fate = f"over {summary.images[column]} of {total} images (undefined for {join(some)})"
            partly.setdefault(fate, []).append(spec.label)
        boundless = [m.name for m, x in zip(methods, summary.mean[:, column], strict=True)
                     if math.isinf(x)]  # fmt: skip
        if boundless:
            infinite.setdefault(join(boundless), []).append(spec.label)
    lines = [
        f"{join(labels)}: undefined for every image of {who}, so without a rank there; a mean "
        "rank is taken over the other metrics."
        for who, labels in never.items()
    ]
    if partly:
        fates = "; ".join(f"{join(labels)} {fate}" for fate, labels in partly.items())
        lines.append(
            "An image for which a metric is undefined with one method is left out of that metric "
            f"for all methods: {fates}."
        )
    lines += [
        f"{join(labels)}: infinite for some image of {who}, so its mean has no interval."
        for who, labels in infinite.items()
    ]
    return lines


def _podium(names: Sequence[str], summary: Summary) -> str:
    """The three best mean ranks and whose they are; equal ones stand together."""
    places: dict[str, list[str]] = {}
    for row in summary.order:
        if not math.isnan(summary.mean_rank[row]):
            places.setdefault(f"{summary.mean_rank[row]:.2f}", []).append(names[row])
    top = [f"{join(who)} ({rank})" for rank, who in list(places.items())[:3]]
    return ", then ".join(top)


def findings(comparison: Comparison, summary: Summary) -> list[str]:
    """The outcome in sentences: who is ahead, and how the first method stands to the others."""
    names = [method.name for method in comparison.methods]
    ranked = [i for i in summary.order if not math.isnan(summary.mean_rank[i])]
    lines = []
    if ranked:
        lines.append(f"Best mean rank: {_podium(names, summary)}, of {len(names)} methods.")
    decided = [
        (column, spec.label, summary.best(column))
        for column, spec in enumerate(comparison.specs)
        if summary.best(column)
    ]
    if len(decided) > _MANY:
        for row in ranked:
            alone = [label for _, label, best in decided if best == [row]]
            shared = [label for _, label, best in decided if row in best and len(best) > 1]
            parts = [f"has the best mean in {join(alone)}"] if alone else []
            parts += [f"shares the best mean in {join(shared)}"] if shared else []
            if parts:
                lines.append(f"{names[row]} {join(parts)}.")
        return lines
    for column, label, best in decided:
        near = [n for i, n in enumerate(names) if summary.near_best[i][column] and i not in best]
        verb = "has" if len(best) == 1 else "share"
        who, value = join([names[i] for i in best]), number(summary.mean[best[0], column])
        text = f"{label}: {who} {verb} the best mean, {value}"
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
    top = _podium([method.name for method in comparison.methods], stretched)
    return f"With every output stretched to the full range: {top}." if top else ""


def interval_note(comparison: Comparison) -> str:
    """How intervals are made, for the foot of the tables."""
    return (
        f"Intervals are {LEVEL:.0%} percentile intervals of a paired bootstrap: "
        f"{comparison.resamples} draws of {_images(len(comparison.names))} with replacement "
        f"(seed {comparison.seed}; of fewer where a metric is over fewer), the same draws for "
        "every method and for all metrics over the same images. They tell how much the outcome "
        "hangs on this choice of images, not how other scenes would turn out, and they are not "
        "corrected for the number of comparisons."
    )
