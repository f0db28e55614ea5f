"""`demo` and `models`, and what the shipped weights must be able to do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from mma_unet import Fuser, score
from mma_unet.cli.main import app
from mma_unet.data import read_image
from mma_unet.data.images import luminance
from mma_unet.errors import InputError
from mma_unet.models import shipped_models
from mma_unet.scene import Scene, render_scene


@pytest.fixture(scope="module")
def scene() -> Scene:
    return render_scene(seed=3)


def test_demo_writes_its_pictures_and_says_where(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["demo", "-o", str(tmp_path), "--model", "tiny"])
    assert result.exit_code == 0, result.output
    assert "fused.png" in result.output
    shapes = {name: read_image(tmp_path / f"{name}.png").shape for name in ("ir", "vi", "fused")}
    assert shapes == {"ir": (480, 640), "vi": (480, 640, 3), "fused": (480, 640, 3)}
    assert read_image(tmp_path / "sheet.png").shape == (480, 1920, 3)


@pytest.mark.parametrize("name", ["small", "tiny"])
def test_people_hidden_in_the_visible_image_stand_out_in_the_fused_one(
    name: str, scene: Scene
) -> None:
    fused = luminance(np.asarray(Fuser(name)(scene.ir, scene.vi))).astype(float)
    vi = luminance(scene.vi).astype(float)
    for person in scene.people[:2]:
        left, top, right, bottom = (round(edge) for edge in person)
        inside = (slice(max(top, 0), bottom), slice(max(left, 0), right))
        assert _contrast(fused, inside) > _contrast(vi, inside) + 15


def _contrast(image: np.ndarray, inside: tuple[slice, slice]) -> float:
    """How much brighter the brightest quarter of a box is than the box's median surroundings."""
    rows, columns = inside
    margin = columns.stop - columns.start
    around = image[rows, max(columns.start - margin, 0) : columns.stop + margin]
    return float(np.quantile(image[inside], 0.75) - np.median(around))


@pytest.mark.parametrize("name", ["small", "tiny"])
def test_shipped_weights_keep_more_edges_than_the_pixel_average(name: str, scene: Scene) -> None:
    vi = luminance(scene.vi)
    average = np.rint((scene.ir.astype(float) + vi) / 2).astype(np.uint8)
    ours = score(np.asarray(Fuser(name, gray=True)(scene.ir, scene.vi)), scene.ir, vi)
    baseline = score(average, scene.ir, vi)
    assert ours["Qabf"] > baseline["Qabf"] + 0.02
    assert ours["SSIM"] > 0.7


def test_models_lists_presets_and_cards() -> None:
    listing = CliRunner().invoke(app, ["models"], env={"COLUMNS": "140"})
    assert listing.exit_code == 0, listing.output
    for name in ("paper", "E5", *shipped_models()):
        assert name in listing.output
    card = CliRunner().invoke(app, ["models", "tiny"], env={"COLUMNS": "140"})
    assert "roadscene/train[:-16] (155)" in card.output
    assert isinstance(CliRunner().invoke(app, ["models", "huge"]).exception, InputError)
