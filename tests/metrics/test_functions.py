"""What every metric promises besides its value: batches, precision, scale, gradients, bad input."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from mma_unet.errors import InputError
from mma_unet.metrics import METRICS, MetricSpec, psnr, qcb, ssim, vif
from mma_unet.metrics._common import prepare
from tests.metrics.cases import scene, tensors

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


def pictures(spec: MetricSpec, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """Images on 0..255 for which the metric is defined."""
    return scene(count) if "natural" in spec.suites else whole_levels(count, side(spec))


@pytest.mark.parametrize("spec", ALL)
def test_a_batch_scores_like_its_images_one_by_one(spec: MetricSpec) -> None:
    images = pictures(spec, 3)
    together = spec.function(*images, data_range=255.0)
    one = [spec.function(*(each[i : i + 1] for each in images), data_range=255.0) for i in range(3)]
    assert together.shape == (3,)
    torch.testing.assert_close(together, torch.cat(one), rtol=1e-10, atol=1e-12)
    assert len({round(value, 9) for value in together.tolist()}) > 1


@pytest.mark.parametrize("spec", ALL)
def test_eight_bit_images_divided_by_255_score_the_same(spec: MetricSpec) -> None:
    images = pictures(spec, 2)
    expected = spec.function(*images, data_range=255.0)
    unit = spec.function(*(image / 255 for image in images))
    torch.testing.assert_close(unit, expected, rtol=0, atol=0)


@pytest.mark.parametrize(("dtype", "step"), [(torch.float32, 1e-3), (torch.float64, 1e-8)])
def test_whole_levels_and_only_they_are_put_on_themselves(dtype: torch.dtype, step: float) -> None:
    levels = torch.arange(256, dtype=torch.float64).view(1, 1, 16, 16).to(dtype)
    near = levels + torch.where(levels < 255, step, -step)
    images = prepare(levels * (1 / 255), levels / 255, near / 255, 1.0)
    assert torch.equal(images[0], levels)
    assert torch.equal(images[1], levels)
    assert (images[2] != levels).all()


# Largest difference between float32 and float64, relative to the larger of 1 and the value.
SINGLE = {"default": 1e-5, "qcb_uint8": 1e-4, "qabf_unit": 1e-2, "nabf_unit": 1e-3, "strokes": 1e-4}


@pytest.mark.parametrize("spec", ALL)
@pytest.mark.parametrize("case", ["S04_blob_stripes_mix_97x83", "S09_sines_square_192x176"])
def test_single_precision_is_close_to_double(spec: MetricSpec, case: str) -> None:
    images = scene(1) if "natural" in spec.suites else tensors(case)
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


def slope_problem(spec: MetricSpec) -> tuple[Callable[[Tensor], Tensor], Tensor]:
    """The metric as a function of four numbers, and a place at which its largest slope is 1.

    The numbers move the fused image, a mix of the sources with texture of its own, along the
    metric's own gradient and along three other directions.
    """
    size = max(spec.min_size, 14)
    generator = torch.Generator().manual_seed(5)
    noise = torch.rand(6, 1, size, size, generator=generator, dtype=torch.float64)
    smooth = torch.nn.functional.avg_pool2d(noise, 3, stride=1, padding=1)
    ir, vi = (0.1 + 0.5 * noise[:2] + 0.3 * smooth[:2]).unsqueeze(1)
    base = 0.4 * ir + 0.4 * vi + 0.2 * noise[2:3]
    extra = {"rounded": False} if spec.name == "qcb" else {}

    def value(fused: Tensor) -> Tensor:
        return spec.function(fused, ir, vi, **extra)

    fused = base.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(value(fused).sum(), fused)
    steepness = gradient.norm()
    assert steepness > 1e-9
    others = noise[3:] - 0.5
    directions = torch.cat([gradient / steepness, others / others.norm(dim=(2, 3), keepdim=True)])

    def along(numbers: Tensor) -> Tensor:
        step = (numbers.view(-1, 1, 1, 1) * directions).sum(dim=0, keepdim=True)
        return value(base + step) / steepness

    return along, torch.zeros(4, dtype=torch.float64, requires_grad=True)


def slopes_are_right(function: Callable[[Tensor], Tensor], place: Tensor) -> bool:
    return torch.autograd.gradcheck(
        function, place, eps=1e-6, atol=1e-4, rtol=1e-3, raise_exception=False
    )


@pytest.mark.parametrize("spec", CHECKED)
def test_gradient_is_the_slope_of_the_value(spec: MetricSpec) -> None:
    function, place = slope_problem(spec)
    assert slopes_are_right(function, place)
    # The check itself must see a gradient that is missing, or twice as large.
    assert not slopes_are_right(lambda x: function(x).detach() + 0 * x.sum(), place)
    assert not slopes_are_right(lambda x: 2 * function(x) - function(x).detach(), place)


def test_gradient_of_the_multi_scale_ssim_along_one_direction() -> None:
    spec = METRICS["ms_ssim"]
    generator = torch.Generator().manual_seed(6)
    images = torch.rand(4, 1, 1, 168, 168, dtype=torch.float64, generator=generator)
    fused = (0.5 * images[1] + 0.5 * images[2]).requires_grad_()
    direction = images[3] - 0.5
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
        optimizer = torch.optim.Adam([fused], lr=0.02)
        values = []
        for _ in range(15):
            optimizer.zero_grad()
            value = METRICS[name].function(fused.clamp(0, 1), ir, vi)
            (-value).sum().backward()
            optimizer.step()
            values.append(value.item())
        assert values[-1] > values[0] + 0.02, name


@pytest.mark.parametrize("spec", ALL)
def test_what_is_not_finite_gives_nan_for_that_image_alone(spec: MetricSpec) -> None:
    images = list(pictures(spec, 2))
    clean = spec.function(*images, data_range=255.0)
    positions = [0]
    if spec.name not in OF_FUSED_ONLY:
        positions += [1] * (not spec.name.endswith("_vi")) + [2] * (not spec.name.endswith("_ir"))
    for position, bad in itertools.product(positions, (math.nan, math.inf, -math.inf)):
        spoiled = [image.clone() for image in images]
        spoiled[position][0, 0, 7, 7] = bad
        values = spec.function(*spoiled, data_range=255.0)
        assert math.isnan(values[0].item())
        torch.testing.assert_close(values[1], clean[1], rtol=1e-10, atol=1e-12)


def test_what_is_not_finite_does_not_hide_a_wrong_range() -> None:
    fused, ir, vi = whole_levels(2, 48)
    fused[0, 0, 0, 0] = math.nan
    ir[0, 0, 0, 0] = math.inf
    with pytest.raises(InputError, match="data_range=1"):
        psnr(fused, ir, vi)
    torch.testing.assert_close(
        psnr(fused, ir, vi, data_range=255.0)[1:],
        psnr(fused[1:], ir[1:], vi[1:], data_range=255.0),
    )
    whole = torch.full_like(ir, math.nan)
    assert torch.isnan(psnr(fused, whole, vi, data_range=255.0)).all()


@pytest.mark.parametrize("spec", ALL)
def test_autocast_changes_no_value(spec: MetricSpec) -> None:
    images = [image.float() / 255 for image in whole_levels(2, max(side(spec), 48))]
    plain = spec.function(*images)
    with torch.autocast("cpu", torch.bfloat16):
        within = spec.function(*images)
    assert within.dtype == plain.dtype
    torch.testing.assert_close(within, plain, rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("name", ["vif", "ssim", "qcb"])
def test_autocast_changes_no_gradient(name: str) -> None:
    images = [image.float() / 255 for image in whole_levels(1, 48)]
    gradients = []
    for enabled in (False, True):
        fused = images[0].clone().requires_grad_()
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            METRICS[name].function(fused, images[1], images[2]).sum().backward()
        gradients.append(fused.grad)
    torch.testing.assert_close(gradients[1], gradients[0], rtol=0, atol=0)


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


NAN_IF_ONE_IS_CONSTANT = ("cc", "qcb", "qcb_uint8", "qcb_zoo", "qcv", "qmi", "qncie", "qp", "qte")


@pytest.mark.parametrize("name", NAN_IF_ONE_IS_CONSTANT)
@pytest.mark.parametrize("level", [0.0, 128.0, 255.0])
def test_a_constant_image_of_any_level_has_no_score(name: str, level: float) -> None:
    images = whole_levels(2, 48)
    clean = METRICS[name].function(*images, data_range=255.0)
    for position in range(3):
        spoiled = [image.clone() for image in images]
        spoiled[position][0] = level
        values = METRICS[name].function(*spoiled, data_range=255.0)
        assert math.isnan(values[0].item())
        torch.testing.assert_close(values[1], clean[1], rtol=1e-10, atol=1e-12)


BLACK = {
    # (black fused image, black infrared image, all three black); None: NaN
    "vif": (0.0, ..., 1.0),
    "psnr": (..., ..., math.inf),
    "qabf": (..., ..., None),
    "en": (0.0, ..., 0.0),
    "sd": (0.0, ..., 0.0),
    "mi": (0.0, ..., 0.0),
    "cc": (None, None, None),
    "scd": (..., None, None),
    "nabf": (0.0, ..., 0.0),
    "viff": (0.0, ..., 1.0),
    "fmi": (0.0, ..., 1.0),
    "qs": (..., ..., 1.0),
    "qe": (..., ..., 1.0),
    "qsf": (-1.0, ..., None),
    "ce": (0.0, ..., 0.0),
    "qy": (0.0, ..., 1.0),
    "qc": (0.0, ..., 1.0),
}
"""What black images score, as docs/metrics.md has it; `...` is any finite number."""


@pytest.mark.parametrize("name", BLACK)
def test_black_images_score_as_documented(name: str) -> None:
    fused, ir, vi = whole_levels(1, 48)
    fused, ir, vi = (image.clamp(min=1) for image in (fused, ir, vi))
    black = torch.zeros_like(ir)
    for triple, expected in zip(
        ((black, ir, vi), (fused, black, vi), (black, black, black)), BLACK[name], strict=True
    ):
        value = METRICS[name].function(*triple, data_range=255.0).item()
        if expected is None:
            assert math.isnan(value)
        elif expected is ...:
            assert math.isfinite(value)
        else:
            assert value == pytest.approx(expected, abs=2e-6)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("spec", ALL)
def test_gpu_gives_what_the_cpu_gives(spec: MetricSpec) -> None:
    images = pictures(spec, 2)
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
