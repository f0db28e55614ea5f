"""Independent implementations of the same definitions: scikit-image, SciPy, NumPy, torchmetrics."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage, signal, stats
from skimage.measure import shannon_entropy
from skimage.metrics import (
    mean_squared_error,
    normalized_mutual_information,
    peak_signal_noise_ratio,
    structural_similarity,
)
from torchmetrics.functional.image import visual_information_fidelity

from mma_unet.metrics import METRICS, score
from tests.metrics.cases import load, tensors

CASES = ["S04_blob_stripes_mix_97x83", "S09_sines_square_192x176", "S10_blocks_max_64x64"]


def ours(name: str, case: str) -> float:
    ir, vi, fused = load(case)
    return score(fused, ir, vi, name)[METRICS[name].label]


def doubles(case: str) -> list[np.ndarray]:
    """Infrared, visible and fused image as float64."""
    return [image.astype(float) for image in load(case)]


@pytest.mark.parametrize("case", CASES)
def test_ssim_is_that_of_scikit_image(case: str) -> None:
    ir, vi, fused = doubles(case)
    gaussian = [
        structural_similarity(
            source, fused, data_range=255, gaussian_weights=True, use_sample_covariance=False
        )
        for source in (ir, vi)
    ]
    assert ours("ssim", case) == pytest.approx(np.mean(gaussian), abs=1e-11)
    uniform = [structural_similarity(source, fused, data_range=2) for source in (ir, vi)]
    assert ours("ssim_cdd", case) == pytest.approx(sum(uniform), abs=1e-9)


@pytest.mark.parametrize("case", CASES)
def test_psnr_mse_and_entropies_are_those_of_scikit_image(case: str) -> None:
    ir, vi, fused = load(case)
    both = [peak_signal_noise_ratio(source, fused, data_range=255) for source in (ir, vi)]
    assert ours("psnr_mean", case) == pytest.approx(np.mean(both), abs=1e-10)
    errors = [mean_squared_error(source, fused) for source in (ir, vi)]
    assert ours("mse", case) == pytest.approx(np.mean(errors), abs=1e-10)
    assert ours("en", case) == pytest.approx(shannon_entropy(fused), abs=1e-10)


def test_mutual_information_agrees_with_scikit_images_normalized_one() -> None:
    case = CASES[1]
    ir, vi, fused = load(case)
    total = 0.0
    for source in (ir, vi):
        entropies = shannon_entropy(source) + shannon_entropy(fused)
        ratio = normalized_mutual_information(source, fused, bins=[np.arange(257), np.arange(257)])
        total += entropies * (1 - 1 / ratio)  # ratio = (H1 + H2) / H12
    assert ours("mi", case) == pytest.approx(total, abs=1e-9)


@pytest.mark.parametrize("case", CASES)
def test_correlations_are_those_of_scipy(case: str) -> None:
    ir, vi, fused = (image.ravel() for image in doubles(case))
    pearson = [stats.pearsonr(source, fused).statistic for source in (ir, vi)]
    assert ours("cc", case) == pytest.approx(np.mean(pearson), abs=1e-10)
    scd = stats.pearsonr(fused - vi, ir).statistic + stats.pearsonr(fused - ir, vi).statistic
    assert ours("scd", case) == pytest.approx(scd, abs=1e-10)


@pytest.mark.parametrize("case", CASES)
def test_detail_metrics_are_those_of_numpy_and_scipy(case: str) -> None:
    fused = doubles(case)[2]
    assert ours("sd", case) == pytest.approx(fused.std(), abs=1e-10)
    steps = [np.mean(np.diff(fused, axis=axis) ** 2) for axis in (0, 1)]
    assert ours("sf", case) == pytest.approx(np.sqrt(sum(steps)), abs=1e-10)
    down, across = np.gradient(fused)
    assert ours("ag", case) == pytest.approx(np.mean(np.hypot(down, across) / 2**0.5), abs=1e-10)
    sobel = [ndimage.sobel(fused, axis=axis, mode="nearest") for axis in (0, 1)]
    assert ours("ei", case) == pytest.approx(np.mean(np.hypot(*sobel)), abs=1e-10)


def reference_vif(source: np.ndarray, fused: np.ndarray) -> float:
    """VIFp with two-dimensional windows and SciPy's convolution."""
    kept = there = 0.0
    for scale in range(1, 5):
        size = 2 ** (5 - scale) + 1
        line = signal.windows.gaussian(size, size / 5)
        window = np.outer(line, line) / line.sum() ** 2

        def local(image: np.ndarray, window: np.ndarray = window) -> np.ndarray:
            return signal.convolve2d(image, window, mode="valid")

        if scale > 1:
            source, fused = local(source)[::2, ::2], local(fused)[::2, ::2]
        mean_s, mean_f = local(source), local(fused)
        var_s = np.maximum(local(source**2) - mean_s**2, 0)
        var_f = np.maximum(local(fused**2) - mean_f**2, 0)
        gain = np.maximum((local(source * fused) - mean_s * mean_f) / (var_s + 1e-10), 0)
        residual = np.maximum(var_f - gain * (local(source * fused) - mean_s * mean_f), 1e-10)
        kept += np.log10(1 + gain**2 * var_s / (residual + 2)).sum()
        there += np.log10(1 + var_s / 2).sum()
    return kept / there


