"""Box plots for the report, as SVG that takes its colors from the page around it."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from mma_unet.benchmark.scores import FloatArray

__all__ = ["box_plot"]

# Stand-ins that are replaced by the page's own colors, so that one drawing fits light and dark.
_COLORS = {
    "#010101": "var(--ink)",
    "#020202": "var(--faint)",
    "#030303": "var(--accent)",
    "#040404": "var(--rule)",
}
_INK, _FAINT, _ACCENT, _RULE = _COLORS


def box_plot(
    values: FloatArray,
    names: Sequence[str],
    title: str,
    *,
    accent: str | None = None,
    faint: Sequence[str] = (),
) -> str:
    """Draw one metric: a horizontal box for each method, over dots for the images.

    The box spans the quartiles, its line is the median, the whiskers reach the farthest image
    within 1.5 box lengths.

    Args:
        values: `(methods, images)`; what is not finite is left out.
        names: Names of the methods, the first on top.
        title: Heading.
        accent: The method to draw in the page's accent color.
        faint: Methods to draw faintly.

    Returns:
        An `<svg>` element without links, to stand within a page that sets the variables
        `--ink`, `--faint`, `--accent` and `--rule`.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    settings: Any = {"svg.fonttype": "none", "svg.hashsalt": title, "font.family": "sans-serif",
                     "text.parse_math": False}  # fmt: skip
    with mpl.rc_context(settings):
        figure = Figure(figsize=(4.6, 0.75 + 0.25 * len(names)), layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.add_subplot()
        rng = np.random.default_rng(0)
        for row, name in enumerate(names):
            known = values[row][np.isfinite(values[row])]
            ink = _ACCENT if name == accent else _FAINT if name in faint else _INK
            _box(axes, known, row, ink)
            if 0 < len(known) <= 200:
                jitter = row + rng.uniform(-0.2, 0.2, len(known))
                axes.scatter(known, jitter, s=7, color=ink, alpha=0.35, linewidths=0)
        axes.set_yticks(range(len(names)), names)
        for label, name in zip(axes.get_yticklabels(), names, strict=True):
            label.set_color(_ACCENT if name == accent else _INK)
        axes.set_ylim(len(names) - 0.4, -0.6)
        axes.set_title(title, color=_INK, fontsize=11, fontweight="bold", loc="left")
        axes.tick_params(colors=_INK, labelsize=9, length=0)
        axes.grid(axis="x", color=_RULE, linewidth=0.6)
        axes.set_axisbelow(True)
        axes.spines[:].set_visible(False)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", transparent=True, metadata=dict.fromkeys(
            ("Creator", "Date", "Format", "Type")))  # fmt: skip
    return _inline(buffer.getvalue(), title)


def _box(axes: Any, known: FloatArray, row: int, ink: str) -> None:
    if not len(known):
        return
    low, middle, high = np.quantile(known, (0.25, 0.5, 0.75))
    reach = 1.5 * (high - low)
    least, most = known[known >= low - reach].min(), known[known <= high + reach].max()
    top, bottom = row - 0.31, row + 0.31
    axes.fill_between([low, high], top, bottom, color=ink, alpha=0.1, lw=0)
    axes.plot([low, high, high, low, low], [top, top, bottom, bottom, top], color=ink, lw=1.2)
    axes.plot([least, low], [row, row], color=ink, lw=1.2)
    axes.plot([high, most], [row, row], color=ink, lw=1.2)
    axes.plot([middle, middle], [top, bottom], color=ink, lw=2.4)


def _inline(svg: str, title: str) -> str:
    """The bare element: no prologue, metadata, fixed size or name spaces (HTML needs none)."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r' xmlns(?::\w+)?="[^"]*"', "", svg)
    svg = svg.replace("xlink:href", "href")
    svg = re.sub(r'(<svg[^>]*?) (?:width|height)="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg[^>]*?) (?:width|height)="[^"]*"', r"\1", svg, count=1)
    for stand_in, color in _COLORS.items():
        svg = svg.replace(stand_in, color)
    prefix = re.sub(r"\W", "", title) + "-"
    svg = re.sub(r'\bid="', f'id="{prefix}', svg)
    svg = re.sub(r"(url\(#|href=\"#)", rf"\g<1>{prefix}", svg)
    return svg.replace("<svg", '<svg role="img"', 1)
