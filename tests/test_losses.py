"""The loss terms against references written out by hand or taken from another library."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import sobel, uniform_filter
from skimage.metrics import structural_similarity

from mma_unet.losses import (
    FusionLoss,
    FusionLossConfig,
    gradient_loss,
    legibility_loss,
    pyramid_loss,
    reconstruction_loss,
    saliency_loss,
    sobel_magnitude,
    ssim_loss,
)
from mma_unet.pyramid import pyramid_fusion


@pytest.fixture
def triple() -> tuple[torch.Tensor, ...]:
    return tuple(torch.rand(2, 1, 32, 40) for _ in range(3))


def test_reconstruction_is_equation_1(triple: tuple[torch.Tensor, ...]) -> None:
    x, o, _ = triple
    assert reconstruction_loss(x, o).item() == pytest.approx(((x - o) ** 2).mean().item())


def test_ssim_matches_scikit_image_inside_the_border(triple: tuple[torch.Tensor, ...]) -> None:
    a = torch.nn.functional.avg_pool2d(triple[0], 3, 1, 1)
    b = (a + 0.1 * triple[1]).clamp(0, 1)
    # Away from the border both average the same windows: compare on a large flat-bordered image.
    a, b = (torch.nn.functional.pad(x, (11, 11, 11, 11)) for x in (a, b))
    expected = np.mean([
        structural_similarity(
            x[0].numpy(), y[0].numpy(), gaussian_weights=True, sigma=1.5,
            use_sample_covariance=False, data_range=1.0,
            full=True,
        )[1].mean()
        for x, y in zip(a, b, strict=True)
    ])  # fmt: skip
    assert ssim_loss(a, b).item() == pytest.approx(1 - expected, abs=2e-4)


def test_ssim_loss_of_equal_images_is_zero_and_halved_is_half(
    triple: tuple[torch.Tensor, ...],
) -> None:
    a, b, _ = triple
    assert ssim_loss(a, a).item() == pytest.approx(0, abs=1e-6)
    assert ssim_loss(a, b, halved=True).item() == pytest.approx(ssim_loss(a, b).item() / 2, 1e-3)


def test_sobel_magnitude_matches_scipy(triple: tuple[torch.Tensor, ...]) -> None:
    image = triple[0][0, 0].numpy()
    expected = abs(sobel(image, 0, mode="nearest")) + abs(sobel(image, 1, mode="nearest"))
    np.testing.assert_allclose(sobel_magnitude(triple[0])[0, 0].numpy(), expected, atol=1e-5)


def test_gradient_loss_is_zero_for_the_stronger_source(triple: tuple[torch.Tensor, ...]) -> None:
    textured, flat = triple[0], torch.full_like(triple[0], 0.5)
    assert gradient_loss(textured, textured, flat).item() == 0
    assert gradient_loss(textured, flat, textured).item() == 0
    assert gradient_loss(flat, flat, textured).item() > 0.1


def test_total_is_equation_5(triple: tuple[torch.Tensor, ...]) -> None:
    fused, ir, vi = triple
    terms = FusionLoss()(fused, ir, vi)
    mse = (((ir + vi) / 2 - fused) ** 2).mean()
    ssim = ssim_loss(fused, ir) + ssim_loss(fused, vi)
    detail = gradient_loss(fused, ir, vi)
    expected = mse + 10 * ssim + 0.5 * detail
    assert terms["loss"].item() == pytest.approx(expected.item(), rel=1e-6)


def test_authors_code_swaps_the_weights(triple: tuple[torch.Tensor, ...]) -> None:
    fused, ir, vi = triple
    terms = FusionLoss(FusionLossConfig.authors_code())(fused, ir, vi)
    l1 = gradient_loss(fused, ir, vi, squared=False)
    dssim = ssim_loss(fused, ir, halved=True) + ssim_loss(fused, vi, halved=True)
    expected = terms["mse"] + 10 * l1**2 + 0.5 * dssim
    assert terms["loss"].item() == pytest.approx(expected.item(), rel=1e-6)


def test_the_loss_can_be_descended(triple: tuple[torch.Tensor, ...]) -> None:
    _, ir, vi = triple
    fused = torch.full_like(ir, 0.5).requires_grad_()
    loss = FusionLoss()
    optimizer = torch.optim.Adam([fused], lr=0.05)
    first = loss(fused, ir, vi)["loss"].item()
    for _ in range(50):
        optimizer.zero_grad()
        value = loss(fused, ir, vi)["loss"]
        value.backward()
        optimizer.step()
    assert torch.isfinite(fused.grad).all()
    assert value.item() < 0.7 * first


def test_saliency_asks_for_the_hot_target_and_for_nothing_else() -> None:
    vi, ir = torch.full((1, 1, 96, 96), 0.3), torch.full((1, 1, 96, 96), 0.1)
    ir[..., 40:56, 44:52] = 0.9
    assert saliency_loss(vi, ir, vi).item() > 0.3
    kept = torch.where(ir > 0.5, ir, vi)
    assert saliency_loss(kept, ir, vi).item() == pytest.approx(0, abs=1e-5)
    assert saliency_loss(torch.where(ir > 0.5, ir, 0.0), ir, vi).item() == pytest.approx(
        0, abs=1e-5
    )
    flat = torch.full_like(ir, 0.1)
    assert saliency_loss(vi, flat, vi).item() == pytest.approx(0, abs=1e-5)


def test_surroundings_of_the_salient_are_a_box(triple: tuple[torch.Tensor, ...]) -> None:
    fused, ir, vi = triple
    box = uniform_filter(ir.double().numpy(), 63, mode="nearest", axes=(2, 3))
    salience = ((ir - torch.from_numpy(box)) / 0.2).clamp(0, 1)
    distance = (salience * (fused - torch.maximum(ir, vi)).abs()).sum()
    expected = distance / (salience.sum() + 0.01 * ir.numel())
    assert saliency_loss(fused, ir, vi).item() == pytest.approx(expected.item(), rel=1e-4)


def test_legibility_asks_for_bright_strokes_of_vi_and_for_nothing_else() -> None:
    vi = torch.full((1, 1, 64, 64), 0.3)
    vi[..., 30:34, 8:56] = 0.6
    assert legibility_loss(vi, vi).item() == 0
    assert legibility_loss(vi * 0.8 + 0.4, vi).item() < legibility_loss(vi * 0.5, vi).item()
    assert legibility_loss(vi + 0.2, vi).item() == pytest.approx(0, abs=1e-6)  # contrast alone
    assert legibility_loss(1 - vi, vi).item() > legibility_loss(torch.zeros_like(vi), vi).item()
    lost = legibility_loss(torch.zeros_like(vi), vi).item()
    assert lost > 0.1
    assert legibility_loss(torch.zeros_like(vi), 1 - vi).item() < lost / 2  # rims of a dark one
    soft = torch.linspace(0, 1, 64).expand(1, 1, 64, 64)
    for without in (soft, vi[..., :4, :]):  # a slope, nothing
        assert legibility_loss(torch.zeros_like(without), without).item() < 0.01
    lamp = torch.where(vi > 0.5, 1.0, 0.0)  # half of its contrast is nearly enough
    none = legibility_loss(torch.zeros_like(lamp), lamp).item()
    assert legibility_loss(0.5 * lamp, lamp).item() < 0.2 * none


def test_pyramid_loss_is_zero_for_the_pyramid_alone(triple: tuple[torch.Tensor, ...]) -> None:
    fused, ir, vi = triple
    assert pyramid_loss(pyramid_fusion(ir, vi), ir, vi).item() == 0
    assert pyramid_loss((ir + vi) / 2, ir, vi).item() > 0.01
    config = FusionLossConfig(mse=0, alpha=0, beta=0, pyramid=2)
    terms = FusionLoss(config)(fused, ir, vi)
    assert set(terms) == {"loss", "pyramid"}
    assert terms["loss"].item() == pytest.approx(2 * pyramid_loss(fused, ir, vi).item())


def test_pyramid_takes_each_band_from_where_it_is() -> None:
    rows = torch.arange(64.0)[:, None].expand(64, 64)
    fine, coarse = 0.2 * torch.sin(rows * 2.5), 0.2 * torch.sin(rows * 0.25).T
    ir, vi = (0.5 + wave[None, None] for wave in (fine, coarse))
    inner = (..., slice(8, -8), slice(8, -8))
    error = (pyramid_fusion(ir, vi) - (0.5 + fine + coarse))[inner]
    average = ((ir + vi) / 2 - (0.5 + fine + coarse))[inner]
    assert error.abs().mean() < 0.4 * average.abs().mean()
    tiny = torch.rand(1, 1, 3, 5)
    torch.testing.assert_close(pyramid_fusion(tiny, 1 - tiny), torch.full_like(tiny, 0.5))


@pytest.mark.parametrize("change", [{"ssim": "plain"}, {"gradient": "l3"}])
def test_unknown_readings_are_refused(change: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="must be"):
        FusionLossConfig(**change)  # type: ignore[arg-type]
