"""A blind study: unnamed results beside their sources, ranked by eye, and the rankings counted.

`build_study` makes the page and the sheets, `tally` turns the answers of several raters into win
rates, mean ranks and Bradley-Terry scores. docs/study.md tells how to rate.
"""

from mma_unet.benchmark.study.build import Study, build_study
from mma_unet.benchmark.study.counting import Tally, tally

__all__ = ["Study", "Tally", "build_study", "tally"]
