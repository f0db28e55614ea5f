"""Scores of 8-bit images: suites, color, bad input, and metrics that are not defined."""

from __future__ import annotations

import dataclasses
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from mma_unet.data import write_image
from mma_unet.errors import InputError
from mma_unet.metrics import METRICS, SUITES, score, score_batch
from mma_unet.metrics.scoring import suite_specs
from tests.metrics.cases import load, tensors


def test_the_papers_five_with_their_labels() -> None:
    ir, vi, fused = load("S09_sines_square_192x176")
    scores = score(fused, ir, vi)
    assert list(scores) == ["VIF", "SSIM", "PSNR", "Qabf", "Qcb"]
    # METRICS.md section 7
    assert scores == pytest.approx(
        {"VIF": 0.145564, "SSIM": 0.528168, "PSNR": 14.361542, "Qabf": 0.357051, "Qcb": 0.406443},
        abs=5e-7,
    )
    assert all(type(value) is float for value in scores.values())


def test_suites_hold_what_their_evaluators_print() -> None:
    assert SUITES["paper"] == ("vif", "ssim", "psnr", "qabf", "qcb")
    assert [METRICS[name].label for name in SUITES["cddfuse"]] == [
        "EN", "SD", "SF", "MI_nats", "SCD", "VIF_sum", "Qabf", "SSIM_cdd",
    ]  # fmt: skip
    assert len(SUITES["vifb"]) == 13
    assert set(SUITES["all"]) == set(METRICS)
    assert all(name in METRICS for names in SUITES.values() for name in names)


def test_the_documentation_knows_every_metric_and_suite() -> None:
    page = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text("utf-8")
    missing = [name for name in METRICS if f"`{name}`" not in page and f"| {name} |" not in page]
    assert missing == []
    for suite in ("paper", "cddfuse", "vifb", "natural"):
        assert f"| `{suite}` | {', '.join(METRICS[name].label for name in SUITES[suite])} |" in page
    assert f"| `canonical` | {len(SUITES['canonical'])} metrics" in page
    assert f"| `all` | {len(METRICS)}:" in page


def test_specs_are_frozen_and_labels_unique() -> None:
    assert len({spec.label for spec in METRICS.values()}) == len(METRICS)
    assert all(name == spec.name for name, spec in METRICS.items())
    with pytest.raises(dataclasses.FrozenInstanceError):
        METRICS["vif"].label = "other"  # type: ignore[misc]


BETTER = {
    "vif": True, "ssim": True, "psnr": True, "qabf": True, "qcb": True,
    "en": True, "sd": True, "sf": True, "ag": True, "ei": True,
    "mi": True, "cc": True, "scd": True, "nabf": False, "ms_ssim": True,
    "viff": True, "fmi": True, "qs": True, "qw": True, "qe": True,
    "qcv": False, "qmi": True, "qncie": True, "qy": True, "qp": True,
    "qc": True, "qte": True, "qsf": None, "ce": False, "mse": False, "rmse": False,
}  # fmt: skip


def test_directions_are_those_of_the_literature() -> None:
    assert {name: METRICS[name].higher_is_better for name in SUITES["canonical"]} == BETTER
    # Other conventions keep the direction of what they measure.
    lower = {name for name, spec in METRICS.items() if spec.higher_is_better is False}
    assert lower - set(BETTER) == {
        "mse_unit", "rmse_vifb", "nabf_unit", "nabf_zoo", "blotch", "grain", "halo",
    }  # fmt: skip


def test_a_single_metric_or_a_list_in_place_of_a_suite() -> None:
    ir, vi, fused = load("S02_noise_avg_64x64")
    assert list(score(fused, ir, vi, "psnr_maxf")) == ["PSNR_maxF"]
    assert list(score(fused, ir, vi, ["en", "psnr"])) == ["EN", "PSNR"]


def test_metrics_are_known_by_name_and_label_whatever_the_capitals() -> None:
    wanted = ["VIF", "ssim_eval_L1", "SSIM_L1", "MS-SSIM", "psnr_MAXF", "qg"]
    names = [spec.name for spec in suite_specs(wanted)]
    assert names == ["vif", "ssim_eval_l1", "ms_ssim", "psnr_maxf", "qg_zliu"]
    assert suite_specs("Paper") == suite_specs("paper")
    # No label is another metric's name.
    for spec in METRICS.values():
        assert suite_specs(spec.label) == suite_specs(spec.name) == (spec,)


@pytest.mark.parametrize(
    ("name", "meant"), [("papers", "paper"), ("VFI", "vif"), ("q_abf", "qabf")]
)
def test_a_misspelt_name_is_answered_with_the_nearest(name: str, meant: str) -> None:
    with pytest.raises(InputError, match=f"named {name!r}; the nearest are .*{meant}"):
        suite_specs(name)
    with pytest.raises(InputError, match="'beauty'; suites are paper"):
        suite_specs("beauty")
    with pytest.raises(InputError, match="list of metrics is empty"):
        suite_specs([])


def test_order_of_the_three_images_matters() -> None:
    ir, vi, fused = load("S03_checker_sine_max_72x96")
    assert score(fused, ir, vi)["VIF"] != score(ir, fused, vi)["VIF"]
    assert score(fused, ir, vi, "vif_ir")["VIF_ir"] == score(fused, vi, ir, "vif_vi")["VIF_vi"]


