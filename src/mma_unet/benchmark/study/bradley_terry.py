"""Bradley-Terry scores of wins: how much better, not only how often."""

from __future__ import annotations

import numpy as np

from mma_unet.benchmark.scores import FloatArray

__all__ = ["bradley_terry"]

_STEPS = 2000
_CLOSE = 1e-7
_VIRTUAL = 0.5
"""Wins that every method is lent against every other, so that all-win records stay finite."""


def bradley_terry(wins: FloatArray) -> FloatArray:
    """Scores whose differences are the log odds of winning.

    Method i beats method j with probability `1 / (1 + exp(s[j] - s[i]))`. The likelihood is
    maximized by the minorization of Hunter (Annals of Statistics 32, 2004, section 2), for many
    tables at once, as a bootstrap needs. Each two methods are lent half a win in each direction
    (Jeffreys' prior of a share), which keeps the score of a method that always wins finite.

    Args:
        wins: `(..., M, M)`: how often the method of the row beat that of the column; a tie is half
            a win for both.

    Returns:
        `(..., M)` natural logarithms, of mean 0.

    Example:
        >>> bradley_terry(np.array([[0.0, 29.5], [9.5, 0.0]])).round(3).tolist()
        [0.549, -0.549]
    """
    lent = wins + _VIRTUAL * (1 - np.eye(wins.shape[-1]))
    games = lent + np.swapaxes(lent, -1, -2)
    won = lent.sum(axis=-1)
    log = np.zeros_like(won)
    for _ in range(_STEPS):
        strength = np.exp(log)
        pooled = strength[..., :, None] + strength[..., None, :]
        new = np.log(won) - np.log((games / pooled).sum(axis=-1))
        new -= new.mean(axis=-1, keepdims=True)
        change = np.abs(new - log).max()
        log = new
        if change < _CLOSE:
            break
    return np.asarray(log, dtype=np.float64)
