"""Centered kernel alignment (CKA) with a linear kernel, on whole sets and over minibatches.

CKA compares two representations of the same `n` examples, whatever their widths: 1 if they are
equal up to rotation and scale, 0 if they have nothing in common (Kornblith et al., "Similarity of
Neural Network Representations Revisited", 2019). Features of images are too wide to be kept for a
whole data set, so the estimate is taken over minibatches with the unbiased HSIC (Nguyen, Raghu,
Kornblith, "Do Wide and Deep Networks Learn the Same Things?", 2020, equations 2 to 4; Song et al.,
"Feature Selection via Dependence Maximization", 2012, equation 5).

The unbiased HSIC of two Gram matrices is the inner product of their U-centered forms (Székely and
Rizzo, 2014) over `n (n - 3)`, which is how it is computed here: all pairs of layers come from one
matrix product, the HSIC of a matrix with itself cannot be negative, and CKA lies in [-1, 1] up to
rounding. Negative values are estimates of a similarity near 0, and are kept as they are.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

__all__ = ["MinibatchCKA", "cka", "gram", "hsic"]

_CHUNK = 1 << 21
"""Values that are held in double precision at a time while a Gram matrix is formed."""


def gram(features: Tensor) -> Tensor:
    """Linear Gram matrix of the features of `n` examples, with the first example as the origin.

    Neither estimate of HSIC depends on the origin. This one saves digits where the mean of a
    feature is large beside its spread, and a feature that does not vary counts exactly 0.

    Args:
        features: `(n, ...)`, any shape after the first dimension, any floating type.

    Returns:
        `(n, n)` in double precision.
    """
    flat = features.detach().flatten(1)
    count = len(flat)
    total = torch.zeros(count, count, dtype=torch.float64, device=flat.device)
    for part in torch.split(flat, max(_CHUNK // count, 1), dim=1):
        values = part.to(torch.float64)
        values = values - values[:1]
        total += values @ values.T
    return total


def hsic(k: Tensor, l: Tensor) -> Tensor:  # noqa: E741 - the letters of the papers
    """Unbiased estimate of HSIC (Song et al. 2012, equation 5).

    Args:
        k: Gram matrices `(..., n, n)`, symmetric, n >= 4; their diagonals are not used.
        l: The same shape, of the same examples in the same order.

    Returns:
        `(...)` in double precision; may be negative if `k` and `l` differ.

    Raises:
        ValueError: If the shapes differ or n < 4.

    Example:
        >>> k = torch.tensor([[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0.0]])
        >>> round(float(hsic(k, k)), 6)
        0.666667
    """
    if k.shape != l.shape:
        raise ValueError(f"Gram matrices of shapes {tuple(k.shape)} and {tuple(l.shape)}")
    n = k.shape[-1]
    return (_u_centered(k) * _u_centered(l)).sum(dim=(-2, -1)) / (n * (n - 3))


def cka(x: Tensor, y: Tensor, *, unbiased: bool = True) -> Tensor:
    """Linear CKA of two representations of the same examples, from all examples at once.

    Args:
        x: `(n, ...)`.
        y: `(n, ...)`; what follows the first dimension may differ from that of `x`.
        unbiased: Use the unbiased HSIC (n >= 4), else the biased one of Kornblith et al., which
            tends to 1 as the features grow many beside the examples.

    Returns:
        A double: in [-1, 1] if unbiased, else in [0, 1]; 0 if one of the two does not vary.

    Raises:
        ValueError: If the numbers of examples differ, or are too few.
    """
    if len(x) != len(y):
        raise ValueError(f"{len(x)} examples beside {len(y)}")
    k, l = gram(x), gram(y)  # noqa: E741
    center = _u_centered if unbiased else _centered
    k, l = center(k), center(l)  # noqa: E741
    return _cosine((k * l).sum(), (k * k).sum(), (l * l).sum())


class MinibatchCKA:
    """CKA of all pairs of two lists of layers, accumulated over minibatches.

    HSIC is averaged over the batches before the ratio is taken, so that the estimate tends to that
    of the whole set, whatever the size of a batch (Nguyen et al. 2020, equation 2).

    Attributes:
        cross: `(len_a, len_b)` sum over the batches of HSIC between layers.
        self_a: `(len_a,)` the same of each layer of the first list with itself.
        self_b: `(len_b,)` the same for the second.
        batches: How many batches have been added.

    Example:
        >>> x = torch.randn(3, 16, 5)
        >>> total = MinibatchCKA()
        >>> for batch in x:
        ...     total.update([gram(batch)], [gram(2 * batch), gram(batch.flip(1))])
        >>> bool(torch.allclose(total.compute(), torch.ones(1, 2, dtype=torch.float64)))
        True
    """

    def __init__(self) -> None:
        self.batches = 0
        self.cross = self.self_a = self.self_b = torch.zeros(0, dtype=torch.float64)

    def update(self, grams_a: Sequence[Tensor], grams_b: Sequence[Tensor]) -> None:
        """Add one batch.

        Args:
            grams_a: `gram` of each layer of the first list, each `(n, n)`, n >= 4.
            grams_b: The same for the second list, of the same examples in the same order.

        Raises:
            ValueError: If the batch is too small or the lists change in length.
        """
        n = len(grams_a[0])
        a = _u_centered(torch.stack(tuple(grams_a))).flatten(1)
        b = a if grams_b is grams_a else _u_centered(torch.stack(tuple(grams_b))).flatten(1)
        if a.shape[1] != b.shape[1]:
            raise ValueError("the two lists are not of the same examples")
        if self.batches and self.cross.shape != (len(a), len(b)):
            raise ValueError(f"{(len(a), len(b))} layers after {tuple(self.cross.shape)}")
        scale = n * (n - 3)
        parts = a @ b.T / scale, (a * a).sum(dim=1) / scale, (b * b).sum(dim=1) / scale
        if self.batches:
            parts = self.cross + parts[0], self.self_a + parts[1], self.self_b + parts[2]
        self.cross, self.self_a, self.self_b = parts
        self.batches += 1

    def compute(self) -> Tensor:
        """CKA `(len_a, len_b)` in double precision; 0 where a layer does not vary.

        Raises:
            ValueError: If no batch was added.
        """
        if not self.batches:
            raise ValueError("no batch was added")
        return _cosine(self.cross, self.self_a[:, None], self.self_b[None, :])


def _centered(k: Tensor) -> Tensor:
    """Gram matrices `(..., n, n)` of the features less their mean."""
    rows = k.mean(dim=-1, keepdim=True)
    return k - rows - rows.transpose(-2, -1) + rows.mean(dim=-2, keepdim=True)


def _u_centered(k: Tensor) -> Tensor:
    """Gram matrices `(..., n, n)` without their diagonal and with rows that sum to zero."""
    n = k.shape[-1]
    if n < 4:
        raise ValueError(f"unbiased HSIC needs at least 4 examples, not {n}")
    diagonal = torch.eye(n, dtype=torch.bool, device=k.device)
    k = k.to(torch.float64).masked_fill(diagonal, 0)
    rows = k.sum(dim=-1, keepdim=True) / (n - 2)
    everything = k.sum(dim=(-2, -1), keepdim=True) / ((n - 1) * (n - 2))
    return (k - rows - rows.transpose(-2, -1) + everything).masked_fill(diagonal, 0)


def _cosine(cross: Tensor, self_a: Tensor, self_b: Tensor) -> Tensor:
    """`cross / sqrt(self_a self_b)`, and 0 where one of the two is 0."""
    size = self_a.sqrt() * self_b.sqrt()
    known = size > 0
    return torch.where(known, cross / size.where(known, 1.0), 0.0)
