"""What every metric promises besides its value: batches, precision, scale, gradients, bad input."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from mma_unet.errors import InputError
from mma_unet.metrics import METRICS, MetricSpec, psnr, qcb, ssim, vif
from tests.metrics.cases import tensors

ALL = [pytest.param(spec, id=name) for name, spec in METRICS.items()]
SMOOTH = [pytest.param(spec, id=name) for name, spec in METRICS.items() if spec.differentiable]
PAPER = [METRICS[name] for name in ("vif", "ssim", "psnr", "qabf", "qcb")]

OF_FUSED_ONLY = {"en", "sd", "sd_uint8", "sf", "sf_unit", "vifb_sf", "ag", "ag_matlab", "ei"} | {
    "ei_zoo"
}


def side(spec: MetricSpec) -> int:
    return max(spec.min_size, 24)


def whole_levels(count: int, size: int) -> tuple[Tensor, Tensor, Tensor]:
    """Whole gray levels with some structure, `(count,1,size,size)` on 0..255, float64."""
    generator = torch.Generator().manual_seed(11)
    images = torch.randint(0, 256, (3, count, 1, size, size), generator=generator).double()
    blurred = torch.nn.functional.avg_pool2d(images.flatten(0, 1), 5, stride=1, padding=2)
    images = torch.round((images + 3 * blurred.view(images.shape)) / 4)
    fused = torch.round(0.2 * images[0] + 0.4 * images[1] + 0.4 * images[2])
    return fused, images[1], images[2]


@pytest.mark.parametrize("spec", ALL)
def test_a_batch_scores_like_its_images_one_by_one(spec: MetricSpec) -> None:
    images = whole_levels(3, side(spec))
    together = spec.function(*images, data_range=255.0)
    one = [spec.function(*(each[i : i + 1] for each in images), data_range=255.0) for i in range(3)]
    assert together.shape == (3,)
    torch.testing.assert_close(together, torch.cat(one), rtol=1e-10, atol=1e-12)
    assert len({round(value, 9) for value in together.tolist()}) > 1


@pytest.mark.parametrize("spec", ALL)
def test_eight_bit_images_divided_by_255_score_the_same(spec: MetricSpec) -> None:
    images = whole_levels(2, side(spec))
    expected = spec.function(*images, data_range=255.0)
    unit = spec.function(*(image / 255 for image in images))
    torch.testing.assert_close(unit, expected, rtol=0, atol=0)


# Largest difference between float32 and float64, relative to the larger of 1 and the value.
SINGLE = {"default": 1e-5, "qcb_uint8": 1e-4, "qabf_unit": 1e-2, "nabf_unit": 1e-3}


@pytest.mark.parametrize("spec", ALL)
@pytest.mark.parametrize("case", ["S04_blob_stripes_mix_97x83", "S09_sines_square_192x176"])
def test_single_precision_is_close_to_double(spec: MetricSpec, case: str) -> None:
    images = tensors(case)
    if min(images[0].shape[-2:]) < spec.min_size:
        return
    double = spec.function(*images, data_range=255.0).item()
    single = spec.function(*(image.float() for image in images), data_range=255.0)
    assert single.dtype == torch.float32
    error = abs(single.item() - double) / max(1.0, abs(double))
    assert error < SINGLE.get(spec.name, SINGLE["default"])


# The next tests are for the large ones, and for those that round and pass gradients through.
CHECKED = [
    pytest.param(spec, id=name)
    for name, spec in METRICS.items()
    if spec.differentiable and spec.min_size < 100 and name not in ("qcv", "qcb_uint8")
]


@pytest.mark.parametrize("spec", CHECKED)
def test_gradient_is_the_slope_of_the_value(spec: MetricSpec) -> None:
    size = max(spec.min_size, 12)
    generator = torch.Generator().manual_seed(5)
    images = torch.rand(3, 1, 1, size, size, generator=generator, dtype=torch.float64)
    fused = images[0].clone().requires_grad_()
    extra = {"rounded": False} if spec.name == "qcb" else {}

    def value(x: Tensor) -> Tensor:
        return spec.function(x, images[1], images[2], **extra)

    assert torch.autograd.gradcheck(value, fused, eps=1e-7, atol=1e-4, rtol=1e-3, fast_mode=True)


def test_gradient_of_the_multi_scale_ssim_along_one_direction() -> None:
    spec = METRICS["ms_ssim"]
    images = torch.rand(3, 1, 1, 168, 168, dtype=torch.float64)
    fused = (0.5 * images[1] + 0.5 * images[2]).requires_grad_()
    direction = torch.randn_like(fused)
    spec.function(fused, images[1], images[2]).sum().backward()
    assert fused.grad is not None
    step = 1e-6
    with torch.no_grad():
        ends = [
            spec.function(fused + sign * step * direction, images[1], images[2]) for sign in (1, -1)
        ]
    slope = ((ends[0] - ends[1]) / (2 * step)).item()
    assert slope == pytest.approx((fused.grad * direction).sum().item(), rel=1e-4)


@pytest.mark.parametrize("name", ["qcb", "qcv"])
def test_rounded_metrics_pass_a_useful_gradient_straight_through(name: str) -> None:
    _, ir, vi = (image / 255 for image in whole_levels(1, 64))
    fused = (0.5 * torch.rand_like(ir) + 0.5 * vi).requires_grad_()
    function, better = METRICS[name].function, METRICS[name].higher_is_better
    before = function(fused, ir, vi)
    before.sum().backward()
    assert fused.grad is not None
    sign = 1 if better else -1
    after = function(fused + sign * 0.05 * fused.grad / fused.grad.norm(), ir, vi)
    assert sign * (after - before).item() > 0


@pytest.mark.parametrize("spec", SMOOTH)
def test_gradients_are_finite_on_flat_black_and_equal_areas(spec: MetricSpec) -> None:
    size = max(128, spec.min_size)
    images = torch.rand(3, 4, 1, size, size)
    images[:, :, :, 10:70, 10:70] = 0.3  # flat in all three
    images[1, 1, :, :, :60] = 0.0  # half black infrared
    images[0, 1, :, :, :80] = 0.0  # half black fused
    images[0, 2] = images[1, 2]  # fused equals a source
    images[0, 3, :, :, 90:] = images[2, 3, :, :, 90:]
    fused = images[0].clone().requires_grad_()
    values = spec.function(fused, images[1], images[2])
    values[torch.isfinite(values)].sum().backward()
    assert fused.grad is not None
    assert torch.isfinite(fused.grad).all()
    if spec.name not in ("psnr", "psnr_mean"):  # others keep a value everywhere
        assert torch.isfinite(values).all() or spec.name in ("scd",)


@pytest.mark.parametrize("spec", PAPER, ids=lambda spec: spec.name)
def test_a_flat_image_does_not_spoil_the_gradient_of_its_batch(spec: MetricSpec) -> None:
    images = torch.rand(3, 2, 1, 64, 64)
    images[1, 0] = 0.5
    images[0, 0] = 0.5
    fused = images[0].clone().requires_grad_()
    values = spec.function(fused, images[1], images[2])
    assert not math.isnan(values[1].item())
    values[1].backward()
    assert fused.grad is not None
    assert torch.isfinite(fused.grad).all()
    assert fused.grad[1].abs().sum() > 0


@pytest.mark.parametrize("spec", ALL)
def test_the_value_does_not_depend_on_whether_a_gradient_is_wanted(spec: MetricSpec) -> None:
    fused, ir, vi = whole_levels(2, max(spec.min_size, 48))
    ir[0] = 60.0
    vi[0, :, :, :20] = 0.0
    fused[0, :, :, :30] = vi[0, :, :, :30]
    plain = spec.function(fused, ir, vi, data_range=255.0)
    wanted = spec.function(fused.clone().requires_grad_(), ir, vi, data_range=255.0)
    torch.testing.assert_close(wanted.detach(), plain, rtol=1e-12, atol=0, equal_nan=True)


def test_vif_qabf_and_qcb_can_be_climbed() -> None:
    _, ir, vi = (image.float() / 255 for image in whole_levels(1, 64))
    for name in ("vif", "ssim", "psnr", "qabf", "qcb"):
        fused = torch.full_like(ir, 0.5) + 0.01 * torch.randn_like(ir)
        fused.requires_grad_()
        optimiser = torch.optim.Adam([fused], lr=0.02)
        values = []
        for _ in range(15):
            optimiser.zero_grad()
            value = METRICS[name].function(fused.clamp(0, 1), ir, vi)
            (-value).sum().backward()
            optimiser.step()
            values.append(value.item())
        assert values[-1] > values[0] + 0.02, name


@pytest.mark.parametrize("spec", ALL)
def test_what_is_not_finite_gives_nan_for_that_image_alone(spec: MetricSpec) -> None:
    images = list(whole_levels(2, side(spec)))
    clean = spec.function(*images, data_range=255.0)
    positions = [0]
    if spec.name not in OF_FUSED_ONLY:
        positions += [1] * (not spec.name.endswith("_vi")) + [2] * (not spec.name.endswith("_ir"))
    for position in positions:
        spoiled = [image.clone() for image in images]
        spoiled[position][0, 0, 7, 7] = math.nan
        values = spec.function(*spoiled, data_range=255.0)
        assert math.isnan(values[0].item())
        torch.testing.assert_close(values[1], clean[1], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("spec", ALL)
def test_refuses_images_below_its_smallest_size(spec: MetricSpec) -> None:
    smallest = whole_levels(1, spec.min_size)
    spec.function(*smallest, data_range=255.0)
    if spec.min_size > 1:
        smaller = [image[..., 1:] for image in smallest]
        with pytest.raises(InputError, match=f"{spec.min_size}x{spec.min_size}"):
            spec.function(*smaller, data_range=255.0)


@pytest.mark.parametrize("spec", ALL)
def test_refuses_what_does_not_fit_together(spec: MetricSpec) -> None:
    fused, ir, vi = (image / 255 for image in whole_levels(1, side(spec)))
    with pytest.raises(InputError, match="one shape"):
        spec.function(fused, ir[..., 1:], vi)
    with pytest.raises(InputError, match=r"\(B,1,H,W\)"):
        spec.function(fused[0], ir[0], vi[0])
    with pytest.raises(InputError, match="data_range"):
        spec.function(fused * 255, ir, vi)
    with pytest.raises(InputError, match="data_range"):
        spec.function(fused, ir, vi, data_range=100.0)


def test_takes_whole_numbers_and_half_precision() -> None:
    images = whole_levels(1, 48)
    expected = ssim(*images, data_range=255.0)
    whole = ssim(*(image.to(torch.uint8) for image in images), data_range=255.0)
    torch.testing.assert_close(whole, expected)
    with pytest.raises(InputError, match="Whole-number"):
        ssim(*(image.to(torch.uint8) for image in images))
    half = ssim(*((image / 255).half() for image in images))
    assert half.dtype == torch.float32
    assert half.item() == pytest.approx(expected.item(), abs=2e-3)
    with pytest.raises(InputError, match="complex"):
        ssim(*(image.to(torch.complex64) for image in images))


def test_constant_images_have_documented_values() -> None:
    fused, ir, vi = whole_levels(1, 48)
    flat = torch.full_like(ir, 128.0)
    assert math.isnan(qcb(fused, flat, vi, data_range=255.0).item())
    assert math.isnan(qcb(fused, 0 * flat, vi, data_range=255.0).item())
    assert math.isnan(METRICS["cc"].function(fused, flat, vi, data_range=255.0).item())
    one_side = METRICS["vif_ir"].function(fused, flat, vi, data_range=255.0)
    assert one_side.item() == 1.0
    one_side = METRICS["vif_ir"].function(fused.float(), flat.float(), vi.float(), data_range=255.0)
    assert one_side.item() == 1.0
    assert psnr(flat, flat, flat, data_range=255.0).item() == math.inf
    assert vif(flat, ir, vi, data_range=255.0).item() == pytest.approx(0.0, abs=1e-12)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("spec", ALL)
def test_gpu_gives_what_the_cpu_gives(spec: MetricSpec) -> None:
    images = whole_levels(2, side(spec))
    on_cpu = spec.function(*images, data_range=255.0)
    on_gpu = spec.function(*(image.cuda() for image in images), data_range=255.0)
    torch.testing.assert_close(on_gpu.cpu(), on_cpu, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("name", ["ssim", "vif", "qabf", "qcb", "qcv", "ms_ssim"])
def test_training_works_after_a_first_call_in_inference_mode(name: str) -> None:
    spec = METRICS[name]
    size = max(spec.min_size, 57)  # a size no other test uses, so that nothing is cached yet
    fused, ir, vi = whole_levels(1, size)
    with torch.inference_mode():
        before = spec.function(fused, ir, vi, data_range=255.0).item()
    fused.requires_grad_()
    value = spec.function(fused, ir, vi, data_range=255.0)
    value.sum().backward()
    assert value.item() == pytest.approx(before, abs=1e-12)
    assert fused.grad is not None
    assert fused.grad.abs().sum() > 0
