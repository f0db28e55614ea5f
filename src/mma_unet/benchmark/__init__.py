"""Scoring results against their sources, and many methods against each other.

`evaluate_folder` scores one folder; `compare` scores several methods on the same pairs and
`write_report` turns that into a page. The names below are loaded on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mma_unet.benchmark.comparison import Comparison, compare
    from mma_unet.benchmark.evaluate import evaluate_folder
    from mma_unet.benchmark.report import write_report
    from mma_unet.benchmark.scores import Scores

_HOMES = {
    "Comparison": "comparison",
    "Scores": "scores",
    "compare": "comparison",
    "evaluate_folder": "evaluate",
    "write_report": "report",
}

__all__ = ["Comparison", "Scores", "compare", "evaluate_folder", "write_report"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