@pytest.mark.parametrize("case", CASES)
def test_vif_is_that_of_a_plain_scipy_version(case: str) -> None:
    ir, vi, fused = doubles(case)
    expected = (reference_vif(ir, fused) + reference_vif(vi, fused)) / 2
    assert ours("vif", case) == pytest.approx(expected, abs=1e-8)


def test_vif_is_close_to_that_of_torchmetrics() -> None:
    fused, ir, vi = tensors(CASES[1])
    both = [visual_information_fidelity(fused, source).item() for source in (ir, vi)]
    assert ours("vif", CASES[1]) == pytest.approx(np.mean(both), abs=1e-5)


def reference_ms_ssim(source: np.ndarray, fused: np.ndarray) -> float:
    """Wang's five scales with two-dimensional windows, central moments and plain slices."""
    places = np.arange(-5, 6)
    window = np.exp(-(places[:, None] ** 2 + places[None] ** 2) / (2 * 1.5**2))
    window /= window.sum()
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2

    def windows(image: np.ndarray) -> np.ndarray:
        return np.lib.stride_tricks.sliding_window_view(image, (11, 11))

    def halved(image: np.ndarray) -> np.ndarray:
        odd = [(side % 2, side % 2) for side in image.shape]
        image = np.pad(image, odd)
        image = image[: image.shape[0] // 2 * 2, : image.shape[1] // 2 * 2]
        return (image[::2, ::2] + image[1::2, ::2] + image[::2, 1::2] + image[1::2, 1::2]) / 4

    result = 1.0
    for scale, weight in enumerate((0.0448, 0.2856, 0.3001, 0.2363, 0.1333)):
        if scale:
            source, fused = halved(source), halved(fused)
        one, two = windows(source), windows(fused)
        mean_one, mean_two = (np.einsum("ijkl,kl->ij", w, window) for w in (one, two))
        one, two = one - mean_one[..., None, None], two - mean_two[..., None, None]
        energy = np.einsum("ijkl,kl->ij", one**2 + two**2, window)
        common = np.einsum("ijkl,kl->ij", one * two, window)
        structure = (2 * common + c2) / (energy + c2)
        if scale == 4:
            structure *= (2 * mean_one * mean_two + c1) / (mean_one**2 + mean_two**2 + c1)
        result *= max(structure.mean(), 0.0) ** weight
    return float(result)


@pytest.mark.parametrize("rows", [176, 177, 192])
def test_multi_scale_ssim_is_that_of_a_plain_numpy_version(rows: int) -> None:
    fused, ir, vi = (image[..., :rows, :173] for image in tensors(CASES[1]))
    arrays = [image[0, 0].numpy() for image in (fused, ir, vi)]
    expected = np.mean([reference_ms_ssim(source, arrays[0]) for source in arrays[1:]])
    found = METRICS["ms_ssim"].function(fused, ir, vi, data_range=255.0).item()
    assert found == pytest.approx(expected, abs=1e-9)


def reference_qabf(sources: list[np.ndarray], fused: np.ndarray) -> float:
    """Qabf with SciPy's true convolution and plain loops over the sources."""
    right = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], float)
    up = np.array([[1, 2, 1], [0, 0, 0], [-1, -2, -1]], float)

    def edges(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        sx = signal.convolve2d(image, right, mode="same")
        sy = signal.convolve2d(image, up, mode="same")
        angle = np.full_like(sx, np.pi / 2)
        np.divide(sy, sx, out=angle, where=sx != 0)
        angle[sx != 0] = np.arctan(angle[sx != 0])
        return np.hypot(sx, sy), angle

    strength_f, angle_f = edges(fused)
    kept = there = 0.0
    for source in sources:
        strength, angle = edges(source)
        ratio = np.where(strength == strength_f, strength_f, 0.0)
        low, high = np.minimum(strength, strength_f), np.maximum(strength, strength_f)
        np.divide(low, high, out=ratio, where=strength != strength_f)
        alignment = 1 - np.abs(angle - angle_f) / (np.pi / 2)
        quality = 0.9994 / (1 + np.exp(-15 * (ratio - 0.5)))
        quality *= 0.9879 / (1 + np.exp(-22 * (alignment - 0.8)))
        kept += (quality * strength).sum()
        there += strength.sum()
    return kept / there


@pytest.mark.parametrize("case", CASES[:2])
def test_qabf_is_that_of_a_plain_scipy_version(case: str) -> None:
    ir, vi, fused = doubles(case)
    assert ours("qabf", case) == pytest.approx(reference_qabf([ir, vi], fused), abs=1e-6)


def reference_qcb(ir: np.ndarray, vi: np.ndarray, fused: np.ndarray) -> float:
    """Qcb with full complex transforms and two-dimensional windows."""
    height, width = fused.shape
    rows = np.fft.fftfreq(height)[:, None] * 2 * height / 30
    columns = np.fft.fftfreq(width)[None] * 2 * width / 30
    radius = np.hypot(rows, columns)
    curve = np.exp(-((radius / 15.3870) ** 2)) - 0.7622 * np.exp(-((radius / 1.3456) ** 2))
    places = np.arange(-15, 16)
    square = places[:, None] ** 2 + places[None] ** 2

    def contrast(image: np.ndarray) -> np.ndarray:
        image = np.round(255 * ((image - image.min()) / (image.max() - image.min())))
        image = np.fft.ifft2(np.fft.fft2(image) * curve).real
        blurred = [
            signal.fftconvolve(
                image, np.exp(-square / (2 * s**2)) / (2 * np.pi * s**2), mode="same"
            )
            for s in (2, 4)
        ]
        local = np.abs(blurred[0] / blurred[1] - 1)
        return local**3 / (local**2 + 1e-4)

    own, first, second = contrast(fused), contrast(ir), contrast(vi)
    kept = [np.minimum(c, own) / np.maximum(c, own) for c in (first, second)]
    share = first**2 / (first**2 + second**2)
    return float(np.mean(share * kept[0] + (1 - share) * kept[1]))


@pytest.mark.parametrize("case", CASES)
def test_qcb_is_that_of_a_plain_numpy_version(case: str) -> None:
    ir, vi, fused = doubles(case)
    assert ours("qcb", case) == pytest.approx(reference_qcb(ir, vi, fused), abs=1e-8)


def test_filters_are_those_of_scipy() -> None:
    from mma_unet.metrics._filters import correlate_separable, gaussian_window, sobel

    image = np.random.default_rng(0).normal(size=(71, 83))
    rows, columns = gaussian_window(11, 1.5), tuple(np.arange(1.0, 8.0))
    found = correlate_separable(torch.from_numpy(image)[None], rows, columns)[0].numpy()
    expected = signal.correlate2d(image, np.outer(rows, columns), mode="valid")
    np.testing.assert_allclose(found, expected, atol=1e-12)
    for size in (71, 70, 13):  # every other place, from sides that leave one over and do not
        part = torch.from_numpy(image)[None, :size]
        found = correlate_separable(part, rows, columns, step=2)[0].numpy()
        expected = signal.correlate2d(image[:size], np.outer(rows, columns), mode="valid")
        np.testing.assert_allclose(found, expected[::2, ::2], atol=1e-12)
    right, down = sobel(torch.from_numpy(image)[None, None])
    expected = ndimage.sobel(image, axis=1, mode="constant")
    np.testing.assert_allclose(right[0, 0].numpy(), expected, atol=1e-12)
    expected = ndimage.sobel(image, axis=0, mode="constant")
    np.testing.assert_allclose(down[0, 0].numpy(), expected, atol=1e-12)


@pytest.mark.parametrize("step", [1, 2])
def test_filters_have_first_and_second_derivatives(step: int) -> None:
    from mma_unet.metrics._filters import correlate_separable

    generator = torch.Generator().manual_seed(1)
    image = torch.rand(1, 8, 40, dtype=torch.float64, generator=generator).requires_grad_()
    taps, others = (0.2, 0.5, 0.3), (1.0, -2.0, 0.5, 3.0)

    def filtered(x: torch.Tensor) -> torch.Tensor:
        return correlate_separable(x, taps, others, step=step) ** 2

    assert torch.autograd.gradcheck(filtered, image)
    assert torch.autograd.gradgradcheck(filtered, image)