def test_color_is_reduced_to_rounded_luminance() -> None:
    ir, vi, fused = load("S02_noise_avg_64x64")
    color = np.stack([fused, vi, ir], axis=2)
    gray = np.floor(
        (299 * fused.astype(int) + 587 * vi.astype(int) + 114 * ir.astype(int)) / 1000 + 0.5
    ).astype(np.uint8)
    assert score(color, ir, vi) == score(gray, ir, vi)
    same = np.repeat(fused[..., None], 3, axis=2)
    assert score(same, ir, vi) == score(fused, ir, vi)


def test_files_score_as_the_arrays_they_hold(tmp_path: Path) -> None:
    ir, vi, fused = load("S02_noise_avg_64x64")
    color = np.stack([fused, vi, ir], axis=2)
    files = [tmp_path / f"{name}.png" for name in ("fused", "ir", "vi")]
    for file, image in zip(files, (color, ir.astype(np.uint16) * 257, vi), strict=True):
        write_image(file, image)
    assert score(files[0], str(files[1]), files[2]) == score(color, ir, vi)
    assert score(fused, files[1], vi) == score(fused, ir, vi)
    with pytest.raises(InputError, match=r"lost\.png"):
        score(files[0], tmp_path / "lost.png", files[2])
    with pytest.raises(InputError, match=r"\(of .*fused\.png\) differ in size"):
        score(files[0], ir[1:], vi)


def test_a_metric_that_is_not_defined_is_nan_and_the_others_stay() -> None:
    ir, vi, fused = load("S12_fmi_40x40")
    small = score(fused, ir, vi)
    assert math.isnan(small["VIF"])
    assert small["SSIM"] == pytest.approx(0.531235, abs=5e-7)
    ir, vi, fused = load("S07_constA_rampB_64x64")
    constant = score(fused, ir, vi)
    assert math.isnan(constant["Qcb"])
    assert constant["VIF"] == pytest.approx(1.0, abs=1e-9)


def test_every_metric_copes_with_one_pixel_and_with_constant_images() -> None:
    one = np.full((1, 1), 7, np.uint8)
    assert set(score(one, one, one, "all")) == {spec.label for spec in METRICS.values()}
    flat = np.full((48, 48), 128, np.uint8)
    scores = score(flat, flat, flat, "canonical")
    assert scores["SSIM"] == pytest.approx(1.0)
    assert scores["PSNR"] == math.inf
    assert scores["EN"] == scores["SD"] == 0.0
    assert math.isnan(scores["CC"])


def test_refuses_bad_input_with_one_sentence() -> None:
    ir, vi, fused = load("S02_noise_avg_64x64")
    with pytest.raises(InputError, match="differ in size: 63x64, 64x64, 64x64"):
        score(fused[1:], ir, vi)
    with pytest.raises(InputError, match="infrared image must be an 8-bit"):
        score(fused, ir / 255.0, vi)
    with pytest.raises(InputError, match=r"visible image must be \(H,W\)"):
        score(fused, ir, vi[..., None])
    with pytest.raises(InputError, match="no suite or metric named 'papers'"):
        score(fused, ir, vi, "papers")
    with pytest.raises(InputError, match="fused image must be an 8-bit"):
        score(fused.tolist(), ir, vi)  # type: ignore[arg-type]


def test_score_leaves_its_arrays_alone_and_works_in_double() -> None:
    ir, vi, fused = (image.copy() for image in load("S04_blob_stripes_mix_97x83"))
    for image in (ir, vi, fused):
        image.setflags(write=False)
    view = np.asfortranarray(fused)
    assert score(view, ir, vi) == score(fused, ir, vi)


def test_batches_score_like_files() -> None:
    cases = ["S01_ramps_avg_64x64", "S10_blocks_max_64x64"]
    batch = [torch.cat(parts) / 255 for parts in zip(*map(tensors, cases), strict=True)]
    scores = score_batch(batch[0], batch[1], batch[2], "paper")
    for index, case in enumerate(cases):
        ir, vi, fused = load(case)
        expected = score(fused, ir, vi)
        for label, values in scores.items():
            assert values.shape == (2,)
            assert values[index].item() == pytest.approx(expected[label], abs=1e-12)
    tiny = score_batch(*(image[..., :12, :12] for image in batch), suite="paper")
    assert torch.isnan(tiny["VIF"]).all()
    assert torch.isfinite(tiny["SSIM"]).all()


@pytest.mark.parametrize(
    ("given", "scored"),
    [(torch.uint8, torch.float64), (torch.float16, torch.float32), (torch.float64, torch.float64)],
)
def test_what_is_undefined_has_the_type_of_what_is_defined(
    given: torch.dtype, scored: torch.dtype
) -> None:
    images = [image[..., :12, :12].to(given) for image in tensors("S01_ramps_avg_64x64")]
    scores = score_batch(*images, ["vif", "ssim"], data_range=255.0)
    assert torch.isnan(scores["VIF"])
    assert {values.dtype for values in scores.values()} == {scored}


def test_batches_of_other_shapes_are_refused() -> None:
    images = torch.rand(3, 2, 1, 20, 20)
    with pytest.raises(InputError, match="one shape"):
        score_batch(images[0], images[1][:1], images[2])
    with pytest.raises(InputError, match="one shape"):
        score_batch(images[0], images[1][..., 1:], images[2], "vif")
    with pytest.raises(InputError, match="data_range"):
        score_batch(images[0] * 255, images[1], images[2])


def test_importing_the_metrics_does_not_import_torchmetrics() -> None:
    check = "import sys, mma_unet.metrics; sys.exit('torchmetrics' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0
