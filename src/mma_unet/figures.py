"""Matplotlib figures written whole, the same bytes each time.

See also: `mma_unet.files`, which writes everything else.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mma_unet.files import replacing

__all__ = ["save_figure"]


def save_figure(figure: Any, *paths: Path) -> None:
    """Write a `matplotlib.figure.Figure` to each path in one move, by suffix: PNG, SVG, PDF.

    An SVG keeps its text as text and has neither a date nor random ids.
    """
    import matplotlib as mpl

    for path in paths:
        kind = path.suffix[1:].lower()
        style: Any = {"svg.hashsalt": path.stem, "svg.fonttype": "none"}
        with mpl.rc_context(style), replacing(path) as part:
            metadata = {"Date": None} if kind == "svg" else None
            figure.savefig(part, format=kind, dpi=160, metadata=metadata)
